"""Checks that every reader makes, and the filling of scattered invalid voxels.

Each failure is one :class:`InputError` that names the file and the field (rules of spec anchors E.2).
"""
from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError, OutputError, ParameterError
from ..runtime.progress import track
from .header import Shape
from .streaming import release_pages, z_slabs

logger = logging.getLogger(__name__)

SMALLEST_VOXEL, LARGEST_VOXEL = 0.5, 100.0  # Angstrom
ISOTROPY_WARNING, ISOTROPY_LIMIT = 0.001, 0.02  # relative spread between the axes
INVALID_LIMIT = 0.01  # fraction of NaN or infinite voxels above which a volume is refused
SUPPORTED_TYPES = ("int8", "uint8", "int16", "uint16", "float16", "float32")


@dataclass(frozen=True)
class VoxelSize:
    """An accepted voxel size in Angstrom, whether the file states it, and what was odd about it."""

    value: float
    is_known: bool
    warnings: tuple[str, ...] = ()


def check_file(path: Path) -> int:
    """Size in bytes of an existing, readable, non-empty regular file."""
    if not path.exists():
        raise InputError(f"{path} does not exist", "an existing volume file", "check the name")
    if not path.is_file():
        what = "folder" if path.is_dir() else "device or a pipe"
        raise InputError(f"{path} is a {what}", "a volume file (or an OME-Zarr folder ending in .zarr)", "name the file itself")
    size = path.stat().st_size
    if size == 0:
        raise InputError(f"{path}: file length: the file is empty", "a volume file", "copy or make the file again")
    return size


def check_shape(path: Path, shape: Sequence[int], field: str) -> Shape:
    """A three-dimensional (z, y, x) shape with all sizes positive and more than one plane."""
    sizes = tuple(int(size) for size in shape)
    if any(size < 1 for size in sizes):
        raise InputError(f"{path}: {field}: sizes {sizes} (z, y, x) are not all positive", "sizes of at least 1",
                         "the header is damaged: copy or make the file again")
    if len(sizes) == 2 or (len(sizes) == 3 and sizes[0] == 1):
        raise InputError(f"{path}: {field}: {sizes[-2]} x {sizes[-1]} is a single 2D image", "a volume with several z planes",
                         "give the reconstructed tomogram, not a projection or one slice")
    if len(sizes) != 3:
        raise InputError(f"{path}: {field}: {len(sizes)} dimensions {sizes}", "one volume of three dimensions (z, y, x)",
                         "split a stack of volumes, time points or channels into one file each")
    return sizes[0], sizes[1], sizes[2]


def check_dtype(path: Path, dtype: np.dtype, field: str) -> np.dtype:
    """One of the supported voxel types."""
    if dtype.newbyteorder("=").name not in SUPPORTED_TYPES:
        raise InputError(f"{path}: {field}: voxel type {dtype.name} is not supported", ", ".join(SUPPORTED_TYPES),
                         "convert the volume, for instance with newstack -mode 2")
    return dtype


def check_given_voxel_size(value: float) -> float:
    """A voxel size in Angstrom that a user or a caller states; raises :class:`ParameterError` when implausible."""
    if not np.isfinite(value) or not SMALLEST_VOXEL <= value <= LARGEST_VOXEL:
        raise ParameterError(f"voxel_size = {value} A is implausible", f"{SMALLEST_VOXEL:g} to {LARGEST_VOXEL:g} A",
                             "give the edge of one voxel in Angstrom, not in nanometre and not of the whole volume")
    return float(value)


