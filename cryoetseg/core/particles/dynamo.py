"""Dynamo tables (.tbl): 1-based voxels, columns counted from 1 as in Dynamo's manual; particle = x, y, z + dx, dy, dz."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..runtime.files import write_text
from .angles import from_dynamo, to_dynamo
from .options import ReadOptions, integers, numbered, one_voxel_size, positive
from .table import ParticleTable
from .text_rows import as_numbers, read_rows

COLUMNS = 42
SMALLEST = 26  # Dynamo lets trailing columns off, but not the coordinates
TAG, ALIGNED, AVERAGED, SCORE, TOMOGRAM, CLASS, VOXEL_SIZE = 0, 1, 2, 9, 19, 21, 35
SHIFTS, ANGLES, POSITION = slice(3, 6), slice(6, 9), slice(23, 26)


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a Dynamo table; tomograms are named by their number. Raises :class:`InputError` naming file, row and column.

    Columns that are not used may hold anything. Rows of several voxel sizes are brought to that of the first.
    """
    rows, _ = read_rows(path)
    used = {*range(*SHIFTS.indices(COLUMNS)), *range(*ANGLES.indices(COLUMNS)), *range(*POSITION.indices(COLUMNS)), TOMOGRAM, CLASS}
    table = as_numbers(rows, path, range(SMALLEST, COLUMNS + 1), f"{SMALLEST} to {COLUMNS} columns of a Dynamo table", used)
    stated = table[:, VOXEL_SIZE] if table.shape[1] > VOXEL_SIZE else np.zeros(len(table))
    sizes = np.array([positive(size, f"column 36 of row {row + 1}", path) for row, size in enumerate(np.nan_to_num(stated).tolist())])
    xyz, voxel_size = one_voxel_size(table[:, POSITION] + table[:, SHIFTS] - 1,
                                     np.full(len(table), options.voxel_size) if options.voxel_size else sizes, path)
    tomograms = integers(table[:, TOMOGRAM], "column 20, the tomogram", path).astype(str).astype(object)
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=options.voxel_size or voxel_size, tilt_series_id=tomograms,
        class_id=integers(table[:, CLASS], "column 22, the class", path), score=table[:, SCORE], angles=from_dynamo(*table[:, ANGLES].T))


def write(table: ParticleTable, path: Path) -> None:
    """Write a Dynamo table of 42 columns with the exact position in x, y, z and no shifts."""
    rows = np.zeros((len(table), COLUMNS))
    rows[:, TAG] = np.arange(1, len(table) + 1)
    rows[:, ALIGNED] = rows[:, AVERAGED] = 1
    rows[:, ANGLES] = np.stack(to_dynamo(table.angles), axis=1)
    rows[:, SCORE] = np.nan_to_num(table.score)
    rows[:, TOMOGRAM] = numbered(table.tilt_series_id)
    rows[:, CLASS] = table.class_id
    rows[:, POSITION] = table.zyx[:, ::-1] + 1
    rows[:, VOXEL_SIZE] = table.voxel_size if table.voxel_size_is_known else 0
    write_text(path, "".join(" ".join(f"{value:.5f}".rstrip("0").rstrip(".") for value in row) + "\n" for row in rows))
