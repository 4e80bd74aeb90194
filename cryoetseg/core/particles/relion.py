"""RELION particle STAR files of versions 3, 3.1, 4 and 5, and those of Warp and WarpTools.

Written here: rlnCoordinateX/Y/Z are 0-based voxel coordinates of the tomogram whose voxel size is rlnPixelSize, the score is in
rlnAutopickFigureOfMerit. Read: position = coordinate - origin, as RELION applies refined shifts (origins in Angstrom from 3.1 on).
RELION 4 counts coordinates in pixels of the tilt series whatever the binning, WarpTools in those of its subtomograms; RELION 5
counts Angstrom from the tomogram's centre at size / 2.
"""
from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..runtime.errors import InputError
from .options import ReadOptions, Shape, integers, named_classes, numbers, shape_of
from .star import read_blocks, write_blocks
from .table import UNKNOWN, ParticleTable

logger = logging.getLogger(__name__)

AXES = "XYZ"
CENTRED = [f"rlnCenteredCoordinate{axis}Angst" for axis in AXES]
COORDINATES = [f"rlnCoordinate{axis}" for axis in AXES]
ANGLES = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]
SUBTOMOGRAM_ANGLES = ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"]
SCORES = ["rlnAutopickFigureOfMerit", "rlnLCCmax", "ptmParticleScore", "rlnMaxValueProbDistribution"]
TOMOGRAM_NAMES = ["rlnTomoName", "rlnMicrographName"]
PIXEL_SIZES_TOMO = ["rlnPixelSize", "rlnTomoTiltSeriesPixelSize", "rlnImagePixelSize", "rlnDetectorPixelSize"]
PIXEL_SIZES_WARP = ["rlnPixelSize", "rlnImagePixelSize", "rlnTomoTiltSeriesPixelSize"]
PIXEL_SIZES_2D = ["rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize", "rlnImagePixelSize"]


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a particle STAR file, or the optimisation set that names one. Raises :class:`InputError` naming file and column."""
    blocks = read_blocks(path)
    for block in blocks.values():
        if "rlnTomoParticlesFile" in block.columns:
            return _read_optimisation_set(path, block, options)
    particles = _particle_block(blocks, path)
    voxel_size = options.voxel_size or _voxel_size(particles, blocks.get("optics"), path)
    names = _tomogram_names(particles, options.tilt_series_id)
    _refuse_rotated_subtomograms(particles, path)
    class_id, class_names = _classes(particles, path)
    score = next((pd.to_numeric(particles[column], errors="coerce") for column in SCORES if column in particles.columns), UNKNOWN)
    return ParticleTable.from_points(
        _positions(particles, names, voxel_size, options, path)[:, ::-1], voxel_size=voxel_size, tilt_series_id=names,
        class_id=class_id, class_names=class_names, score=score,
        angles=np.stack([_optional(particles, column, path) for column in ANGLES], axis=1),
        diameters=_optional(particles, "rlnParticleDiameter", path, UNKNOWN))


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
    particles = _find_beside(path, str(block["rlnTomoParticlesFile"].iloc[0]))
    if "rlnTomoTomogramsFile" in block.columns and options.tomogram_shape is None and options.voxel_size is None:
        tomograms = _find_beside(path, str(block["rlnTomoTomogramsFile"].iloc[0]))
        if CENTRED[0] in _particle_block(read_blocks(particles), particles).columns:
            options = replace(options, tomogram_shape=tomogram_shapes(tomograms), voxel_size=tilt_series_pixel_size(tomograms))
    return read(particles, options)


def _find_beside(path: Path, name: str) -> Path:
    """A file named relative to the project, which is the set's folder or one above it."""
    for folder in [path.parent, *path.resolve().parents]:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{path}: it names '{name}', which does not exist in its folder or above", "an optimisation set inside its project",
                     "read the particle file itself")


def tomogram_shapes(path: Path) -> dict[str, Shape]:
    """Shapes (z, y, x) in pixels of the tilt series, by tilt-series id, from a RELION tomograms.star."""
    for block in read_blocks(path).values():
        if "rlnTomoSizeX" in block.columns:
            sizes = np.stack([integers(numbers(block, f"rlnTomoSize{axis}", path)) for axis in "ZYX"], axis=1)
            return {str(name): (int(z), int(y), int(x)) for name, (z, y, x) in zip(block["rlnTomoName"], sizes)}
    raise InputError(f"{path}: column rlnTomoSizeX is missing", "a RELION tomograms.star")


def tilt_series_pixel_size(path: Path) -> float:
    """Pixel size (Angstrom) of the tilt series in a RELION tomograms.star, in which RELION 5 states tomogram sizes."""
    for block in read_blocks(path).values():
        if "rlnTomoTiltSeriesPixelSize" in block.columns:
            sizes = numbers(block, "rlnTomoTiltSeriesPixelSize", path)
            if np.ptp(sizes) <= 1e-3 * sizes.max():
                return float(sizes[0])
            raise InputError(f"{path}: column rlnTomoTiltSeriesPixelSize differs between tomograms", "one pixel size", "split the list")
    raise InputError(f"{path}: column rlnTomoTiltSeriesPixelSize is missing", "a RELION tomograms.star")


def _tomogram_names(particles: pd.DataFrame, default: str) -> np.ndarray:
    column = next((name for name in TOMOGRAM_NAMES if name in particles.columns), None)
    names = [default] * len(particles) if column is None else particles[column].astype(str).tolist()
    return np.array(names, dtype=object)