def check_voxel_size(path: Path, stated: Sequence[float] | None, given: float | None, field: str) -> VoxelSize:
    """Decide the voxel size (Angstrom) from what the header states along (z, y, x) and what the user gives.

    A given value wins. Sizes of 0 or 1, or none at all, are how programs write "unknown": accepted with a warning.
    """
    if given is not None:
        return VoxelSize(check_given_voxel_size(given), True)
    if stated is None or np.allclose(stated, 0, atol=1e-6) or np.allclose(stated, 1, atol=1e-4):
        shown = "no voxel size" if stated is None else f"voxel size {stated[-1]:.3g} A, which programs write when they do not know it"
        return VoxelSize(1.0, False, (f"{path}: {field}: {shown}; lengths in Angstrom cannot be trusted. "
                                      "Give the real one with the option voxel_size=",))
    sizes = np.asarray(stated, dtype=np.float64)
    advice = "give the real one with the option voxel_size="
    if not np.isfinite(sizes).all() or (sizes < SMALLEST_VOXEL).any() or (sizes > LARGEST_VOXEL).any():
        raise InputError(f"{path}: {field}: implausible voxel size {_shown(sizes)} A (z, y, x)",
                         f"{SMALLEST_VOXEL:g} to {LARGEST_VOXEL:g} A", advice)
    spread = float(np.ptp(sizes) / sizes.mean())
    if spread > ISOTROPY_LIMIT:
        raise InputError(f"{path}: {field}: voxel size {_shown(sizes)} A (z, y, x) differs between the axes",
                         f"equal within {ISOTROPY_LIMIT:.0%}", "resample the volume to cubic voxels, or " + advice)
    oddity = f"{path}: {field}: voxel size differs slightly between the axes, {_shown(sizes)} A (z, y, x); the mean is used"
    return VoxelSize(_tidy(float(sizes.mean())), True, (oddity,) if spread > ISOTROPY_WARNING else ())


def _shown(sizes: np.ndarray) -> str:
    return " x ".join(f"{size:.5g}" for size in sizes)


def _tidy(size: float) -> float:
    """Undo the rounding of a single-precision header: 31.360000610 is 31.36."""
    return float(f"{size:.6g}")


def check_values(path: Path, array: Any) -> Any:
    """Look once through all voxels; returns ``array``, or a view that fills its few invalid voxels.

    Raises :class:`InputError` for a constant volume and for more than 1 % NaN or infinite voxels.
    """
    invalid, lowest, highest, total = _scan(path, array)
    voxels = int(np.prod(array.shape, dtype=np.int64))
    if invalid > INVALID_LIMIT * voxels:
        raise InputError(f"{path}: data: {invalid} of {voxels} voxels ({invalid / voxels:.1%}) are NaN or infinite",
                         f"at most {INVALID_LIMIT:.0%}", "reconstruct again, or replace the invalid voxels")
    if lowest == highest:
        raise InputError(f"{path}: data: every voxel has the value {lowest:g}", "a volume with contrast",
                         "the reconstruction failed or the file was only allocated: make it again")
    if invalid:
        logger.warning("%s: data: %d of %d voxels are NaN or infinite; they are filled with the median of their neighbours",
                       path, invalid, voxels)
        return FilledView(array, total / (voxels - invalid))
    return array


def _scan(path: Path, array: Any) -> tuple[int, float, float, float]:
    """Number of invalid voxels, and minimum, maximum and sum of the valid ones."""
    invalid, lowest, highest, total = 0, np.inf, -np.inf, 0.0
    for window in track(z_slabs(array.shape, max(4, array.dtype.itemsize)), f"check {path.name}"):
        slab = np.asarray(array[window])
        if slab.dtype.kind == "f" and not np.isfinite(_sum_of(slab)):
            valid = slab[np.isfinite(slab)]
            invalid += slab.size - valid.size
            slab = valid
        if slab.size:
            lowest, highest = min(lowest, float(slab.min())), max(highest, float(slab.max()))
            total += _sum_of(slab)
        release_pages(array)
    return invalid, lowest, highest, total


def _sum_of(slab: np.ndarray) -> float:
    """Sum in double precision: NaN or infinite exactly when an invalid voxel is among the values."""
    with np.errstate(invalid="ignore"):
        return float(slab.sum(dtype=np.float64))


@dataclass(frozen=True)
class Statistics:
    """Minimum, maximum, mean and population standard deviation."""

    low: float
    high: float
    mean: float
    deviation: float


