"""What anyone could have without learning: the honest rivals of membrane segmentation. Particles are bright, membranes too.

Volumes are filtered slab by slab, so that besides the response no copy of the volume is held.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.filters import threshold_otsu

from ..runtime.progress import track
from ..volumes.streaming import release_pages, z_slabs

SHEET_SIGMA_PX = 3.5
SMALLEST_SHEET = 50.0  # sigma^2; a patch of membrane 5 sigma wide and 2 sigma thick has as many voxels
SLAB_BYTES = 4 * 1024**2  # eigenvalues need some twenty times the slab


def gaussian_otsu(volume: Any, sigma_px: float = 2.0, minimum_voxels: int = 0) -> np.ndarray:
    """int8 mask (z, y, x) of a (z, y, x) volume above Otsu's threshold after a Gaussian, without components that are too small."""
    halo = int(4 * sigma_px + 0.5)
    smoothed = _by_slabs(volume, lambda slab, core: ndimage.gaussian_filter(slab, sigma_px)[core], halo, "Gaussian filter")
    return without_small_components(smoothed > threshold_otsu(smoothed), minimum_voxels)


def hessian_sheets(
    volume: Any, sigma_px: float = SHEET_SIGMA_PX, threshold: float | None = None, minimum_voxels: int | None = None,
) -> np.ndarray:
    """int8 mask of bright sheets: sheet response above ``threshold`` (Otsu's of the positive responses unless given), then components
    of at least ``minimum_voxels`` (50 sigma^2 unless given)."""
    strength = sheet_response(volume, sigma_px)
    positive = strength[strength > 0]
    level = threshold if threshold is not None else float(threshold_otsu(positive)) if positive.size else np.inf
    smallest = round(SMALLEST_SHEET * sigma_px**2) if minimum_voxels is None else minimum_voxels
    return without_small_components(strength > level, smallest)


def sheet_response(volume: Any, sigma_px: float = SHEET_SIGMA_PX) -> np.ndarray:
    """float32 strength of bright sheets: how much the sharpest curvature of the smoothed volume exceeds the next (Sato et al. 1998).

    Scaled by sigma^2, so that it compares between scales; 0 where the sharpest curvature is upwards.
    """

    def strength(slab: np.ndarray, core: slice) -> np.ndarray:
        entries = hessian_matrix(slab, sigma_px, mode="nearest", order="rc", use_gaussian_derivatives=False)
        flat, ridge, sheet = hessian_matrix_eigvals([entry[core] for entry in entries])  # falling: the last is the most negative
        return np.maximum(-sheet - np.maximum(np.abs(flat), np.abs(ridge)), 0) * sigma_px**2

    return _by_slabs(volume, strength, int(4 * sigma_px + 0.5) + 2, "sheet filter")


def _by_slabs(volume: Any, function: Callable[[np.ndarray, slice], np.ndarray], halo: int, description: str) -> np.ndarray:
    """What ``function`` makes of the core of each slab, which it gets with ``halo`` more slices on each side; float32."""
    result = np.empty(volume.shape, dtype=np.float32)
    for window in track(z_slabs(volume.shape, 4, SLAB_BYTES), description):
        first, last = max(0, window.start - halo), min(volume.shape[0], window.stop + halo)
        slab = np.asarray(volume[first:last], dtype=np.float32)
        result[window] = function(slab, slice(window.start - first, window.stop - first))
        release_pages(volume)
    return result


def without_small_components(mask: np.ndarray, minimum_voxels: int) -> np.ndarray:
    """int8 mask without face-connected components of fewer than ``minimum_voxels`` voxels."""
    if minimum_voxels <= 1:
        return mask.astype(np.int8)
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return (sizes >= minimum_voxels)[labels].astype(np.int8)
