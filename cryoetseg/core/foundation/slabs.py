"""Preparing slabs: contrast stretch, local contrast and smoothing of single slices (Uddin26 1.2)."""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage
from skimage import exposure

from ..runtime.errors import InputError, ParameterError
from ..volumes.normalisation import quantiles, scaled
from .params import SlabParameters

CLAHE_REGIONS = 8
CLAHE_CLIP_LIMIT = 2.0
GREY_LEVELS = 256


def slab_indices(parameters: SlabParameters, depth: int) -> list[int]:
    """z indices of the slabs in a tomogram of ``depth`` slices; raises :class:`ParameterError` when the range leaves it."""
    end = parameters.z_end or depth
    if parameters.z_start >= end or end > depth:
        raise ParameterError(
            f"slab range {parameters.z_start}:{end} does not fit a tomogram of {depth} slices",
            f"0 <= first < end <= {depth}",
            "choose another slab range",
        )
    return list(range(parameters.z_start, end, parameters.z_step))


def read_slab(volume: Any, z: int, parameters: SlabParameters) -> np.ndarray:
    """Slice ``z`` of ``volume`` (z, y, x), or the mean of the slices around it, as float32 (y, x)."""
    reach = parameters.averaged_slices // 2
    first, last = max(0, z - reach), min(volume.shape[0], z + reach + 1)
    return np.asarray(volume[first:last], dtype=np.float32).mean(axis=0)


def prepare_slab(image: np.ndarray, parameters: SlabParameters, valid: np.ndarray | None = None) -> np.ndarray:
    """Stretch, even out and smooth one slice.

    ``image`` is (y, x) with bright particles. Returns float32 (y, x) in [0, 1] with particles as ``slab_contrast`` says;
    a constant slice gives zeros. Raises :class:`InputError` for values that are not finite or an array that is not 2D.
    """
    check_slab(image)
    grey = stretched(image, parameters, valid)
    if parameters.slab_contrast == "dark":
        grey = 1.0 - grey
    if parameters.clahe:
        grey = even_out(grey)
    if parameters.smoothing_sigma > 0:
        grey = ndimage.gaussian_filter(grey, parameters.smoothing_sigma, mode="mirror")
    return minmax(grey)


def stretched(image: np.ndarray, parameters: SlabParameters, valid: np.ndarray | None = None) -> np.ndarray:
    """First stretch of a slice to [0, 1], by its own percentiles or extremes: no volume-wide scale (Uddin26 1.2).

    ``valid`` (y, x): the voxels that tell the percentiles; the others lie in the middle of them. Zeros where nothing varies.
    """
    if parameters.stretch == "minmax":
        return minmax(image)
    sample = image if valid is None else image[valid]
    if not sample.size or float(np.ptp(sample)) == 0.0:
        return np.zeros(image.shape, np.float32)
    low, high = quantiles(sample, (parameters.stretch_low / 100, parameters.stretch_high / 100))
    grey = np.clip(scaled(image, low, high - low), 0, 1)
    if valid is not None:
        grey[~valid] = np.float32(grey[valid].mean())
    return grey


def minmax(image: np.ndarray, top: float = 1.0) -> np.ndarray:
    """``image`` scaled to [0, ``top``] as float32; a constant image gives zeros."""
    image = np.asarray(image, np.float32)
    low, span = image.min(), np.ptp(image)
    return np.zeros_like(image) if span == 0 else ((image - low) * np.float32(top / span)).astype(np.float32)


def even_out(grey: np.ndarray) -> np.ndarray:
    """CLAHE with clip limit 2 on a grid of 8 x 8 regions, in and out in [0, 1] (Uddin26 1.2).

    The published limit counts multiples of a flat histogram of 256 levels; here it is a share of the region's pixels.
    """
    regions = tuple(max(1, size // CLAHE_REGIONS) for size in grey.shape)
    even = exposure.equalize_adapthist(grey.astype(np.float64), regions, CLAHE_CLIP_LIMIT / GREY_LEVELS, GREY_LEVELS)
    return even.astype(np.float32)


def check_slab(image: np.ndarray) -> None:
    """Raises :class:`InputError` for values that are not finite or an array that is not 2D."""
    if image.ndim != 2:
        raise InputError(f"a slab of shape {image.shape}", "a slice with two axes (y, x)")
    if not np.isfinite(image).all():
        raise InputError("the slab holds values that are not finite", "finite grey values", "repair the tomogram or choose other slabs")