def result_statistics(path: Path, array: Any) -> Statistics:
    """Statistics of a result about to be named ``path``, streamed; raises :class:`OutputError` when a value is not finite."""
    low, high, total, squares, count = np.inf, -np.inf, 0.0, 0.0, int(np.prod(array.shape, dtype=np.int64))
    shift = float(array[0, 0, 0])  # keeps the sum of squares accurate for data far from zero
    for window in track(z_slabs(array.shape), f"statistics of {path.name}"):
        slab = np.asarray(array[window]).astype(np.float64)
        if not np.isfinite(_sum_of(slab)):
            raise OutputError(f"cannot write {path}: the result holds NaN or infinite values", "finite voxels",
                              "check the input's contrast and normalisation, and the model")
        low, high = min(low, float(slab.min())), max(high, float(slab.max()))
        slab -= shift
        total += float(slab.sum())
        squares += float(np.vdot(slab, slab))
        release_pages(array)
    return Statistics(low, high, total / count + shift, float(np.sqrt(max(0.0, squares / count - (total / count) ** 2))))


class FilledView:
    """A read-only float32 view of a volume whose NaN and infinite voxels show the median of their 5 x 5 x 5 neighbourhood.

    Where a whole neighbourhood is invalid, the mean of the volume stands in. Works by basic slicing, window by window, and gives
    the same value for a voxel whichever window it is read in.
    """

    radius = 2
    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, base: Any, fallback: float) -> None:
        self.base, self.fallback = base, fallback
        self.shape: tuple[int, ...] = tuple(base.shape)
        self._mmap, self.mode = getattr(base, "_mmap", None), getattr(base, "mode", "c")

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:, :, :].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        ranges = [np.arange(size)[index] for size, index in zip(self.shape, expanded(key, 3))]
        extents = [(int(np.min(r)), int(np.max(r)) + 1) if np.size(r) else (0, 0) for r in ranges]
        outer = [(max(0, first - self.radius), min(size, last + self.radius)) for (first, last), size in zip(extents, self.shape)]
        window = np.array(self.base[tuple(slice(*o) for o in outer)], dtype=np.float32)
        fill_invalid(window, self.radius, self.fallback)
        for axis in (2, 1, 0):
            window = window.take(ranges[axis] - outer[axis][0], axis=axis)
        return window


def expanded(key: Any, ndim: int) -> tuple[Any, ...]:
    """An index as one part for each axis."""
    parts = key if isinstance(key, tuple) else (key,)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts = parts[:at] + (slice(None),) * (ndim - len(parts) + 1) + parts[at + 1:]
    return parts + (slice(None),) * (ndim - len(parts))


def fill_invalid(volume: np.ndarray, radius: int, fallback: float) -> None:
    """Replace NaN and infinite voxels of ``volume`` in place by the median of the valid ones within ``radius`` on each axis."""
    invalid = ~np.isfinite(volume)
    if not invalid.any():
        return
    padded = np.pad(np.where(invalid, np.nan, volume), radius, constant_values=np.nan)
    side = np.arange(2 * radius + 1)
    offsets = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(-1, 3)
    places = np.argwhere(invalid)
    for start in range(0, len(places), 20_000):
        corners = places[start:start + 20_000]
        around = padded[tuple((corners[:, None] + offsets[None]).transpose(2, 0, 1))]
        empty = np.isnan(around).all(axis=1)
        around[empty] = fallback
        volume[tuple(corners.T)] = np.nanmedian(around, axis=1)


def whole_numbers(slab: np.ndarray, path: Any) -> np.ndarray:
    """The ``slab`` of the volume in ``path`` as it is; raises :class:`InputError` when a value is not a whole number."""
    if slab.dtype.kind == "f" and not np.array_equal(slab, np.rint(slab)):
        raise InputError(f"{path}: data: not all values are whole numbers", "a mask or label volume",
                         "give the label volume, not a tomogram or probability map")
    return slab
