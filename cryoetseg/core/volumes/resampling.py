"""Changing the voxel size of volumes and the size of slices.

Voxels are little boxes: the outer faces of the first voxels coincide before and after, so a point at voxel coordinate ``c`` moves to
``(c + 0.5) * voxel_size / target_voxel_size - 0.5`` on each axis, exactly, whatever the rounding of the shape.
"""
from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.transform import resize

from ..runtime.errors import ParameterError
from ..runtime.progress import track
from .streaming import SLAB_BYTES, release_pages, z_slabs

REACH = 3.0  # standard deviations of the Gaussian that are summed


def resampled_shape(shape: tuple[int, ...], voxel_size: float, target_voxel_size: float) -> tuple[int, ...]:
    """Shape after resampling: the box kept, rounded to whole voxels, at least one."""
    return tuple(max(1, round(size * voxel_size / target_voxel_size)) for size in shape)


def resample(array: Any, voxel_size: float, target_voxel_size: float) -> np.ndarray:
    """Grey-value volume (z, y, x) at another voxel size (both in Angstrom), float32, linear interpolation.

    Before shrinking, a Gaussian of (factor - 1) / 2 voxels removes what the coarser grid cannot carry. Works through the volume
    in slabs, so that a memory map is never copied as a whole.
    """
    shape = resampled_shape(tuple(array.shape), voxel_size, target_voxel_size)
    return resample_to_shape(array, voxel_size, target_voxel_size, shape)


def resample_labels(array: np.ndarray, voxel_size: float, target_voxel_size: float) -> np.ndarray:
    """Label volume at another voxel size (both in Angstrom): the nearest voxel's label, type kept."""
    factor = _factor(voxel_size, target_voxel_size)
    return _sampled(np.asarray(array), factor, resampled_shape(array.shape, voxel_size, target_voxel_size), 0.0, order=0)


def resample_to_shape(array: Any, voxel_size: float, target_voxel_size: float, shape: tuple[int, ...]) -> np.ndarray:
    """As :func:`resample` onto a grid of exactly ``shape``: brings a result back to the size of the input it came from."""
    if voxel_size == target_voxel_size and shape == tuple(array.shape):
        return np.array(array, dtype=np.float32)
    result = np.empty(shape, dtype=np.float32)
    resample_into(array, voxel_size, target_voxel_size, result)
    return result


def resample_into(array: Any, voxel_size: float, target_voxel_size: float, target: Any) -> None:
    """As :func:`resample_to_shape` into ``target`` (z, y, x), an array or memory map that need not fit into memory."""
    factor, shape = _factor(voxel_size, target_voxel_size), tuple(target.shape)
    for window in track(z_slabs(shape, limit=int(SLAB_BYTES / max(1, factor**2))), "resample"):
        target[window] = _resampled_slab(array, factor, window, shape)
        release_pages(array)
        release_pages(target)


def _resampled_slab(array: Any, factor: float, window: slice, shape: tuple[int, ...]) -> np.ndarray:
    """The planes ``window`` of the result, from the input planes within reach of the Gaussian and of the interpolation."""
    sigma = max(0.0, (factor - 1) / 2)
    reach = int(REACH * sigma + 0.5) + 2
    first = int(np.floor((window.start + 0.5) * factor - 0.5)) - reach
    last = int(np.ceil((window.stop - 0.5) * factor - 0.5)) + reach + 1
    first = min(max(0, first), array.shape[0] - 1)
    slab = np.asarray(array[first:last], dtype=np.float32)
    if sigma:
        slab = ndimage.gaussian_filter(slab, sigma, mode="nearest", truncate=REACH)
    return _sampled(slab, factor, (window.stop - window.start, *shape[1:]), window.start * factor - first, order=1)


def _factor(voxel_size: float, target_voxel_size: float) -> float:
    if not (voxel_size > 0 and target_voxel_size > 0):
        raise ParameterError(f"voxel sizes {voxel_size} and {target_voxel_size}", "positive numbers of Angstrom")
    return target_voxel_size / voxel_size


def _sampled(volume: np.ndarray, factor: float, shape: tuple[int, ...], z_offset: float, order: int) -> np.ndarray:
    offset = np.full(volume.ndim, 0.5 * factor - 0.5)
    offset[0] += z_offset
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The behavior of affine_transform")  # a reminder of a change in SciPy 0.18
        return ndimage.affine_transform(volume, np.full(volume.ndim, factor), offset, shape, order=order, mode="nearest")


def resize_slice(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A (y, x) image at another size, float32, bilinear, smoothed before it shrinks; the aspect ratio may change."""
    return resize(np.asarray(image, dtype=np.float32), shape, order=1, mode="reflect", anti_aliasing=True, preserve_range=True)
