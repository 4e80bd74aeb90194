"""Greedy merging of eigenimages into one canvas, with the record of what was merged and why (Uddin26 1.5)."""
from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from skimage.metrics import peak_signal_noise_ratio
from skimage.transform import resize

from .diversity import contour_count, diversity
from .eigenimages import WHITE, invert_if_dark
from .likeness import likeness
from .params import AggregationParameters
from .slabs import minmax


@dataclass(frozen=True)
class MergeRound:
    """One eigenimage that joined the canvas: its similarity to the canvas before, and the canvas' scores afterwards."""

    eigenimage: int
    ssim: float
    psnr: float
    contours: int
    diversity: float


@dataclass(frozen=True)
class Aggregation:
    """A canvas, float32 (side, side) in [0, 255] with dark structures, and how it came about.

    ``contours`` and ``diversities`` hold the scores of every eigenimage. ``fell_back`` is true where no eigenimage had few enough
    contours to start from and the one with the fewest was taken: the published program drops the slice there.
    """

    canvas: np.ndarray
    base: int
    contours: tuple[int, ...]
    diversities: tuple[float, ...]
    rounds: tuple[MergeRound, ...]
    fell_back: bool

    @property
    def merged(self) -> tuple[int, ...]:
        """Eigenimages in the canvas, in the order they joined."""
        return (self.base, *(step.eigenimage for step in self.rounds))

    def record(self) -> dict[str, Any]:
        """Everything but the canvas, for JSON."""
        return {
            "base": self.base,
            "fell_back": self.fell_back,
            "contours": list(self.contours),
            "diversities": list(self.diversities),
            "rounds": [asdict(step) for step in self.rounds],
        }


class _Merge(NamedTuple):
    image: np.ndarray
    step: MergeRound


def aggregate(images: np.ndarray, parameters: AggregationParameters) -> Aggregation:
    """Merge eigenimages (k, side, side) in [0, 255] into one canvas."""
    contours = tuple(contour_count(image) for image in images)
    diversities = tuple(diversity(image) for image in images)
    base, fell_back = _choose_base(contours, diversities, parameters)
    canvas, score = np.asarray(images[base], np.float32), diversities[base]
    unused = [index for index in range(len(images)) if index != base]
    rounds: list[MergeRound] = []
    while len(rounds) < parameters.merge_rounds:
        merges = [merge for index in unused if (merge := _try_merge(canvas, score, images[index], index, parameters))]
        if not merges:
            break
        best = max(merges, key=lambda merge: merge.step.psnr)
        canvas, score = best.image, best.step.diversity
        unused.remove(best.step.eigenimage)
        rounds.append(best.step)
    return Aggregation(canvas, base, contours, diversities, tuple(rounds), fell_back)


def enlarge(canvas: np.ndarray, side: int, parameters: AggregationParameters) -> np.ndarray:
    """Canvas as 8-bit grey, enlarged to ``side`` x ``side`` by cubic interpolation and inverted again if dark (Uddin26 1.5)."""
    grey = np.clip(canvas, 0.0, WHITE).astype(np.uint8).astype(np.float32)
    large = resize(grey, (side, side), order=3, mode="edge", anti_aliasing=False, preserve_range=True)
    return invert_if_dark(np.clip(large, 0.0, WHITE), parameters)


def _choose_base(contours: tuple[int, ...], diversities: tuple[float, ...], parameters: AggregationParameters) -> tuple[int, bool]:
    quiet = [index for index, count in enumerate(contours) if count <= parameters.base_contours]
    if quiet:
        return max(quiet, key=lambda index: diversities[index]), False
    return min(range(len(contours)), key=lambda index: contours[index]), True


def _try_merge(canvas: np.ndarray, score: float, image: np.ndarray, index: int, parameters: AggregationParameters) -> _Merge | None:
    """``canvas`` with ``image`` added, or None where the published conditions are not met."""
    data_range = float(np.ptp(canvas))
    if data_range == 0:
        return None
    ssim = likeness(canvas, image, data_range)
    if ssim <= parameters.merge_similarity:
        return None
    merged = minmax(canvas + image, WHITE)
    contours, spread = contour_count(merged), diversity(merged)
    if contours > parameters.merged_contours or spread < score:
        return None
    return _Merge(merged, MergeRound(index, ssim, _psnr(canvas, image, data_range), contours, spread))


def _psnr(canvas: np.ndarray, image: np.ndarray, data_range: float) -> float:
    with np.errstate(divide="ignore"):  # equal images: infinite, and the best there is
        return float(peak_signal_noise_ratio(canvas, image, data_range=data_range))
