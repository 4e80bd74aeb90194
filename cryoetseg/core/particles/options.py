"""What a reader or writer of particle lists may need to know beyond the file, and errors that name file and column."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..runtime.errors import InputError

Unit = Literal["auto", "voxel", "angstrom"]
AxisOrder = Literal["auto", "xyz", "zyx"]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ReadOptions:
    """``voxel_size`` (Angstrom) of the coordinates, over what the file says; ``tilt_series_id`` for files that name no tomogram;
    ``tomogram_shape`` (z, y, x) in those voxels, one for all or by tilt-series id, for coordinates counted from the centre;
    ``unit`` of plain text and CSV; ``axis_order`` of DeepFinder and SHREC lists."""

    voxel_size: float | None = None
    tilt_series_id: str = ""
    tomogram_shape: Shape | Mapping[str, Shape] | None = None
    unit: Unit = "auto"
    axis_order: AxisOrder = "auto"


def shape_of(tomogram_shape: Shape | Mapping[str, Shape] | None, tilt_series_id: str, path: Path) -> Shape:
    """The (z, y, x) shape of one tomogram; raises :class:`InputError` when nobody told."""
    shape = tomogram_shape.get(tilt_series_id) if isinstance(tomogram_shape, Mapping) else tomogram_shape
    if shape is None:
        raise InputError(f"{path}: coordinates are counted from the centre of tomogram '{tilt_series_id}', whose size is unknown",
                         "a tomogram size (z, y, x)", "give tomogram_shape, or read the optimisation set that names tomograms.star")
    return shape


def numbers(frame: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    """A column as float64; raises :class:`InputError` naming file, column and row."""
    if column not in frame.columns:
        raise InputError(f"{path}: column {column} is missing", f"a particle list with {column}",
                         "columns found: " + (", ".join(map(str, frame.columns)) or "none"))
    values = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=np.float64)
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{path}: column {column}: row {row + 1} holds {frame[column].iloc[row]!r}", "finite numbers")
    return values


def integers(values: Any) -> np.ndarray:
    """Numbers rounded to int64."""
    return np.rint(np.asarray(values, dtype=np.float64)).astype(np.int64)


def numbered(names: np.ndarray) -> np.ndarray:
    """Numbers for formats that know tomograms by number: the name itself where it is one, else 1, 2, ... by first appearance."""
    found = list(dict.fromkeys(names.tolist()))
    if all(name.isdigit() for name in found):
        return np.array([int(name) for name in names], dtype=np.int64)
    order = {name: number for number, name in enumerate(found, start=1)}
    return np.array([order[name] for name in names], dtype=np.int64)


def named_classes(labels: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Class numbers 1, 2, ... (by sorted name) and their names, from textual classes."""
    names = sorted(set(labels.tolist()))
    order = {name: number for number, name in enumerate(names, start=1)}
    return np.array([order[name] for name in labels], dtype=np.int64), {number: name for name, number in order.items()}
