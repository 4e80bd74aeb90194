"""RELION particle STAR files of versions 3, 3.1, 4 and 5, and those of Warp and WarpTools.

Written here: rlnCoordinateX/Y/Z are 0-based voxel coordinates of the tomogram whose voxel size is rlnPixelSize, the score is in
rlnAutopickFigureOfMerit. Read: position = coordinate - origin, as RELION applies refined shifts (origins in Angstrom from 3.1 on).
RELION 4 counts coordinates in pixels of the tilt series whatever the binning, WarpTools in those of its subtomograms; RELION 5
counts Angstrom from the tomogram's centre at size / 2, a size in pixels of the tilt series. In both programs the centre of the first
voxel stays when a tomogram is binned (docs/developer/coordinates.md).
"""
from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from ..runtime.errors import InputError
from .options import ReadOptions, ScalesAbout, Shape, as_floats, integers, named_classes, numbers, one_voxel_size, positive, shape_of
from .star import find_in_project, read_blocks, write_blocks
from .table import UNKNOWN, ParticleTable

logger = logging.getLogger(__name__)

Sizes = dict[str, tuple[Shape, float]]  # of tomograms by tilt-series id: (z, y, x) and the voxel size in Angstrom
AXES = "XYZ"
CENTRED = [f"rlnCenteredCoordinate{axis}Angst" for axis in AXES]
COORDINATES = [f"rlnCoordinate{axis}" for axis in AXES]
ANGLES = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
SUBTOMOGRAM_ANGLES = ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]
SCORES = ["rlnAutopickFigureOfMerit", "rlnLCCmax", "ptmParticleScore", "rlnMaxValueProbDistribution"]
TOMOGRAM_NAMES = ["rlnTomoName", "rlnMicrographName"]
DETECTOR, MAGNIFICATION = "rlnDetectorPixelSize", "rlnMagnification"
TILT_SERIES_PIXEL = "rlnTomoTiltSeriesPixelSize"
PIXEL_SIZES_TOMO = ["rlnPixelSize", TILT_SERIES_PIXEL, "rlnImagePixelSize", DETECTOR]
PIXEL_SIZES_WARP = ["rlnPixelSize", "rlnImagePixelSize", TILT_SERIES_PIXEL, DETECTOR]
PIXEL_SIZES_2D = ["rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize", "rlnImagePixelSize", DETECTOR]
LISTED_FILES = "rlnTomoImportParticleFile"
SIZES_BLOCK = "tomogram_sizes"  # not RELION's: sizes of the tomograms that a list written here counts from


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a particle STAR file, or the optimisation set that names one. Raises :class:`InputError` naming file and column."""
    blocks = read_blocks(path)
    for block in blocks.values():
        if "rlnTomoParticlesFile" in block.columns and len(block):
            return _read_optimisation_set(path, block, options)
        if LISTED_FILES in block.columns:
            raise InputError(f"{path}: column {LISTED_FILES}: this file lists particle lists", "a particle list",
                             "give the files that it names: " + ", ".join(block[LISTED_FILES].head(5)))
    return _read_particles(path, blocks, _own_sizes(blocks, path), options)


def _read_particles(path: Path, blocks: dict[str, pd.DataFrame], sizes: Sizes, options: ReadOptions) -> ParticleTable:
    particles = _particle_block(blocks, path)
    names = _tomogram_names(particles, options.tilt_series_id)
    _refuse_rotated_subtomograms(particles, path)
    if CENTRED[0] in particles.columns:
        xyz, voxel_size = _from_centre(particles, names, blocks, sizes, options, path)
        about: ScalesAbout = "face" if options.voxel_size or options.tomogram_voxel_size else "centre"
    else:
        xyz, voxel_size, about = _from_corner(particles, names, blocks.get("optics"), options, path)
    class_id, class_names = _classes(particles, path)
    score = next((as_floats(particles[column]) for column in SCORES if column in particles.columns), UNKNOWN)
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=voxel_size, tilt_series_id=names, class_id=class_id, class_names=class_names, score=score,
        angles=np.stack([_optional(particles, column, path) for column in ANGLES], axis=1), scales_about=about,
        diameters=as_floats(particles["rlnParticleDiameter"]) if "rlnParticleDiameter" in particles.columns else UNKNOWN)


def _particle_block(blocks: dict[str, pd.DataFrame], path: Path) -> pd.DataFrame:
    if "particles" in blocks:
        return blocks["particles"]
    found = [block for block in blocks.values() if CENTRED[0] in block.columns or COORDINATES[0] in block.columns]
    if len(found) != 1:
        columns = [str(column) for block in blocks.values() for column in block.columns]
        raise InputError(f"{path}: column {COORDINATES[0]} or {CENTRED[0]} is in {len(found)} blocks", "one block of particles",
                         "columns found: " + ", ".join(columns[:20]))
    return found[0]


def _read_optimisation_set(path: Path, block: pd.DataFrame, options: ReadOptions) -> ParticleTable:
    particles = find_in_project(path, str(block["rlnTomoParticlesFile"].iloc[0]))[0]
    sizes: Sizes = {}
    if "rlnTomoTomogramsFile" in block.columns:
        sizes = tomogram_sizes(find_in_project(path, str(block["rlnTomoTomogramsFile"].iloc[0]))[0])
    return _read_particles(particles, read_blocks(particles), sizes, options)


def tomogram_sizes(path: Path) -> Sizes:
    """Shapes (z, y, x) in pixels of the tilt series and that pixel size (Angstrom), by tilt-series id, from a RELION tomograms.star."""
    for block in read_blocks(path).values():
        if "rlnTomoSizeX" in block.columns:
            return _sizes_in(block, path)
    raise InputError(f"{path}: column rlnTomoSizeX is missing", "a RELION tomograms.star")


def _own_sizes(blocks: dict[str, pd.DataFrame], path: Path) -> Sizes:
    return _sizes_in(blocks[SIZES_BLOCK], path) if SIZES_BLOCK in blocks else {}


def _sizes_in(block: pd.DataFrame, path: Path) -> Sizes:
    for column in ("rlnTomoName", TILT_SERIES_PIXEL):
        if column not in block.columns:
            raise InputError(f"{path}: column {column} is missing", "a RELION tomograms.star")
    shapes = np.stack([integers(numbers(block, f"rlnTomoSize{axis}", path), f"column rlnTomoSize{axis}", path) for axis in "ZYX"], axis=1)
    pixels = [positive(value, f"column {TILT_SERIES_PIXEL}", path) for value in block[TILT_SERIES_PIXEL]]
    return {name: ((int(z), int(y), int(x)), pixel) for name, (z, y, x), pixel in zip(block["rlnTomoName"], shapes, pixels)}


def _tomogram_names(particles: pd.DataFrame, default: str) -> np.ndarray:
    column = next((name for name in TOMOGRAM_NAMES if name in particles.columns), None)
    names = [default] * len(particles) if column is None else particles[column].astype(str).tolist()
    return np.array(names, dtype=object)


def _voxel_sizes(particles: pd.DataFrame, optics: pd.DataFrame | None, path: Path) -> tuple[np.ndarray, str]:
    """Size (n,) of the pixels that coordinates are counted in, from the particles or their optics groups, and the column that told;
    NaN when nowhere told."""
    two_dimensional = COORDINATES[0] in particles.columns and COORDINATES[2] not in particles.columns
    columns = PIXEL_SIZES_2D if two_dimensional else PIXEL_SIZES_WARP if _from_warp(particles) else PIXEL_SIZES_TOMO
    for column in columns:
        sizes = _of_particles(particles, optics, column, path)
        if column == DETECTOR and sizes is not None:
            magnification = _of_particles(particles, optics, MAGNIFICATION, path)
            # micrometres on the detector; pixel size in Angstrom = 10 000 x detector / magnification
            sizes = None if magnification is None or (magnification <= 0).any() else 1e4 * sizes / magnification
        if sizes is not None and len(sizes) and sizes[0] > 0:
            return np.array([positive(size, f"the pixel size from {column}", path) for size in sizes.tolist()]), column
    return np.full(len(particles), UNKNOWN), ""


def _from_warp(particles: pd.DataFrame) -> bool:
    name = next((column for column in TOMOGRAM_NAMES if column in particles.columns), None)
    return name is not None and len(particles) > 0 and bool(particles[name].str.endswith(".tomostar").all())


def _of_particles(particles: pd.DataFrame, optics: pd.DataFrame | None, column: str, path: Path) -> np.ndarray | None:
    """A number for each particle, from its own column or that of its optics group; None where there is no such column."""
    if column in particles.columns:
        return numbers(particles, column, path)
    return None if optics is None or column not in optics.columns else _by_optics_group(particles, optics, column, path)


def _by_optics_group(particles: pd.DataFrame, optics: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    sizes = numbers(optics, column, path)
    if "rlnOpticsGroup" not in particles.columns or "rlnOpticsGroup" not in optics.columns:
        if len(set(sizes.tolist())) > 1:
            raise InputError(f"{path}: column rlnOpticsGroup is missing, and {column} differs between the optics groups",
                             "particles that name their optics group")
        return np.full(len(particles), sizes[0] if len(sizes) else UNKNOWN)
    table = dict(zip(numbers(optics, "rlnOpticsGroup", path).tolist(), sizes.tolist()))
    groups = numbers(particles, "rlnOpticsGroup", path).tolist()
    missing = sorted(set(groups) - set(table))
    if missing:
        raise InputError(f"{path}: column rlnOpticsGroup names group {missing[0]:g}, which data_optics lacks", "groups of data_optics")
    return np.array([table[group] for group in groups])


def _from_centre(particles: pd.DataFrame, names: np.ndarray, blocks: dict[str, pd.DataFrame], sizes: Sizes, options: ReadOptions,
                 path: Path) -> tuple[np.ndarray, float]:
    """0-based voxel coordinates (n, 3; x, y, z) of RELION 5, and their voxel size: the one asked for, else that of the tilt series.

    voxel = (Angstrom / pixel + size / 2) / binning, with size in pixels of the tilt series: particle_set.cpp
    (getParticleCoordDecenteredPixel; size / 2 is no whole number for odd sizes) and get_particle_poses/particles.py. Where only the
    binned tomogram is at hand, half of its own size stands for size / 2 / binning: up to a quarter voxel off where binning rounded.
    """
    angstrom = np.stack([numbers(particles, column, path) for column in CENTRED], axis=1)
    wanted = options.tomogram_voxel_size or options.voxel_size
    stated = _voxel_sizes(particles, blocks.get("optics"), path)[0]
    if not wanted and not sizes and len(particles):
        _need_voxel_size(stated[0], CENTRED[0], path)
    if not wanted:
        wanted = float(next((pixel for _, pixel in sizes.values()), stated[0] if len(stated) else UNKNOWN))
    centres = np.zeros((len(particles), 3))
    for name in dict.fromkeys(names.tolist()):
        if name in sizes:
            shape, pixel = sizes[name]
        else:
            shape, pixel = shape_of(options.tomogram_shape, name, path), wanted
        centres[names == name] = np.array(shape[::-1], dtype=np.float64) / 2 * pixel
    return (angstrom + centres - _origins(particles, np.full(len(particles), 1.0), path)) / wanted, wanted


def _from_corner(particles: pd.DataFrame, names: np.ndarray, optics: pd.DataFrame | None, options: ReadOptions,
                 path: Path) -> tuple[np.ndarray, float, ScalesAbout]:
    """0-based voxel coordinates (n, 3; x, y, z), their voxel size, and what stays in place when the list's program bins."""
    sizes, column = _voxel_sizes(particles, optics, path)
    if COORDINATES[2] not in particles.columns and len(particles):
        logger.warning("%s: no column %s: two-dimensional picks, z is set to 0", path, COORDINATES[2])
        particles = particles.assign(**{COORDINATES[2]: "0"})
    if options.voxel_size:
        sizes = np.full(len(particles), options.voxel_size)
    xyz = np.stack([numbers(particles, name, path) for name in COORDINATES], axis=1) - _origins(particles, sizes, path)
    about: ScalesAbout = "centre" if column == TILT_SERIES_PIXEL or _from_warp(particles) else "face"
    xyz, voxel_size = one_voxel_size(xyz, sizes, path, about)
    return xyz, options.voxel_size or voxel_size, about


