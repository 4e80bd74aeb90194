"""RELION 5 projects: tomograms.star (RELION's own and WarpTools') as the list of tomograms, and where the files it names lie.

Sizes there are in pixels of the tilt series, whatever the tomograms' binning; a tomogram's voxel size is the tilt series' pixel size times
the binning. Paths count from the project's folder, in which RELION runs. A coordinate counts in Angstrom from the tomogram's centre,
which is half its size in pixels of the tilt series (ParticleSet::getPosition and TomogramSet::loadTomogram of RELION 5); binning does
not enter, the first voxel's centre lies half the size below.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..particles.options import numbers
from ..particles.star import find_in_project, read_blocks
from ..runtime.errors import InputError

TOMOGRAMS = ("rlnTomoReconstructedTomogramDenoised", "rlnTomoReconstructedTomogram")
SIZES = ("rlnTomoSizeZ", "rlnTomoSizeY", "rlnTomoSizeX")
OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast", "rlnTomoTiltSeriesPixelSize")
ANGLES = ("rlnTomoYTilt", "rlnTomoNominalStageTiltAngle")
PROJECTED = 4  # numbers of a row of a projection matrix
CENTRED = "rlnCenteredCoordinateXAngst"
WARP_SUFFIX = ".tomostar"
WARP_VOXEL_SIZE = re.compile(r"_(\d+\.\d+)Apx$")


@dataclass(frozen=True)
class RelionTomogram:
    """One row. ``size_px`` (z, y, x) and ``pixel_size`` (Angstrom) are those of the tilt series; ``file`` and ``voxel_size`` are None
    where no reconstruction is named or found; ``tilt_range`` in degrees, None where the tilts are not told."""

    name: str
    pixel_size: float
    size_px: tuple[float, float, float]
    hand: float = -1.0
    file: Path | None = None
    voxel_size: float | None = None
    tilt_range: tuple[float, float] | None = None
    optics: dict[str, float] = field(default_factory=dict)

    @property
    def centre(self) -> np.ndarray:
        """Centre (z, y, x) in Angstrom from the centre of the first voxel, as RELION counts."""
        return np.asarray(self.size_px, dtype=np.float64) * self.pixel_size / 2


@dataclass(frozen=True)
class RelionTomograms:
    """The tomograms of a project by name. ``file`` is the list, ``root`` the folder that its paths count from."""

    file: Path
    root: Path
    tomograms: dict[str, RelionTomogram]

    def known(self, name: str) -> RelionTomogram:
        """The tomogram of ``name``, which may lack WarpTools' suffix or carry what programs add to file names.

        Raises :class:`InputError` when there is none, or several.
        """
        if name in self.tomograms:
            return self.tomograms[name]
        found = [item for item in self.tomograms.values() if plain_name(item.name) == plain_name(name)]
        if len(found) != 1:
            raise InputError(f"tomogram '{name}' fits {len(found)} of the tomograms in {self.file}",
                             ", ".join(list(self.tomograms)[:20]), "rename it, or name its tilt series")
        return found[0]


def plain_name(name: str) -> str:
    """A tomogram's name without what programs add: rec_TS_01_10.00Apx (RELION, Warp), TS_01.tomostar and TS_01_Vol (AreTomo) are TS_01."""
    return WARP_VOXEL_SIZE.sub("", name.removesuffix(WARP_SUFFIX)).removeprefix("rec_").removesuffix("_rec").removesuffix("_Vol")


def is_centred(path: Path) -> bool:
    """Whether a particle STAR file counts from the tomogram's centre."""
    return any(CENTRED in block.columns for block in read_blocks(path).values())


def names_in(path: Path) -> list[str]:
    """The tomograms that a particle STAR file names."""
    return sorted({str(name) for block in read_blocks(path).values() if "rlnTomoName" in block.columns for name in block["rlnTomoName"]})


def is_tomogram_list(path: Path) -> bool:
    """Whether a STAR file lists tomograms, or is an optimisation set that names such a list."""
    columns = {str(column) for block in read_blocks(path).values() for column in block.columns}
    return "rlnTomoTomogramsFile" in columns or {"rlnTomoName", "rlnTomoTiltSeriesPixelSize", SIZES[0]} <= columns


