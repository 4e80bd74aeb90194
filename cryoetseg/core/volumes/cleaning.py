"""What the grey values of a tomogram are and which of its voxels show sample at all, in at most two passes over the file.

The first pass looks at slices spread over the volume for median and deviation, the second at every voxel.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..runtime.progress import track
from .coarse import CoarseVolume
from .invalid import (
    COARSE_FLAT_SIDE,
    FLAT_SIDE,
    GOLD_DEVIATIONS,
    HALO,
    HOT_DEVIATIONS,
    SMOOTH_GOLD_DEVIATIONS,
    PackedMask,
    filled_voxels,
    gold,
    outlying,
    widened,
)
from .normalisation import RunningMoments, mean_and_deviation
from .streaming import release_pages

CLIPPED_DEVIATIONS = 5.0
BLENDED = 0.5  # deviations by which the mean of a slice beside padding differs where the fill was blended into it
MOST_GOLD = 0.02  # share of the voxels that are no fill above which what lies far out is structure
SAMPLED_SLICES, SAMPLED_VOXELS = 32, 1 << 18  # slices of the first pass, and voxels of each that are kept
NORMAL_QUARTER, NORMAL_PERCENTILES = 0.67449, 4.65270  # of a normal distribution: median of |x|, and percentile 99 - percentile 1
FINE_LEVELS = 24  # grey levels within a deviation of the median that make neighbours differ
SMOOTH = 0.35  # deviation between neighbours along x, over sqrt(2), as a share of the deviation, below which a volume is denoised
LEAST_SHOWN = 0.05  # share of voxels that are not constant squares below which a volume is free of noise
MOST_ENCLOSED = 0.2  # share of constant voxels with sample on all four sides above which a volume is free of noise, not padded
SLAB_BYTES = 32 * 1024**2


@dataclass(frozen=True, eq=False)
class GreyValues:
    """Grey values of a volume (z, y, x) on the scale of its file, from valid voxels only.

    ``median`` and ``robust_deviation`` ignore what lies far out; ``mean`` and ``deviation`` are those of the voxels clipped between
    ``low`` and ``high``. ``fills`` are the values of borders and empty corners. ``invalid`` is None where every voxel is valid.
    ``coarse`` is the clipped volume averaged over cubes.
    """

    shape: tuple[int, ...]
    median: float
    robust_deviation: float
    mean: float
    deviation: float
    fills: tuple[float, ...] = ()
    filled_share: float = 0.0
    gold_share: float = 0.0
    invalid: PackedMask | None = None
    coarse: CoarseVolume | None = None

    @property
    def low(self) -> float:
        """Smallest value after clipping."""
        return self.median - CLIPPED_DEVIATIONS * self.robust_deviation

    @property
    def high(self) -> float:
        """Largest value after clipping."""
        return self.median + CLIPPED_DEVIATIONS * self.robust_deviation

    @property
    def invalid_share(self) -> float:
        """Share of the voxels that show no sample."""
        return self.filled_share + self.gold_share


class _Centre(NamedTuple):
    """What the first pass found: where the grey values lie, and how large the constant squares are that are fills."""

    median: float
    deviation: float
    flat_side: int
    is_smooth: bool


def examine(array: Any, description: str = "grey values") -> GreyValues:
    """Look through a volume (z, y, x), in memory or mapped, for its grey values and its invalid voxels.

    Invalid are constant squares of 5 x 5 voxels of a slice with what is connected to them and one voxel around, values that are no
    numbers, and gold and hot voxels (at most 2 % of the others) with two voxels around. Volumes free of noise, whose backgrounds are
    constant as well, are taken as they are; a constant one has deviation 0.
    """
    centre = _first_pass(array)
    if centre is None or not centre.deviation > 0:
        return unexamined(array)
    return _Examination(array, centre, description).result()


def unexamined(array: Any) -> GreyValues:
    """Plain mean and deviation of a volume, every voxel valid and nothing clipped: what the published methods do."""
    mean, deviation = mean_and_deviation(array)
    return GreyValues(tuple(array.shape), mean, np.inf if deviation > 0 else 0.0, mean, deviation)


def standardisation(grey: GreyValues) -> tuple[float, float]:
    """Offset and divisor that bring a volume to the scale of the networks, the same in training and application."""
    return grey.mean, grey.deviation


def _first_pass(array: Any) -> _Centre | None:
    """None for a volume that is free of noise, whose constant squares mean nothing."""
    values, steps, enclosed, hull, shown, total = [], [], 0, 0, 0, 0
    side = _flat_side(np.asarray(array[array.shape[0] // 2]))
    for plane in spread_slices(array):
        filled, _ = filled_voxels(plane, side)
        valid = np.ones(plane.shape, bool) if filled is None else ~filled
        around = _enclosed(valid)
        enclosed, hull = enclosed + int((around & ~valid).sum()), hull + int(around.sum())
        values.append(_thinned(plane, valid))
        both = valid[:, 1:] & valid[:, :-1]
        steps.append(_thinned(np.subtract(plane[:, 1:], plane[:, :-1], dtype=np.float32), both))
        shown, total = shown + int(valid.sum()), total + valid.size
    if enclosed > MOST_ENCLOSED * hull or shown < LEAST_SHOWN * total:
        return None
    return _centre(np.concatenate(values), np.concatenate(steps), side)


def spread_slices(array: Any) -> Iterator[np.ndarray]:
    """At most 32 slices (y, x) of a volume (z, y, x), from the first to the last."""
    depth = array.shape[0]
    for z in np.unique(np.linspace(0, depth - 1, min(depth, SAMPLED_SLICES)).round().astype(int)):
        yield np.asarray(array[int(z)])
        release_pages(array)


def _flat_side(plane: np.ndarray) -> int:
    """How large squares of one value are before they cannot be chance."""
    levels, counts = np.unique(plane[np.isfinite(plane)], return_counts=True)
    if len(levels) < 3:
        return FLAT_SIDE
    frequent = int(np.argmax(counts))  # may well be the fill
    levels, counts = np.delete(levels, frequent), np.delete(counts, frequent)
    low, high = np.searchsorted(np.cumsum(counts) / counts.sum(), (0.16, 0.84))  # one deviation on both sides
    return FLAT_SIDE if high - low >= FINE_LEVELS else COARSE_FLAT_SIDE


def _centre(values: np.ndarray, steps: np.ndarray, flat_side: int) -> _Centre:
    low, median, high = (float(value) for value in np.percentile(values, (1, 50, 99)))
    spread = float(np.median(np.abs(values - np.float32(median)))) / NORMAL_QUARTER
    # denoised or nearly constant values have a tiny median deviation: the percentiles then tell more
    deviation = max(spread, (high - low) / NORMAL_PERCENTILES) or float(values.std(dtype=np.float64))
    rough = float(np.median(np.abs(steps))) / NORMAL_QUARTER / np.sqrt(2) if steps.size else 0.0
    return _Centre(median, deviation, flat_side, rough < SMOOTH * deviation)


def _thinned(plane: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    values = plane[wanted].astype(np.float32)
    return values[:: -(-values.size // SAMPLED_VOXELS) or 1]


def _enclosed(valid: np.ndarray) -> np.ndarray:
    """Voxels (y, x) between valid ones along both axes."""
    spans = [np.logical_or.accumulate(valid, axis) & np.flip(np.logical_or.accumulate(np.flip(valid, axis), axis), axis) for axis in (0, 1)]
    return spans[0] & spans[1]


class _Plane(NamedTuple):
    """A slice (y, x): its values, what is a fill or no number, and whether anything else lies as far out as gold."""

    values: np.ndarray
    filled: np.ndarray | None
    is_outlying: bool


class _Examination:
    """The second pass: slab by slab with a few slices on both sides, each slice read once."""

    def __init__(self, array: Any, centre: _Centre, description: str) -> None:
        self._array, self._centre, self._description = array, centre, description
        self._grey = GreyValues(tuple(array.shape), centre.median, centre.deviation, 0.0, 1.0)
        self._filled, self._gold = PackedMask(array.shape), PackedMask(array.shape)
        self._fills: dict[float, None] = {}
        self._plain, self._golden = RunningMoments(), RunningMoments()  # of the sample without, and of what might be gold
        self._coarse = CoarseVolume.empty(array.shape)
        self._gold_counts = True
        self._gold_limit = SMOOTH_GOLD_DEVIATIONS if centre.is_smooth else GOLD_DEVIATIONS
        self._planes: dict[int, _Plane] = {}

    def result(self) -> GreyValues:
        for first, last in self._slabs():
            self._examine(first, last)
        total = float(np.prod(self._array.shape, dtype=np.int64))
        sample = self._plain.count + self._golden.count
        gold_share = self._golden.count / total if self._gold_counts and self._golden.count <= MOST_GOLD * sample else 0.0
        filled_share = 1 - (self._plain.count + self._golden.count) / total
        if gold_share > 0:
            self._filled.join(self._gold)
        else:
            self._plain.join(self._golden.count, self._golden.mean, self._golden.squares)
        any_invalid = filled_share + gold_share > 0
        mean = self._plain.mean + self._grey.median
        return GreyValues(self._grey.shape, self._grey.median, self._grey.robust_deviation, mean, self._plain.deviation,
                          tuple(self._fills), filled_share, gold_share, self._filled if any_invalid else None, self._coarse)

    def _slabs(self) -> Iterator[tuple[int, int]]:
        """First and last + 1 slice of each slab, once they are read with up to HALO slices on both sides."""
        depth, plane_bytes = self._array.shape[0], 4 * int(np.prod(self._array.shape[1:]))
        thickness = max(4, SLAB_BYTES // plane_bytes)
        for first in track(range(0, depth, thickness), self._description):
            last = min(first + thickness, depth)
            for z in range(max(0, first - HALO), min(depth, last + HALO)):
                if z not in self._planes:
                    self._planes[z] = self._read(z)
            for z in [z for z in self._planes if z < first - HALO]:
                del self._planes[z]
            release_pages(self._array)
            yield first, last

    def _read(self, z: int) -> _Plane:
        values = np.array(self._array[z])
        filled, fills = filled_voxels(values, self._centre.flat_side)
        self._fills.update(dict.fromkeys(fills))
        reach = min(self._gold_limit, HOT_DEVIATIONS) * self._centre.deviation
        return _Plane(values, filled, outlying(values, filled, self._centre.median, reach))

    def _grown(self, z: int) -> np.ndarray | None:
        near = [self._planes[number].filled for number in (z - 1, z, z + 1) if number in self._planes]
        padding = [plane is not None and plane is not self._planes[z].filled and bool(plane.all()) for plane in near]
        if any(padding) and self._has_grey_of_sample(z):  # slices that were added whole leave the one beside them as it was
            near = [plane for plane, is_padding in zip(near, padding) if not is_padding]
        return widened(near)

    def _has_grey_of_sample(self, z: int) -> bool:
        """Whether the mean of a slice lies so near the sample's that no fill was blended into it by resampling along z."""
        plane = self._planes[z]
        values = plane.values if plane.filled is None else plane.values[~plane.filled]
        return values.size > 0 and abs(float(values.mean(dtype=np.float64)) - self._centre.median) < BLENDED * self._centre.deviation

    def _examine(self, first: int, last: int) -> None:
        found = self._gold_about(first, last) if self._gold_counts else None
        for z in range(first, last):
            self._take(z, self._planes[z].values, self._grown(z), None if found is None else found[z - first])
        if self._golden.count > MOST_GOLD * np.prod(self._array.shape, dtype=np.int64):
            self._gold_counts, self._gold = False, PackedMask(self._array.shape)

    def _gold_about(self, first: int, last: int) -> np.ndarray | None:
        """Gold and hot voxels (z, y, x) of a slab; None where nothing lies far out in it or beside it."""
        if not any(plane.is_outlying for plane in self._planes.values()):
            return None
        numbers = sorted(self._planes)
        window = np.stack([self._planes[z].values.astype(np.float32) for z in numbers])
        grown = [self._grown(z) for z in numbers]
        mask = np.stack([np.zeros(window.shape[1:], bool) if plane is None else plane for plane in grown])
        found = gold(window, mask, self._centre.median, self._centre.deviation, self._gold_limit)
        return None if found is None else found[first - numbers[0]:last - numbers[0]]

    def _take(self, z: int, plane: np.ndarray, filled: np.ndarray | None, found: np.ndarray | None) -> None:
        # about the median, where sums in single precision lose nothing
        plane = np.clip(plane.astype(np.float32), self._grey.low, self._grey.high)
        plane -= np.float32(self._grey.median)
        valid: np.ndarray | None = None
        if filled is not None:
            valid = ~filled
            self._filled.add(z, filled)
        if found is not None:
            golden = found if filled is None else found & ~filled
            self._gold.add(z, golden)
            self._golden.add(plane[golden])
            valid = ~golden if valid is None else valid & ~golden
        self._plain.add(plane if valid is None else plane[valid])
        self._coarse.add(z, plane + np.float32(self._grey.median), valid)