def _origins(particles: pd.DataFrame, voxel_sizes: np.ndarray, path: Path) -> np.ndarray:
    """Shifts (n, 3) in voxels of the given sizes (n,)."""
    if "rlnOriginXAngst" in particles.columns:
        shifts = np.stack([_optional(particles, f"rlnOrigin{axis}Angst", path) for axis in AXES], axis=1)
        if shifts.any():
            _need_voxel_size(float(voxel_sizes[0]), "rlnOriginXAngst", path)
            return shifts / voxel_sizes[:, None]
        return shifts
    return np.stack([_optional(particles, f"rlnOrigin{axis}", path) for axis in AXES], axis=1)


def _need_voxel_size(voxel_size: float, column: str, path: Path) -> None:
    if not voxel_size > 0:
        raise InputError(f"{path}: column {column} is in Angstrom and no pixel size is told", "a list with a pixel size",
                         "give it (--voxel-size)")


def _refuse_rotated_subtomograms(particles: pd.DataFrame, path: Path) -> None:
    for column in SUBTOMOGRAM_ANGLES:
        if _optional(particles, column, path).any() and _optional(particles, "rlnOriginXAngst", path).any():
            raise InputError(f"{path}: column {column} turns the subtomograms that rlnOriginXAngst shifts", "unrotated subtomograms",
                             "extract the particles again with the refined positions, then read that list")