def read_tomograms(path: Path) -> RelionTomograms:
    """Read a tomograms.star, or the one that an optimisation set names. Raises :class:`InputError` naming file and column."""
    blocks = read_blocks(path)
    for block in blocks.values():
        if "rlnTomoTomogramsFile" in block.columns:
            return read_tomograms(find_in_project(path, str(block["rlnTomoTomogramsFile"].iloc[0]))[0])
    rows = next((block for block in blocks.values() if "rlnTomoName" in block.columns and SIZES[0] in block.columns), None)
    if rows is None:
        raise InputError(f"{path}: no block has the columns rlnTomoName and {SIZES[0]}", "a tomograms.star of RELION 5 or WarpTools",
                         "give the tomograms.star of a Reconstruct or Denoise job")
    sizes = np.stack([numbers(rows, column, path) for column in SIZES], axis=1)
    pixel_sizes = numbers(rows, "rlnTomoTiltSeriesPixelSize", path)
    hands, binnings = _told(rows, "rlnTomoHand", -1.0, path), _told(rows, "rlnTomoTomogramBinning", 1.0, path)
    told = {column: numbers(rows, column, path) for column in OPTICS if column in rows.columns}
    root, tomograms = path.absolute().parent, {}
    for number, (_, row) in enumerate(rows.iterrows()):
        name = str(row["rlnTomoName"])
        file, voxel_size, found_root = _reconstruction(path, row, float(pixel_sizes[number] * binnings[number]))
        root = found_root or root
        z, y, x = sizes[number].tolist()
        optics = {column: float(values[number]) for column, values in told.items()}
        tomograms[name] = RelionTomogram(name, float(pixel_sizes[number]), (z, y, x), float(hands[number]), file, voxel_size,
                                         _tilt_range(path, row, blocks.get(name)), optics)
    return RelionTomograms(path.absolute(), root, tomograms)


def _told(rows: pd.DataFrame, column: str, default: float, path: Path) -> np.ndarray:
    return numbers(rows, column, path) if column in rows.columns else np.full(len(rows), default)


def _reconstruction(path: Path, row: pd.Series, voxel_size: float) -> tuple[Path | None, float | None, Path | None]:
    """The tomogram's file, its voxel size (that of the list for what it names), and the project's folder when the list tells it."""
    column = next((name for name in TOMOGRAMS if name in row.index and str(row[name]) not in ("", "nan", "None")), None)
    if column is not None:
        file, root = find_in_project(path, str(row[column]))
        return file, voxel_size, root
    stem = plain_name(str(row["rlnTomoName"]))
    found = [file for folder in (path.absolute().parent, path.absolute().parent / "reconstruction")
             for file in sorted(folder.glob(f"{stem}_*Apx.mrc")) if plain_name(file.stem) == stem]
    if len(found) > 1:
        raise InputError(f"{path}: '{stem}' has {len(found)} reconstructions: {', '.join(file.name for file in found)}",
                         "one voxel size", "name the tomograms themselves")
    if not found:
        return None, None, None
    size = WARP_VOXEL_SIZE.search(found[0].stem)
    return found[0], float(size[1]) if size else None, None


def _tilt_range(path: Path, row: pd.Series, inside: pd.DataFrame | None) -> tuple[float, float] | None:
    """First and last tilt from the tilt series' own STAR file, or from the projections that older lists hold."""
    if "rlnTomoTiltSeriesStarFile" in row.index:
        try:
            series = find_in_project(path, str(row["rlnTomoTiltSeriesStarFile"]))[0]
        except InputError:  # only the tilts are unknown then
            return None
        inside = next(iter(read_blocks(series).values()), None)
    if inside is None or inside.empty:
        return None
    for column in ANGLES:
        if column in inside.columns:
            angles = numbers(inside, column, path)
            return float(angles.min()), float(angles.max())
    if "rlnTomoProjZ" in inside.columns:
        depth = np.array([_projection(text, path) for text in inside["rlnTomoProjZ"]])
        angles = np.degrees(np.arctan2(-depth[:, 0], depth[:, 2]))
        return float(angles.min()), float(angles.max())
    return None


def _projection(text: object, path: Path) -> list[float]:
    """One row of a projection matrix, written [x,y,z,shift]."""
    try:
        values = [float(word) for word in str(text).strip("[]").split(",")]
    except ValueError:
        values = []
    if len(values) != PROJECTED:
        raise InputError(f"{path}: column rlnTomoProjZ holds {text!r}", f"{PROJECTED} numbers, [x,y,z,shift]", "make the list again")
    return values
