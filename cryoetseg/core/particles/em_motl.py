"""Motive lists of TOM, AV3 and STOPGAP in EM format: 20 numbers a particle, 1-based voxels, AV3 angles."""
from __future__ import annotations

import struct
from pathlib import Path

import emfile
import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from .angles import from_motl, to_motl
from .options import ReadOptions, integers, numbered
from .table import UNKNOWN, ParticleTable

FIELDS = 20
SCORE, SUBTOMOGRAM, TOMOGRAM, POSITION, SHIFTS, PHI, PSI, THETA, CLASS = 0, 3, 4, slice(7, 10), slice(10, 13), 16, 17, 18, 19


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read an EM motive list; position = (8 to 10) + (11 to 13) - 1. Raises :class:`InputError` naming the file."""
    try:
        header, _ = emfile.read(str(path), header_only=True)
        if header["xdim"] != FIELDS or header["zdim"] != 1:  # before reading: a damaged header may ask for any amount of memory
            raise InputError(f"{path}: EM header: xdim {header['xdim']}, zdim {header['zdim']}", f"a motive list: xdim {FIELDS}, zdim 1",
                             "give tomograms to the volume readers")
        _, data = emfile.read(str(path))
    except (OSError, ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise InputError(f"{path} is not a readable EM file: {error}", "a motive list in EM format") from error
    if data.ndim != 3:
        raise InputError(f"{path}: shape {data.shape} (z, y, x)", f"a motive list of shape (1, particles, {FIELDS})",
                         "give tomograms to the volume readers")
    rows = data[0].astype(np.float64)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise InputError(f"{path}: particle {row + 1}, field {column + 1} is {rows[row, column]}", "finite numbers")
    return ParticleTable.from_points(
        (rows[:, POSITION] + rows[:, SHIFTS] - 1)[:, ::-1], voxel_size=options.voxel_size or UNKNOWN,
        tilt_series_id=integers(rows[:, TOMOGRAM]).astype(str), class_id=integers(rows[:, CLASS]), score=rows[:, SCORE],
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
    with atomic_path(path) as part:
        emfile.write(str(part), rows[np.newaxis].astype(np.float32), overwrite=True)
