"""Motive lists of TOM, AV3 and STOPGAP in EM format: 20 numbers a particle, 1-based voxels, AV3 angles."""
from __future__ import annotations

from pathlib import Path

import emfile
import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from ..volumes import em
from .angles import from_motl, to_motl
from .options import ReadOptions, integers, numbered
from .table import UNKNOWN, ParticleTable

FIELDS = 20
SCORE, SUBTOMOGRAM, TOMOGRAM, POSITION, SHIFTS, PHI, PSI, THETA, CLASS = 0, 3, 4, slice(7, 10), slice(10, 13), 16, 17, 18, 19
USED = (TOMOGRAM, 7, 8, 9, 10, 11, 12, PHI, PSI, THETA, CLASS)


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read an EM motive list of either byte order; position = (8 to 10) + (11 to 13) - 1. Raises :class:`InputError` naming the file.

    Fields that are not used may hold anything.
    """
    try:
        data = em.open_data(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "a motive list in EM format") from error
    if data.shape[0] != 1 or data.shape[2] != FIELDS:
        raise InputError(f"{path}: shape {data.shape} (z, y, x)", f"a motive list of shape (1, particles, {FIELDS})",
                         "give tomograms to the volume readers")
    rows = data[0].astype(np.float64)
    bad = ~np.isfinite(rows)
    bad[:, [column for column in range(FIELDS) if column not in USED]] = False
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(f"{path}: particle {row + 1}, field {column + 1} is {rows[row, column]}", "finite numbers")
    return ParticleTable.from_points(
        (rows[:, POSITION] + rows[:, SHIFTS] - 1)[:, ::-1], voxel_size=options.voxel_size or UNKNOWN,
        tilt_series_id=integers(rows[:, TOMOGRAM], "field 5, the tomogram", path).astype(str).astype(object),
        class_id=integers(rows[:, CLASS], "field 20, the class", path), score=rows[:, SCORE],
        angles=from_motl(rows[:, PHI], rows[:, THETA], rows[:, PSI]))


def write(table: ParticleTable, path: Path) -> None:
    """Write an EM motive list; whole voxels go into 8 to 10, the rest into 11 to 13."""
    if len(table) == 0:
        raise InputError(f"cannot write {path}: EM files cannot hold an empty list", "at least one particle", "write a STAR file")
    rows = np.zeros((len(table), FIELDS))
    one_based = table.zyx[:, ::-1] + 1
    rows[:, SCORE] = np.nan_to_num(table.score)
    rows[:, SUBTOMOGRAM] = np.arange(1, len(table) + 1)
    rows[:, TOMOGRAM] = numbered(table.tilt_series_id)
    rows[:, POSITION] = np.rint(one_based)
    rows[:, SHIFTS] = one_based - np.rint(one_based)
    rows[:, PHI], rows[:, THETA], rows[:, PSI] = to_motl(table.angles)
    rows[:, CLASS] = table.class_id
    stored = rows[np.newaxis].astype(np.float32)
    with atomic_path(path) as part:
        emfile.write(str(part), stored, em.full_header(path, (1, len(table), FIELDS), stored.dtype), overwrite=True)
