"""Tables with a header line, comma or tab separated. Ours: 0-based voxels in x, y, z with voxel_size; others are recognised by name."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..runtime.errors import InputError
from ..runtime.files import write_text
from .options import ReadOptions, integers, named_classes, numbers
from .table import UNKNOWN, ParticleTable

POSITIONS = [("x", "y", "z"), ("axis-2", "axis-1", "axis-0"), ("pos_x", "pos_y", "pos_z"), ("coordinate_x", "coordinate_y", "coordinate_z")]
POSITIONS_ANGSTROM = [("x_angstrom", "y_angstrom", "z_angstrom"), ("x_a", "y_a", "z_a")]
TOMOGRAMS = ["tilt_series_id", "tomogram", "tomo_name", "tomo_id", "experiment", "run_name", "tsid"]
CLASSES = ["class_id", "class", "class_label", "label", "class_name", "particle_type"]
SCORES = ["score", "confidence", "probability", "lccmax"]


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a CSV or TSV with a header. Raises :class:`InputError` naming file and column.

    Columns of Angstrom are those called so, or all with ``unit="angstrom"``; they become voxels of the voxel size, or of 1 Angstrom.
    """
    try:
        frame = pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",", comment="#", skipinitialspace=True)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a table: {error}", "comma separated text with a header line") from error
    frame.columns = pd.Index([str(name).strip().lower().replace(" ", "_") for name in frame.columns])
    stated = numbers(frame, "voxel_size", path)[0] if "voxel_size" in frame.columns and len(frame) else UNKNOWN
    voxel_size = options.voxel_size or float(stated)
    xyz, in_angstrom = _coordinates(frame, path)
    if in_angstrom or options.unit == "angstrom":
        voxel_size = voxel_size if voxel_size > 0 else 1.0
        xyz = xyz / voxel_size
    tomograms = _first(frame, TOMOGRAMS)
    class_id, class_names = _classes(frame, path)
    score = _first(frame, SCORES)
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=voxel_size, class_id=class_id, class_names=class_names,
        tilt_series_id=options.tilt_series_id if tomograms is None else tomograms.fillna("").astype(str).to_numpy(dtype=object),
        score=UNKNOWN if score is None else pd.to_numeric(score, errors="coerce"),
        angles=np.stack([_angle(frame, name, path) for name in ("rot", "tilt", "psi")], axis=1))


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
    if not pd.api.types.is_numeric_dtype(frame[name]):
        return named_classes(frame[name].astype(str).to_numpy(dtype=object))
    class_id = integers(numbers(frame, name, path))
    if name == "class_id" and "class_name" in frame.columns:
        return class_id, {int(number): str(label) for number, label in zip(class_id, frame["class_name"]) if not pd.isna(label)}
    return class_id, {}


def write(table: ParticleTable, path: Path) -> None:
    """Write all columns of the table, voxel coordinates 0-based."""
    frame = pd.DataFrame({
        "tilt_series_id": table.tilt_series_id, "x": table.zyx[:, 2], "y": table.zyx[:, 1], "z": table.zyx[:, 0],
        "voxel_size": table.voxel_size, "class_id": table.class_id,
        "class_name": [table.class_names.get(int(number), "") for number in table.class_id], "score": table.score,
        "rot": table.angles[:, 0], "tilt": table.angles[:, 1], "psi": table.angles[:, 2]})
    if not table.voxel_size_is_known:
        frame = frame.drop(columns="voxel_size")
    write_text(path, frame.to_csv(index=False, sep="\t" if path.suffix.lower() == ".tsv" else ",", float_format="%.6f"))
