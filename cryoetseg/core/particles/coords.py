"""Coordinates in plain text.

DeepETPicker's .coords: class x y z (integers) or class x y z score, 0-based voxels. Plain lists: x y z, 0-based voxels, or Angstrom
when a comment line says so. IMOD point text (point2model, model2point): x y z, contour x y z or object contour x y z in IMOD's
model coordinates.
"""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import write_text
from .imod_model import model_to_voxels, voxels_to_model
from .options import ReadOptions, integers
from .table import UNKNOWN, ParticleTable
from .text_rows import LINE_END, as_numbers, read_rows

FIXED_COLUMNS = re.compile(r"(?=.{36}$|.{42}$|.{48}$)( *\d+){0,2}( +-?\d+\.\d\d){3}|(?=.{27}$|.{33}$)( *\d+){1,2}( +-?\d+){3}")
MOST_CLASSES = 100
PIXEL_CENTRE = re.compile(r"(\d+ +)?(-?\d+\.50 +){2}-?\d+\.00")


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read x y z, class x y z, or class x y z score. Raises :class:`InputError` naming file, row and column.

    Lengths in Angstrom become voxels of ``options.voxel_size``, or of 1 Angstrom when that is not given.
    """
    rows, comments = read_rows(path)
    table = as_numbers(rows, path, (3, 4, 5), "x y z, class x y z, or class x y z score")
    width = table.shape[1]
    if width > 3:
        _check_that_columns_are_meant(table, path)
    xyz = table[:, :3] if width == 3 else table[:, 1:4]
    voxel_size = options.voxel_size or UNKNOWN
    in_angstrom = options.unit == "angstrom" or (options.unit == "auto" and any("angstrom" in comment.lower() for comment in comments))
    if in_angstrom:
        voxel_size = options.voxel_size or options.tomogram_voxel_size or 1.0
        xyz = xyz / voxel_size
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=voxel_size, tilt_series_id=options.tilt_series_id,
        class_id=1 if width == 3 else integers(table[:, 0], "column 1, the class", path),
        score=table[:, 4] if width == 5 else UNKNOWN, scales_about="centre" if in_angstrom else "face")


def _check_that_columns_are_meant(table: np.ndarray, path: Path) -> None:
    """Refuse x y z score and x y z class, which would pass for class x y z: z would be scores, or most positions classes."""
    z, classes = table[:, 3], np.unique(table[:, 0])
    what = ""
    if len(z) and (np.abs(z) <= 1).all() and (z != np.rint(z)).any():
        what = "column 4, z, holds only values between -1 and 1, as scores do"
    elif len(classes) > MOST_CLASSES:
        what = f"column 1, the class, holds {len(classes)} different numbers, as coordinates do"
    if what:
        raise InputError(f"{path}: {what}", "x y z, class x y z, or class x y z score", "bring the columns into one of these orders, or "
                         "write a .csv with a header")


def is_imod_text(text: str) -> bool:
    """Whether plain text under a name that does not tell (.txt) is what IMOD's model2point writes.

    Its columns are fixed: objects and contours take 6 or 7 characters, coordinates 12 or 7. In lists of five columns typed by hand or by
    scripts, the second is a contour (a whole number beside coordinates with decimals, or before three whole numbers that are no scores).
    Without the object's column, x and y of points that were clicked end in .50 and z in .00, for IMOD counts from the corner of a pixel.
    """
    rows = [line.rstrip() for line in LINE_END.split(text) if line.strip() and not line.lstrip().startswith(("#", "%"))]
    if rows and (all(FIXED_COLUMNS.fullmatch(row) for row in rows) or all(PIXEL_CENTRE.fullmatch(row.strip()) for row in rows)):
        return True
    words = [row.split() for row in rows]
    if not words or not all(len(row) == 5 and row[0].isdigit() and row[1].isdigit() for row in words):
        return False
    return all("." in word for row in words for word in row[2:]) or (
        all(word.isdigit() for row in words for word in row) and any(int(row[4]) > 1 for row in words))


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
    class_id = integers(table[:, 0], "column 1, the object", path) if table.shape[1] == 5 else np.ones(len(table), dtype=np.int64)
    return ParticleTable.from_points(model_to_voxels(table[:, -3:])[:, ::-1], voxel_size=options.voxel_size or UNKNOWN,
                                     tilt_series_id=options.tilt_series_id, class_id=class_id)


def write_imod_points(table: ParticleTable, path: Path) -> None:
    """Write object contour x y z for point2model, one object a class."""
    model = voxels_to_model(table.zyx[:, ::-1])
    write_text(path, "".join(f"{number} 1 {x:.4f} {y:.4f} {z:.4f}\n" for number, (x, y, z) in zip(table.class_id, model)))
