"""Which picks come first: the network's answer, alone or together with how much the place stands out in the tomogram.

A network that learned from pseudo-labels saturates: hundreds of peaks are all but certain. The contrast at particle size, a measure that
needs no training, orders those; either alone ranks worse than both.
"""
from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from ...runtime.progress import track
from ...volumes.streaming import release_pages
from ..volumes import StudentVolume
from .nms import Peaks

Ranking = Literal["combined", "height"]
RATIO = 1.1  # the outer Gaussian's sigma over the inner one's, as in difference-of-Gaussians picking
TRUNCATE = 4.0
RELEASE_EVERY = 256


def ranked(peaks: Peaks, contrast: np.ndarray) -> Peaks:
    """The peaks best first by the mean of two quantiles, which becomes the score: of the height among all peaks, and of the contrast
    (n,) among the peaks of the same class."""
    count = max(1, len(peaks.score))
    height = rankdata(peaks.score) / count
    stands_out = np.zeros(len(peaks.score))
    for number in np.unique(peaks.class_id):
        own = peaks.class_id == number
        stands_out[own] = rankdata(contrast[own]) / own.sum()
    score = (height + stands_out) / 2
    order = np.argsort(-score, kind="stable")
    return Peaks(peaks.zyx[order], peaks.class_id[order], score[order])


def contrast_at(volume: StudentVolume, zyx: np.ndarray, diameters_px: np.ndarray) -> np.ndarray:
    """Difference of Gaussians of the standardised volume at whole-voxel places (n, 3), matched to balls of ``diameters_px`` (n,).

    Sigma is the radius over sqrt(3), to which a ball answers most strongly. Only the surroundings of the places are read.
    """
    values = np.zeros(len(zyx))
    order = np.argsort(zyx[:, 0], kind="stable")  # neighbours in the file one after the other
    for number, index in enumerate(track(order.tolist(), "contrast of picks")):
        sigma = diameters_px[index] / (2 * math.sqrt(3.0))
        reach = int(TRUNCATE * RATIO * sigma + 0.5)
        block = volume.crop((np.rint(zyx[index]).astype(int) - reach).tolist(), (2 * reach + 1,) * 3)
        values[index] = _weighted(block, sigma) - _weighted(block, RATIO * sigma)
        if number % RELEASE_EVERY == 0:
            release_pages(volume.data)
    return values


def _weighted(block: np.ndarray, sigma: float) -> float:
    """Mean of a cube, weighted by a Gaussian about its middle."""
    reach = len(block) // 2
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    return float(block @ weights @ weights @ weights)