def _classes(particles: pd.DataFrame, path: Path) -> tuple[np.ndarray | int, dict[int, str]]:
    has_number, has_name = "rlnClassNumber" in particles.columns, "rlnParticleName" in particles.columns
    if has_number:
        class_id = integers(numbers(particles, "rlnClassNumber", path), "column rlnClassNumber", path)
        names = particles["rlnParticleName"].astype(str) if has_name else []
        return class_id, {int(number): name for number, name in zip(class_id, names)}
    return named_classes(particles["rlnParticleName"].astype(str).to_numpy(dtype=object)) if has_name else (1, {})


def _optional(particles: pd.DataFrame, column: str, path: Path, default: float = 0.0) -> np.ndarray:
    return numbers(particles, column, path) if column in particles.columns else np.full(len(particles), default)


def write(table: ParticleTable, path: Path) -> None:
    """Write the list in voxels (rlnCoordinateX/Y/Z), readable by RELION 3 to 5 and their peers."""
    columns = dict(zip(COORDINATES, table.zyx[:, ::-1].T))
    if table.voxel_size_is_known:
        columns["rlnPixelSize"] = np.full(len(table), table.voxel_size)
    write_blocks(path, {"particles": _frame(table, columns)})


def write_centred(table: ParticleTable, path: Path, tomogram_shape: Shape | dict[str, Shape] | None,
                  tilt_series_pixel: float | None = None) -> None:
    """Write the list as RELION 5 does, in Angstrom from the tomogram's centre, with one optics group.

    Its pixel size is that of the tilt series, ``tilt_series_pixel`` in Angstrom, or where nobody told that of the tomograms.
    """
    _need_voxel_size(table.voxel_size, CENTRED[0], path)
    shapes = {name: shape_of(tomogram_shape, name, path)[::-1] for name in table.tilt_series_ids()}
    centres = np.array([shapes[name] for name in table.tilt_series_id], dtype=np.float64).reshape(-1, 3) / 2
    columns = dict(zip(CENTRED, ((table.zyx[:, ::-1] - centres) * table.voxel_size).T))
    columns["rlnOpticsGroup"] = np.ones(len(table), dtype=np.int64)
    optics = {"rlnOpticsGroup": [1], "rlnOpticsGroupName": ["opticsGroup1"], TILT_SERIES_PIXEL: [tilt_series_pixel or table.voxel_size]}
    known = pd.DataFrame([[name, *shape, table.voxel_size] for name, shape in shapes.items()],
                         columns=["rlnTomoName", "rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ", TILT_SERIES_PIXEL])
    # RELION reads the first two blocks; with the third the list can be read without its tomograms
    write_blocks(path, {"optics": pd.DataFrame(optics), "particles": _frame(table, columns), SIZES_BLOCK: known})


def _frame(table: ParticleTable, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    names = {"rlnTomoName": table.tilt_series_id} if (table.tilt_series_id != "").any() else {}
    columns = {**names, **columns, **dict(zip(ANGLES, table.angles.T)), "rlnClassNumber": table.class_id}
    if np.isfinite(table.score).any():
        columns[SCORES[0]] = table.score
    if np.isfinite(table.diameters).all() and len(table):
        columns["rlnParticleDiameter"] = table.diameters
    if table.class_names:
        names_of_rows = [table.class_names.get(int(number), f"class{number}") for number in table.class_id]
        columns["rlnParticleName"] = np.array(names_of_rows, dtype=object)
    return pd.DataFrame(columns)
