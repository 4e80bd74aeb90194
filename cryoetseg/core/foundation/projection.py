"""Merging eigenimages by what they explain of the picture: an alternative to the published greedy merging.

The canvas is the projection of the local grey value onto the span of the eigenimages. It needs no sign rule (an eigenvector's
sign cancels), no contour count that depends on the size of the tile, and joins tiles and slabs without seams.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from .diversity import contour_count, diversity
from .eigenimages import WHITE
from .frames import Window
from .likeness import likeness
from .slabs import minmax

GREY_SIGMA_PX = 1.0
RANGE_PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class Projection:
    """Weights (k,) of eigenimages, a constant, and the values drawn as white and black."""

    weights: np.ndarray
    constant: float
    shares: np.ndarray  # standard deviation each weighted eigenimage brings, relative to the sum
    low: float
    high: float

    def structure(self, maps: np.ndarray) -> np.ndarray:
        """Merged maps (k, h, w) as float32 (h, w): about 0 in the background and 1 in dense structures, not clipped."""
        merged = np.tensordot(self.weights, maps, axes=1) + self.constant
        return ((merged - self.low) / max(self.high - self.low, 1e-12)).astype(np.float32)

    def canvas(self, maps: np.ndarray) -> np.ndarray:
        """The structure map as a canvas in [0, 255] with dark structures."""
        return (WHITE * (1 - np.clip(self.structure(maps), 0, 1))).astype(np.float32)

    def dark(self, maps: np.ndarray) -> np.ndarray:
        """Eigenimages turned so that what they add to the structure is dark."""
        signs = np.where(self.weights < 0, 1.0, -1.0)
        return maps * signs[:, None, None]

    def record(self, images: np.ndarray) -> dict[str, Any]:
        """Which of the ``images`` (k, h, w) in [0, 255] were merged and how much each weighs, as the greedy merging records it."""
        order = [int(index) for index in np.argsort(-self.shares)]
        canvas, rounds = images[order[0]], []
        for index in order[1:]:
            before, canvas = canvas, minmax(canvas * (1 - self.shares[index]) + images[index] * self.shares[index], WHITE)
            rounds.append({"eigenimage": index, "weight": float(self.shares[index]), **_similarity(before, images[index]),
                           "contours": contour_count(canvas), "diversity": diversity(canvas)})
        return {"aggregation": "projection", "base": order[0], "fell_back": False, "weights": [float(share) for share in self.shares],
                "contours": [contour_count(image) for image in images], "diversities": [diversity(image) for image in images],
                "rounds": rounds}


def fit_projection(maps: np.ndarray, intensity: np.ndarray) -> Projection:
    """Least squares of ``intensity`` (n,), bright particles, on eigenvector entries ``maps`` (n, k) and a constant."""
    design = np.column_stack([maps, np.ones(len(maps))]).astype(np.float64)
    solution = np.linalg.lstsq(design, intensity.astype(np.float64), rcond=None)[0]
    merged = design @ solution
    spread = np.abs(solution[:-1]) * maps.std(axis=0)
    low, high = np.percentile(merged, RANGE_PERCENTILES)
    shares = spread / max(float(spread.sum()), 1e-12)
    return Projection(solution[:-1].astype(np.float32), float(solution[-1]), shares, float(low), float(high))


def token_intensity(image: np.ndarray, window: Window, tokens: int) -> np.ndarray:
    """Local grey value of ``image`` (y, x) at the centres of the ``tokens`` x ``tokens`` tokens of a window."""
    centres = np.stack(np.meshgrid(np.arange(tokens), np.arange(tokens), indexing="ij"), axis=-1).reshape(-1, 2)
    where = window.to_slab(centres, tokens).T
    smooth = ndimage.gaussian_filter(image, GREY_SIGMA_PX, mode="mirror")
    return ndimage.map_coordinates(smooth, where, order=1, mode="mirror").reshape(tokens, tokens).astype(np.float32)


def _similarity(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    with np.errstate(divide="ignore"):
        psnr = float(peak_signal_noise_ratio(first, second, data_range=WHITE))
    return {"ssim": likeness(first, second, WHITE), "psnr": psnr}
