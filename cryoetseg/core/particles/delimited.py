"""Tables with a header line, comma or tab separated. Ours: 0-based voxels in x, y, z with voxel_size; others are recognised by name."""
from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..runtime.errors import InputError
from ..runtime.files import write_text
from .options import ReadOptions, as_floats, integers, named_classes, numbers, one_voxel_size, positive
from .table import UNKNOWN, ParticleTable
from .text_rows import LINE_END, read_text

POSITIONS = [("x", "y", "z"), ("axis-2", "axis-1", "axis-0"), ("pos_x", "pos_y", "pos_z"), ("coordinate_x", "coordinate_y", "coordinate_z")]
POSITIONS_ANGSTROM = [("x_angstrom", "y_angstrom", "z_angstrom"), ("x_a", "y_a", "z_a")]
TOMOGRAMS = ["tilt_series_id", "tomogram", "tomo_name", "tomo_id", "experiment", "run_name", "tsid"]
CLASSES = ["class_id", "class", "class_label", "label", "class_name", "particle_type"]
DIAMETER = "diameter_angstrom"
SCORES = ["score", "confidence", "probability", "lccmax"]


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a CSV or TSV with a header. Raises :class:`InputError` naming file and column.

    Columns of Angstrom are those called so, or all with ``unit="angstrom"``; they become voxels of the voxel size, or of 1 Angstrom.
    Rows of several voxel sizes are brought to that of the first.
    """
    frame = _frame(path)
    xyz, in_angstrom = _coordinates(frame, path)
    in_angstrom = in_angstrom or options.unit == "angstrom"
    sizes = _voxel_sizes(frame, path, options.voxel_size)
    if in_angstrom:
        voxel_size = options.voxel_size or options.tomogram_voxel_size or float(next((size for size in sizes if size > 0), 1.0))
        xyz = xyz / voxel_size
    else:
        xyz, voxel_size = one_voxel_size(xyz, sizes, path)
    class_id, class_names = _classes(frame, path)
    score = _first(frame, SCORES)
    tomograms = _first(frame, TOMOGRAMS)
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=voxel_size, class_id=class_id, class_names=class_names,
        tilt_series_id=options.tilt_series_id if tomograms is None else tomograms.to_numpy(dtype=object),
        score=UNKNOWN if score is None else as_floats(score), scales_about="centre" if in_angstrom else "face",
        diameters=as_floats(frame[DIAMETER]) if DIAMETER in frame.columns else UNKNOWN,
        angles=np.stack([_angle(frame, name, path) for name in ("rot", "tilt", "psi")], axis=1))


def _frame(path: Path) -> pd.DataFrame:
    """The table, every value as text: names such as 001, 1e5 or NA are no numbers. Lines that begin with # are comments."""
    lines = [line for line in LINE_END.split(read_text(path)) if line.strip() and not line.startswith("#")]
    try:
        rows = list(csv.reader(lines, delimiter=_separator(path), skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table: {error}", "comma separated text with a header line") from error
    if not rows:
        raise InputError(f"{path} cannot be read as a table: it is empty", "comma separated text with a header line")
    columns = [name.strip().lower().replace(" ", "_") for name in rows[0]]
    doubled = sorted({name for name in columns if name and columns.count(name) > 1})
    if doubled:
        raise InputError(f"{path}: column {doubled[0]} is there twice", "columns of different names", "remove one of them")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(columns):
            raise InputError(f"{path}: row {number} has {len(row)} columns, the header {len(columns)}", "as many in every row")
    return pd.DataFrame(rows[1:], columns=pd.Index(columns), dtype=object)


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _voxel_sizes(frame: pd.DataFrame, path: Path, given: float | None) -> np.ndarray:
    if given or "voxel_size" not in frame.columns:
        return np.full(len(frame), given or UNKNOWN)
    return np.array([positive(value or None, f"column voxel_size in row {row + 1}", path) for row, value in enumerate(frame["voxel_size"])])


def _coordinates(frame: pd.DataFrame, path: Path) -> tuple[np.ndarray, bool]:
    for names in POSITIONS + POSITIONS_ANGSTROM:
        if names[0] in frame.columns:
            return np.stack([numbers(frame, name, path) for name in names], axis=1), names in POSITIONS_ANGSTROM
    raise InputError(f"{path}: column x is missing", "a header with x, y, z", "columns found: " + ", ".join(frame.columns))


def _angle(frame: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    return numbers(frame, name, path) if name in frame.columns else np.zeros(len(frame))


def _first(frame: pd.DataFrame, names: list[str]) -> pd.Series | None:
    return next((frame[name] for name in names if name in frame.columns), None)


def _classes(frame: pd.DataFrame, path: Path) -> tuple[np.ndarray | int, dict[int, str]]:
    name = next((item for item in CLASSES if item in frame.columns), None)
    if name is None:
        return 1, {}
    if np.isnan(as_floats(frame[name])).any():
        return named_classes(frame[name].to_numpy(dtype=object))
    class_id = integers(numbers(frame, name, path), f"column {name}", path)
    if name == "class_id" and "class_name" in frame.columns:
        return class_id, {int(number): label for number, label in zip(class_id, frame["class_name"]) if label}
    return class_id, {}


def write(table: ParticleTable, path: Path) -> None:
    """Write all columns of the table, voxel coordinates 0-based. Raises :class:`InputError` for names with line breaks."""
    frame = pd.DataFrame({
        "tilt_series_id": table.tilt_series_id, "x": table.zyx[:, 2], "y": table.zyx[:, 1], "z": table.zyx[:, 0],
        "voxel_size": table.voxel_size, "class_id": table.class_id,
        "class_name": [table.class_names.get(int(number), "") for number in table.class_id], "score": table.score,
        DIAMETER: table.diameters, "rot": table.angles[:, 0], "tilt": table.angles[:, 1], "psi": table.angles[:, 2]})
    if np.isnan(table.diameters).all():
        frame = frame.drop(columns=DIAMETER)
    if not table.voxel_size_is_known:
        frame = frame.drop(columns="voxel_size")
    # by hand, because pandas quotes neither # nor spaces at the ends of names
    columns = [[_written(value, path) for value in frame[name]] for name in frame.columns]
    write_text(path, "".join(_separator(path).join(row) + "\n" for row in [tuple(frame.columns), *zip(*columns)]))


def _written(value: Any, path: Path) -> str:
    if isinstance(value, str):
        return _quoted(value, path)
    return str(value) if isinstance(value, int) else "" if np.isnan(value) else f"{value:.6f}"


def _quoted(value: str, path: Path) -> str:
    if any(ord(letter) < 32 for letter in value):
        raise InputError(f"cannot write {path}: the name {value!r} holds a line break or another control character", "names in one line",
                         "rename it")
    return '"' + value.replace('"', '""') + '"' if value != value.strip() or any(letter in '#,"' for letter in value) else value
