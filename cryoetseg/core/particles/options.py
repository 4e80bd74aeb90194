"""What a reader or writer of particle lists may need to know beyond the file, and errors that name file and column."""
from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..runtime.errors import InputError

Unit = Literal["auto", "voxel", "angstrom"]
AxisOrder = Literal["auto", "xyz", "zyx"]
Shape = tuple[int, int, int]
ScalesAbout = Literal["face", "centre"]
LARGEST_NUMBER = 2**31 - 1  # of classes and tomograms: what other programs read as int
LARGEST_VOXEL = 1e4  # Angstrom; subtomograms and models of cells included
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadOptions:
    """``voxel_size`` (Angstrom) of the coordinates, over what the file says; ``tilt_series_id`` for files that name no tomogram;
    ``tomogram_shape`` (z, y, x), one for all or by tilt-series id, for coordinates counted from the centre, in voxels of
    ``tomogram_voxel_size`` (default: ``voxel_size``); that size is also the one in which lists of Angstrom are handed out;
    ``unit`` of plain text and CSV; ``axis_order`` of DeepFinder and SHREC lists."""

    voxel_size: float | None = None
    tilt_series_id: str = ""
    tomogram_shape: Shape | Mapping[str, Shape] | None = None
    tomogram_voxel_size: float | None = None
    unit: Unit = "auto"
    axis_order: AxisOrder = "auto"


def shape_of(tomogram_shape: Shape | Mapping[str, Shape] | None, tilt_series_id: str, path: Path) -> Shape:
    """The (z, y, x) shape of one tomogram; raises :class:`InputError` when nobody told."""
    shape = tomogram_shape.get(tilt_series_id) if isinstance(tomogram_shape, Mapping) else tomogram_shape
    if shape is None:
        raise InputError(f"{path}: coordinates are counted from the centre of tomogram '{tilt_series_id}', whose size is unknown",
                         "a tomogram size (z, y, x)",
                         "name the tomogram (--tomogram), or read the optimisation set that names tomograms.star")
    return shape


def numbers(frame: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    """A column as float64; raises :class:`InputError` naming file, column and row."""
    if column not in frame.columns:
        raise InputError(f"{path}: column {column} is missing", f"a particle list with {column}",
                         "columns found: " + (", ".join(map(str, frame.columns)) or "none"))
    values = as_floats(frame[column])
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{path}: column {column}: row {row + 1} holds {frame[column].iloc[row]!r}", "finite numbers")
    return values


def as_floats(values: pd.Series) -> np.ndarray:
    """Text or numbers as float64; NaN for what is no number."""
    try:
        return pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64)
    except OverflowError:  # whole numbers of hundreds of digits
        return np.array([_as_float(value) for value in values])


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def integers(values: Any, what: str, path: Path) -> np.ndarray:
    """Whole numbers as int64; raises :class:`InputError` naming file and column ``what`` for other and for absurdly large ones."""
    found = np.asarray(values, dtype=np.float64)
    bad = ~(np.abs(found) <= LARGEST_NUMBER) | (np.abs(found - np.rint(found)) > 1e-3)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(f"{path}: {what}: row {row + 1} holds {found[row]:g}", f"whole numbers up to {LARGEST_NUMBER}")
    return np.rint(found).astype(np.int64)


def positive(value: Any, what: str, path: Path) -> float:
    """A voxel size (Angstrom) that a list states: a number above 0, UNKNOWN for none or 0. Raises :class:`InputError` for nonsense."""
    size = _as_float(0.0 if value is None else value)
    if isinstance(value, bool) or not 0 <= size <= LARGEST_VOXEL:
        raise InputError(f"{path}: {what} is {value!r}", f"a voxel size in Angstrom, above 0 and at most {LARGEST_VOXEL:g}",
                         "correct the list, or give the voxel size")
    return size or math.nan


def one_voxel_size(xyz: np.ndarray, sizes: np.ndarray, path: Path, about: ScalesAbout = "face") -> tuple[np.ndarray, float]:
    """Voxel coordinates (n, 3) of rows with a voxel size each, in voxels of the first row, and that size; UNKNOWN where none tells.

    ``about`` as in :class:`.table.ParticleTable`. Raises :class:`InputError` when rows of several sizes and rows without any are mixed.
    """
    known = sizes > 0
    if not known.any():
        return xyz, math.nan
    first = float(sizes[known][0])
    if np.ptp(sizes[known]) <= 1e-3 * first:
        return xyz, first
    if not known.all():
        raise InputError(f"{path}: voxel sizes {np.unique(sizes[known])} A in some rows and none in row {int(np.argmin(known)) + 1}",
                         "a voxel size in every row", "give the voxel size, or split the list")
    logger.warning("%s: rows of several voxel sizes (%s A) are brought to voxels of %g A", path,
                   ", ".join(f"{size:g}" for size in np.unique(sizes)), first)
    return rescaled(xyz, (sizes / first)[:, None], about), first


def rescaled(points: np.ndarray, factor: float | np.ndarray, about: ScalesAbout) -> np.ndarray:
    """Voxel coordinates in voxels ``factor`` times finer: about the outer face (-0.5) or the centre (0) of the first voxel."""
    return points * factor if about == "centre" else (points + 0.5) * factor - 0.5


def tomogram_numbers(names: Sequence[str]) -> dict[str, int]:
    """Numbers for formats that know tomograms by number, one for each name.

    The name itself where all are numbers, else the number at their ends (TS_03 is 3) where these differ, else 1, 2, ... in order.
    """
    found = list(dict.fromkeys(names))
    for pattern in (r"()(\d{1,6})", r"(.*?)(\d{1,6})"):
        ends = [re.fullmatch(pattern, name, re.ASCII | re.DOTALL) for name in found]
        read = [int(end[2]) for end in ends if end]
        if len(read) == len(found) and len(set(read)) == len(found) and 0 not in read:
            return dict(zip(found, read))
    return {name: number for number, name in enumerate(found, start=1)}


def numbered(names: np.ndarray) -> np.ndarray:
    """The numbers of :func:`tomogram_numbers` for the rows of a list."""
    table = tomogram_numbers(names.tolist())
    return np.array([table[name] for name in names.tolist()], dtype=np.int64)


def named_classes(labels: np.ndarray) -> tuple[np.ndarray, dict[int, str]]:
    """Class numbers 1, 2, ... (by sorted name) and their names, from textual classes."""
    names = sorted(set(labels.tolist()))
    order = {name: number for number, name in enumerate(names, start=1)}
    return np.array([order[name] for name in labels], dtype=np.int64), {number: name for name, number in order.items()}
