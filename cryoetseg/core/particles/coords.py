"""Coordinates in plain text.

DeepETPicker's .coords: class x y z (integers) or class x y z score, 0-based voxels. Plain lists: x y z, 0-based voxels, or Angstrom
when a comment line says so. IMOD point text (point2model, model2point): x y z or object contour x y z in IMOD's model coordinates.
"""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..runtime.files import write_text
from .imod_model import model_to_voxels, voxels_to_model
from .options import ReadOptions, integers
from .table import UNKNOWN, ParticleTable
from .text_rows import as_numbers, read_rows


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read x y z, class x y z, or class x y z score. Raises :class:`InputError` naming file, row and column.

    Lengths in Angstrom become voxels of ``options.voxel_size``, or of 1 Angstrom when that is not given.
    """
    rows, comments = read_rows(path)
    table = as_numbers(rows, path, (3, 4, 5), "x y z, class x y z, or class x y z score")
    width = table.shape[1]
    xyz = table[:, :3] if width == 3 else table[:, 1:4]
    voxel_size = options.voxel_size or UNKNOWN
    if options.unit == "angstrom" or (options.unit == "auto" and any("angstrom" in comment.lower() for comment in comments)):
        voxel_size = options.voxel_size or 1.0
        xyz = xyz / voxel_size
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=voxel_size, tilt_series_id=options.tilt_series_id, class_id=1 if width == 3 else integers(table[:, 0]),
        score=table[:, 4] if width == 5 else UNKNOWN)


def write(table: ParticleTable, path: Path) -> None:
    """Write DeepETPicker's class x y z score, tab separated; the score is left off where it is unknown."""
    lines = []
    for number, (z, y, x), score in zip(table.class_id, table.zyx, table.score):
        fields = [str(number), f"{x:.3f}", f"{y:.3f}", f"{z:.3f}"]
        lines.append("\t".join([*fields, f"{score:.6g}"] if table.has_scores else fields))
    write_text(path, "".join(line + "\n" for line in lines))


def write_xyz(table: ParticleTable, path: Path) -> None:
    """Write x y z in 0-based voxels."""
    write_text(path, "".join(f"{x:.4f} {y:.4f} {z:.4f}\n" for z, y, x in table.zyx))


def read_imod_points(path: Path, options: ReadOptions) -> ParticleTable:
    """Read IMOD point text; the object number becomes the class. Raises :class:`InputError`."""
    rows, _ = read_rows(path)
    table = as_numbers(rows, path, (3, 4, 5), "x y z, contour x y z, or object contour x y z")
    class_id = integers(table[:, 0]) if table.shape[1] == 5 else np.ones(len(table), dtype=np.int64)
    return ParticleTable.from_points(model_to_voxels(table[:, -3:])[:, ::-1], voxel_size=options.voxel_size or UNKNOWN,
                                     tilt_series_id=options.tilt_series_id, class_id=class_id)


def write_imod_points(table: ParticleTable, path: Path) -> None:
    """Write object contour x y z for point2model, one object a class."""
    model = voxels_to_model(table.zyx[:, ::-1])
    write_text(path, "".join(f"{number} 1 {x:.4f} {y:.4f} {z:.4f}\n" for number, (x, y, z) in zip(table.class_id, model)))
