"""From probabilities to positions: mean-pooling non-maximum suppression (MP-NMS, DeepETPicker 2.6).

Repeated mean pooling turns a body of label voxels into a hill whose top lies at its middle; tops above a threshold are particles and
their height is the score. Published, the probabilities are cut at 0.5 first; ``soft`` pools them as they are, which keeps the
network's doubt in the ranking.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter
from scipy.spatial import cKDTree

from ...runtime.progress import track
from ...volumes.streaming import release_pages
from .labels import LabelKind, template

PeakKind = Literal["soft", "published"]
KERNEL = 5  # voxels of both poolings, published
PUBLISHED_CUT = 0.5
PUBLISHED_HEIGHT = 0.1
TILE = 128


class Peaks(NamedTuple):
    """``zyx`` (n, 3) voxel centres, ``class_id`` (n,) from 1 and ``score`` (n,), best first."""

    zyx: np.ndarray
    class_id: np.ndarray
    score: np.ndarray

    def of(self, kept: np.ndarray) -> Peaks:
        """Those where ``kept`` (n,) is true."""
        return Peaks(self.zyx[kept], self.class_id[kept], self.score[kept])

    def first(self, count: int | None) -> Peaks:
        """The best ``count``; all for None."""
        return Peaks(self.zyx[:count], self.class_id[:count], self.score[:count])


def pooling_passes(diameter_px: float) -> int:
    """How often to pool for particles of a (largest) diameter: int(ocp / (k - 1) + 1), 6 for 23 voxels (DeepETPicker 2.6)."""
    return int(diameter_px / (KERNEL - 1) + 1)


def pool(volume: np.ndarray, passes: int) -> np.ndarray:
    """Mean over 5 x 5 x 5 voxels, ``passes`` times; zeros outside count, so a body at the border scores less."""
    for _ in range(passes):
        volume = uniform_filter(volume, KERNEL, mode="constant")
    return volume


def isolated_height(kind: LabelKind, label_px: int, passes: int) -> float:
    """Height of the peak of one label all alone: 0.679 for the Gaussian label of 11 voxels and 6 passes."""
    return float(pool(np.pad(template(kind, label_px).astype(np.float32), 2 * passes), passes).max())


def maxima(heights: np.ndarray, threshold: float) -> np.ndarray:
    """Voxels (n, 3) above ``threshold`` that nothing within 5 x 5 x 5 voxels exceeds; a plateau gives several."""
    return np.argwhere((heights > threshold) & (maximum_filter(heights, KERNEL, mode="constant") == heights))


def find_peaks(
    probabilities: Any, passes: int, threshold: float = PUBLISHED_HEIGHT, cut: float | None = PUBLISHED_CUT, tile: int = TILE,
) -> Peaks:
    """All peaks of probabilities (classes, z, y, x; background dropped), an array or memory map read tile by tile.

    Integer values count in 255ths. ``cut`` binarises above it as published; None pools the probabilities themselves. The result does not
    depend on ``tile``: each tile is pooled with the neighbourhood that its peaks can feel and gives the peaks of its own voxels.
    """
    scale = np.float32(1 / 255) if np.dtype(probabilities.dtype).kind in "iu" else np.float32(1)
    halo = KERNEL // 2 * (passes + 1)
    found: list[Peaks] = []
    spans = [[(first, min(first + tile, size)) for first in range(0, size, tile)] for size in probabilities.shape[1:]]
    for core in track(list(product(*spans)), "peaks"):
        window = [(max(0, a - halo), min(size, b + halo)) for (a, b), size in zip(core, probabilities.shape[1:])]
        for number in range(probabilities.shape[0]):
            block = np.asarray(probabilities[(number, *(slice(*span) for span in window))]).astype(np.float32) * scale
            heights = pool(block if cut is None else (block > cut).astype(np.float32), passes)
            places = maxima(heights, threshold)
            zyx = places + [a for a, _ in window]
            own = np.all([(zyx[:, axis] >= a) & (zyx[:, axis] < b) for axis, (a, b) in enumerate(core)], axis=0)
            found.append(Peaks(zyx[own].astype(np.float64), np.full(int(own.sum()), number + 1), heights[tuple(places[own].T)]))
        release_pages(probabilities)
    return _best_first(Peaks(*(np.concatenate(column) for column in zip(*found))))


def _best_first(peaks: Peaks) -> Peaks:
    order = np.argsort(-peaks.score, kind="stable")
    return Peaks(peaks.zyx[order], peaks.class_id[order], peaks.score[order])


def published_distance(diameters_px: Sequence[float]) -> int:
    """The smallest distance of two picks: min over classes of ocp // 2 + 1 (DeepETPicker 2.6)."""
    return min(int(diameter) // 2 + 1 for diameter in diameters_px)


def suppress(peaks: Peaks, distance_px: float) -> Peaks:
    """Of peaks nearer to each other than ``distance_px``, whatever their class, the higher stays (DeepETPicker 2.6)."""
    tree = cKDTree(peaks.zyx)
    reach = np.nextafter(distance_px, 0.0)  # the query includes its radius
    dropped = np.zeros(len(peaks.zyx), dtype=bool)
    kept: list[int] = []
    for index in range(len(peaks.zyx)):
        if dropped[index]:
            continue
        kept.append(index)
        if reach > 0:
            dropped[tree.query_ball_point(peaks.zyx[index], reach)] = True
    return Peaks(peaks.zyx[kept], peaks.class_id[kept], peaks.score[kept])
