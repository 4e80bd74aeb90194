"""Scores of restored volumes against a clean truth, in the convention of the DUAL paper and in the standard one.

DUAL reports on standardised volumes without saying the ranges. Its figures fit PSNR with the range of the standardised truth, and SSIM with
a window of 7 and the range 2 that scikit-image once assumed for floats; the standard SSIM takes the truth's range (spec C7).
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from skimage.metrics import structural_similarity

from ..runtime.errors import InputError
from ..runtime.progress import track
from ..volumes.streaming import z_slabs

SSIM_WINDOW = 7
PAPER_RANGE = 2.0


class RestorationScores(NamedTuple):
    """All on standardised volumes: Pearson r, PSNR in dB with the truth's range, SSIM with range 2 and with the truth's range."""

    pearson: float
    psnr: float
    ssim_paper: float
    ssim: float


def standardised_pair(restored: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both volumes (z, y, x) with mean 0 and variance 1; raises :class:`InputError` for unequal shapes or constant volumes."""
    if restored.shape != truth.shape:
        raise InputError(f"the restored volume has the shape {restored.shape}, the truth {truth.shape} (z, y, x)", "equal shapes",
                         "resample one onto the other's grid first")
    pair = []
    for name, volume in (("restored volume", restored), ("truth", truth)):
        deviation = float(np.std(volume, dtype=np.float64))
        if not deviation > 0 or not np.isfinite(deviation):
            raise InputError(f"the {name} is constant or not finite", "a volume with contrast")
        pair.append(((volume - np.mean(volume, dtype=np.float64)) / deviation).astype(np.float32))
    return pair[0], pair[1]


def pearson(restored: np.ndarray, truth: np.ndarray) -> float:
    """Pearson correlation of two volumes."""
    first, second = standardised_pair(restored, truth)
    return float(np.mean(first * second, dtype=np.float64))


def psnr(restored: np.ndarray, truth: np.ndarray, data_range: float | None = None) -> float:
    """10 log10(range^2 / MSE) in dB (DUAL eq. 10); the range is that of the truth unless given. Equal volumes give infinity."""
    error = float(np.mean(np.square(restored - truth, dtype=np.float64)))
    span = float(np.ptp(truth)) if data_range is None else data_range
    return float("inf") if error == 0 else 10 * float(np.log10(span**2 / error))


def ssim(restored: np.ndarray, truth: np.ndarray, data_range: float | None = None) -> float:
    """Mean structural similarity (Wang et al. 2004) over windows of 7^3; the range is that of the truth unless given.

    Worked through in slabs along z, because scikit-image needs some ten times the memory of its volumes; the mean is the same.
    """
    if min(truth.shape) < SSIM_WINDOW:
        raise InputError(f"volumes of shape {truth.shape}", f"at least {SSIM_WINDOW} voxels along each axis")
    span = float(np.ptp(truth)) if data_range is None else data_range
    border = SSIM_WINDOW // 2  # as scikit-image, the mean leaves out windows that reach over the volume
    inside = (truth.shape[0] - 2 * border, *truth.shape[1:])
    total = 0.0
    for window in track(z_slabs(inside), "structural similarity"):
        slab = slice(window.start, window.stop + 2 * border)
        _, local = structural_similarity(restored[slab], truth[slab], win_size=SSIM_WINDOW, data_range=span, full=True)
        total += float(local[border:-border, border:-border, border:-border].sum(dtype=np.float64))
    return total / float(np.prod([size - 2 * border for size in truth.shape], dtype=np.float64))


def restoration_scores(restored: np.ndarray, truth: np.ndarray) -> RestorationScores:
    """All scores of one volume; scale and offset of either do not matter."""
    first, second = standardised_pair(restored, truth)
    correlation = float(np.mean(first * second, dtype=np.float64))
    return RestorationScores(correlation, psnr(first, second), ssim(first, second, PAPER_RANGE), ssim(first, second))
