"""Scores of restored volumes against a clean truth, in the convention of the DUAL paper and in the standard one.

DUAL reports on standardised volumes without saying the ranges. Its figures fit PSNR with the range of the standardised truth, and SSIM with
a window of 7 and the range 2 that scikit-image once assumed for floats; the standard SSIM takes the truth's range (spec C7).
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

from ..runtime.errors import InputError
from ..runtime.progress import track
from ..volumes.normalisation import mean_and_deviation
from ..volumes.streaming import read_slabs, release_pages, temporary_volume, z_slabs
from ..volumes.tiles import plan_tiles

SSIM_WINDOW = 7
SSIM_BLOCK = (38, 70)  # voxels along z and y that are worked on at once, with all along x
PAPER_RANGE = 2.0


class RestorationScores(NamedTuple):
    """All on standardised volumes: Pearson r, PSNR in dB with the truth's range, SSIM with range 2 and with the truth's range."""

    pearson: float
    psnr: float
    ssim_paper: float
    ssim: float


def standardised_pair(restored: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both volumes (z, y, x) with mean 0 and variance 1; raises :class:`InputError` for unequal shapes or constant volumes.

    Read slab by slab into files that vanish, so that whole tomograms need little memory.
    """
    if restored.shape != truth.shape:
        raise InputError(f"the restored volume has the shape {restored.shape}, the truth {truth.shape} (z, y, x)", "equal shapes",
                         "resample one onto the other's grid first")
    first, second = (_standardised(name, volume) for name, volume in (("restored volume", restored), ("truth", truth)))
    return first, second


def _standardised(name: str, volume: Any) -> np.ndarray:
    mean, deviation = mean_and_deviation(volume)
    if not deviation > 0 or not np.isfinite(deviation):
        raise InputError(f"the {name} is constant or not finite", "a volume with contrast")
    target = temporary_volume(tuple(volume.shape), np.float32)
    for window, slab in zip(_windows(volume), read_slabs(volume)):
        target[window] = (slab - mean) / deviation
        release_pages(target)
    return target


def _windows(volume: Any) -> list[slice]:
    """The slabs of :func:`read_slabs`."""
    return z_slabs(volume.shape, max(4, volume.dtype.itemsize))


def _mean_of(function: Callable[[np.ndarray, np.ndarray], np.ndarray], first: Any, second: Any) -> float:
    """Mean over all voxels of a function of two volumes, in double precision, slab by slab."""
    total = 0.0
    for window in z_slabs(first.shape):
        total += float(function(np.asarray(first[window], np.float64), np.asarray(second[window], np.float64)).sum())
        release_pages(first)
        release_pages(second)
    return total / float(np.prod(first.shape, dtype=np.int64))


def _range(volume: Any) -> float:
    extremes = [(float(slab.min()), float(slab.max())) for slab in read_slabs(volume)]
    return max(high for _, high in extremes) - min(low for low, _ in extremes)


def pearson(restored: np.ndarray, truth: np.ndarray) -> float:
    """Pearson correlation of two volumes."""
    return _mean_of(np.multiply, *standardised_pair(restored, truth))


def psnr(restored: Any, truth: Any, data_range: float | None = None) -> float:
    """10 log10(range^2 / MSE) in dB (DUAL eq. 10); the range is that of the truth unless given. Equal volumes give infinity."""
    error = _mean_of(lambda a, b: np.square(a - b), restored, truth)
    span = _range(truth) if data_range is None else data_range
    return float("inf") if error == 0 else 10 * float(np.log10(span**2 / error))


def ssim(restored: Any, truth: Any, data_range: float | None = None) -> float:
    """Mean structural similarity (Wang et al. 2004) over windows of 7^3; the range is that of the truth unless given.

    Worked through in blocks, because scikit-image needs some ten times the memory of its volumes; the mean is the same.
    """
    if min(truth.shape) < SSIM_WINDOW:
        raise InputError(f"volumes of shape {truth.shape}", f"at least {SSIM_WINDOW} voxels along each axis")
    span = _range(truth) if data_range is None else data_range
    border = SSIM_WINDOW // 2  # as scikit-image, the mean leaves out windows that reach over the volume
    total = 0.0
    for tile in track(plan_tiles(truth.shape, (*SSIM_BLOCK, truth.shape[2]), (2 * border,) * 3), "structural similarity"):
        _, local = structural_similarity(restored[tile.source], truth[tile.source], win_size=SSIM_WINDOW, data_range=span, full=True)
        release_pages(restored)
        release_pages(truth)
        own = [slice(max(core.start, border) - source.start, min(core.stop, size - border) - source.start)
               for core, source, size in zip(tile.core, tile.source, truth.shape)]
        total += float(local[tuple(own)].sum(dtype=np.float64))
    return total / float(np.prod([size - 2 * border for size in truth.shape], dtype=np.float64))


def restoration_scores(restored: Any, truth: Any) -> RestorationScores:
    """All scores of one volume; scale and offset of either do not matter."""
    return scores_of_standardised(*standardised_pair(restored, truth))


def scores_of_standardised(restored: np.ndarray, truth: np.ndarray) -> RestorationScores:
    """The same of volumes that are standardised already."""
    return RestorationScores(_mean_of(np.multiply, restored, truth), psnr(restored, truth), ssim(restored, truth, PAPER_RANGE),
                             ssim(restored, truth))
