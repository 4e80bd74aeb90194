"""What anyone could have without learning: the honest rivals of membrane segmentation. Particles are bright, membranes too.

Volumes are filtered piece by piece, so that besides the response no copy of the volume is held.
"""
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.feature import hessian_matrix_eigvals
from skimage.filters import threshold_otsu

from ..runtime.progress import track
from ..runtime.workers import usable_cores
from ..volumes.streaming import release_pages, z_slabs

SHEET_SIGMA_PX = 3.5
SMALLEST_SHEET = 50.0  # sigma^2; a patch of membrane 5 sigma wide and 2 sigma thick has as many voxels
SLAB_BYTES = 4 * 1024**2
TILE, STENCIL = (16, 64, 64), 2  # eigenvalues need some twenty times a tile; second differences reach two voxels


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

    Scaled by sigma^2, so that it compares between scales; 0 where the sharpest curvature is upwards. The response takes the place
    of the smoothed volume tile by tile, so that nothing else of the volume's size is held.
    """
    smoothed = np.empty(volume.shape, dtype=np.float32)
    for window in z_slabs(volume.shape):
        smoothed[window] = volume[window]
        release_pages(volume)
    ndimage.gaussian_filter(smoothed, sigma_px, mode="nearest", output=smoothed)
    overwritten = smoothed[:0]  # the slices below the next slab, as they were
    for first in track(range(0, len(smoothed), TILE[0]), "sheet filter"):
        last = min(first + TILE[0], len(smoothed))
        slab = np.concatenate([overwritten, smoothed[first:last + STENCIL]])
        above = len(overwritten)
        overwritten = slab[max(0, above + last - first - STENCIL):above + last - first].copy()
        smoothed[first:last] = _sharpest_curvature(slab)[above:above + last - first] * sigma_px**2
    return smoothed


def _sharpest_curvature(slab: np.ndarray) -> np.ndarray:
    """Excess of the sharpest downward curvature over the next, of all voxels (z, y, x); correct but for ``STENCIL`` slices at cuts."""
    strength = np.empty_like(slab)

    def fill(corner: tuple[int, int]) -> None:
        y, x = corner
        first = max(0, y - STENCIL), max(0, x - STENCIL)
        tile = slab[:, first[0]:y + TILE[1] + STENCIL, first[1]:x + TILE[2] + STENCIL]
        core = (slice(None), slice(y - first[0], y - first[0] + TILE[1]), slice(x - first[1], x - first[1] + TILE[2]))
        gradients = np.gradient(tile)
        entries = [np.gradient(gradients[one], axis=other)[core] for one, other in combinations_with_replacement(range(3), 2)]
        flat, ridge, sheet = hessian_matrix_eigvals(entries)  # falling: the last is the most negative
        strength[:, y:y + TILE[1], x:x + TILE[2]] = np.maximum(-sheet - np.maximum(np.abs(flat), np.abs(ridge)), 0)

    corners = [(y, x) for y in range(0, slab.shape[1], TILE[1]) for x in range(0, slab.shape[2], TILE[2])]
    with ThreadPoolExecutor(usable_cores()) as pool:  # LAPACK and the arithmetic of arrays leave the interpreter to others
        list(pool.map(fill, corners))
    return strength


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