def _voxel_size(particles: pd.DataFrame, optics: pd.DataFrame | None, path: Path) -> float:
    """Size of the pixels that coordinates are counted in, from the particles or their optics groups; NaN when nowhere told."""
    names = particles.get("rlnTomoName", pd.Series(dtype=str)).astype(str)
    two_dimensional = COORDINATES[0] in particles.columns and COORDINATES[2] not in particles.columns
    from_warp = len(names) > 0 and names.str.endswith(".tomostar").all()
    columns = PIXEL_SIZES_2D if two_dimensional else PIXEL_SIZES_WARP if from_warp else PIXEL_SIZES_TOMO
    for column in columns:
        if column in particles.columns:
            sizes = numbers(particles, column, path)
        elif optics is not None and column in optics.columns:
            sizes = _by_optics_group(particles, optics, column, path)
        else:
            continue
        if len(sizes) and np.ptp(sizes) > 1e-3 * sizes.max():
            raise InputError(f"{path}: column {column} differs between particles ({sizes.min()} to {sizes.max()})", "one pixel size",
                             "split the list by optics group")
        if len(sizes) and sizes[0] > 0:
            return float(sizes[0])
    return UNKNOWN


def _by_optics_group(particles: pd.DataFrame, optics: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    sizes = numbers(optics, column, path)
    if "rlnOpticsGroup" not in particles.columns or "rlnOpticsGroup" not in optics.columns:
        return sizes
    table = dict(zip(integers(numbers(optics, "rlnOpticsGroup", path)).tolist(), sizes.tolist()))
    groups = integers(numbers(particles, "rlnOpticsGroup", path)).tolist()
    missing = sorted(set(groups) - set(table))
    if missing:
        raise InputError(f"{path}: column rlnOpticsGroup names group {missing[0]}, which data_optics lacks", "groups of data_optics")
    return np.array([table[group] for group in groups])


def _positions(particles: pd.DataFrame, names: np.ndarray, voxel_size: float, options: ReadOptions, path: Path) -> np.ndarray:
    """0-based voxel coordinates (n, 3) in the order x, y, z."""
    if CENTRED[0] in particles.columns:
        _need_voxel_size(voxel_size, CENTRED[0], path)
        centred = np.stack([numbers(particles, column, path) for column in CENTRED], axis=1)
        shapes = {name: shape_of(options.tomogram_shape, name, path)[::-1] for name in dict.fromkeys(names.tolist())}
        # RELION 5 divides the size by two as a float (getParticleCoordDecenteredPixel); an integer division would be off by half a voxel
        xyz = centred / voxel_size + np.array([shapes[name] for name in names], dtype=np.float64).reshape(-1, 3) / 2
    else:
        if COORDINATES[2] not in particles.columns and len(particles):
            logger.warning("%s: no column %s: two-dimensional picks, z is set to 0", path, COORDINATES[2])
            particles = particles.assign(**{COORDINATES[2]: 0.0})
        xyz = np.stack([numbers(particles, column, path) for column in COORDINATES], axis=1)
    return xyz - _origins(particles, voxel_size, path)


def _origins(particles: pd.DataFrame, voxel_size: float, path: Path) -> np.ndarray:
    if "rlnOriginXAngst" in particles.columns:
        shifts = np.stack([_optional(particles, f"rlnOrigin{axis}Angst", path) for axis in AXES], axis=1)
        if shifts.any():
            _need_voxel_size(voxel_size, "rlnOriginXAngst", path)
            return shifts / voxel_size
        return shifts
    return np.stack([_optional(particles, f"rlnOrigin{axis}", path) for axis in AXES], axis=1)


def _need_voxel_size(voxel_size: float, column: str, path: Path) -> None:
    if not voxel_size > 0:
        raise InputError(f"{path}: column {column} is in Angstrom and no pixel size is told", "a list with a pixel size", "give voxel_size")


def _refuse_rotated_subtomograms(particles: pd.DataFrame, path: Path) -> None:
    for column in SUBTOMOGRAM_ANGLES:
        if _optional(particles, column, path).any() and _optional(particles, "rlnOriginXAngst", path).any():
            raise InputError(f"{path}: column {column} turns the subtomograms that rlnOriginXAngst shifts", "unrotated subtomograms",
                             "extract the particles again with the refined positions, then read that list")


def _classes(particles: pd.DataFrame, path: Path) -> tuple[np.ndarray | int, dict[int, str]]:
    has_number, has_name = "rlnClassNumber" in particles.columns, "rlnParticleName" in particles.columns
    if has_number:
        class_id = integers(numbers(particles, "rlnClassNumber", path))
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


def write_centred(table: ParticleTable, path: Path, tomogram_shape: Shape | dict[str, Shape] | None) -> None:
    """Write the list as RELION 5 does, in Angstrom from the tomogram's centre, with one optics group."""
    _need_voxel_size(table.voxel_size, CENTRED[0], path)
    shapes = {name: shape_of(tomogram_shape, name, path)[::-1] for name in table.tilt_series_ids()}
    centres = np.array([shapes[name] for name in table.tilt_series_id], dtype=np.float64).reshape(-1, 3) / 2
    columns = dict(zip(CENTRED, ((table.zyx[:, ::-1] - centres) * table.voxel_size).T))
    columns["rlnOpticsGroup"] = np.ones(len(table), dtype=np.int64)
    optics = {"rlnOpticsGroup": [1], "rlnOpticsGroupName": ["opticsGroup1"], "rlnTomoTiltSeriesPixelSize": [table.voxel_size]}
    write_blocks(path, {"optics": pd.DataFrame(optics), "particles": _frame(table, columns)})


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
