"""Grey values: mean and standard deviation, exact quantiles of any number of voxels, standardising and stretching.

Everything streams in slabs, so memory-mapped volumes work, and counts are exact beyond 2**24 voxels, where other tools' quantiles
refuse or round.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..runtime.errors import ParameterError
from .streaming import read_slabs


class RunningMoments:
    """Number, mean and squared deviations of values that come in parts, joined by the pairwise update of Chan, Golub and LeVeque (1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, values: np.ndarray) -> None:
        """Float32 values of one slice, not far from 0: single precision holds the sums of so few."""
        if values.size:
            mean = float(values.sum()) / values.size
            self.join(values.size, mean, float(np.vdot(values, values)) - values.size * mean**2)

    def join(self, count: int, mean: float, squares: float) -> None:
        """Take in ``count`` values by their mean and the sum of their squared deviations from it."""
        total = self.count + count
        if count:
            self.squares += max(squares, 0.0) + (mean - self.mean) ** 2 * self.count * count / total
            self.mean += (mean - self.mean) * count / total
            self.count = total

    @property
    def deviation(self) -> float:
        """Population standard deviation; 0 of no values."""
        return float(np.sqrt(self.squares / self.count)) if self.count else 0.0


def mean_and_deviation(array: Any) -> tuple[float, float]:
    """Mean and population standard deviation in double precision, streamed; accurate far from zero too."""
    found = RunningMoments()
    for slab in read_slabs(array):
        values = slab.astype(np.float64)
        mean = float(values.mean())
        values -= mean
        found.join(values.size, mean, float(np.vdot(values, values)))
    return found.mean, found.deviation


def quantiles(array: Any, fractions: Sequence[float]) -> list[float]:
    """Exact quantiles with linear interpolation, as ``numpy.quantile`` gives, in bounded memory for any number of voxels.

    Values are compared as float32, whose bit patterns sort like integers: one pass counts their upper 16 bits, a second the lower
    16 bits of the few bins that hold the wanted ranks.
    """
    if not all(0 <= fraction <= 1 for fraction in fractions):
        raise ParameterError(f"quantile fractions {list(fractions)}", "0 to 1")
    count = int(np.prod(array.shape, dtype=np.int64))
    positions = [fraction * (count - 1) for fraction in fractions]
    ranks = sorted({rank for position in positions for rank in (int(np.floor(position)), int(np.ceil(position)))})
    values = dict(zip(ranks, _order_statistics(array, ranks)))
    results = []
    for position in positions:
        low, high = values[int(np.floor(position))], values[int(np.ceil(position))]
        results.append(low if low == high else low + (high - low) * (position - np.floor(position)))
    return results


def _order_statistics(array: Any, ranks: list[int]) -> list[float]:
    upper = np.zeros(1 << 16, dtype=np.int64)
    for keys in map(_sortable, read_slabs(array)):
        upper += np.bincount(keys >> 16, minlength=1 << 16)
    below = np.cumsum(upper) - upper
    bins = np.searchsorted(np.cumsum(upper), ranks, side="right")
    lower = {int(number): np.zeros(1 << 16, dtype=np.int64) for number in bins}
    for keys in map(_sortable, read_slabs(array)):
        for number, counts in lower.items():
            counts += np.bincount(keys[keys >> 16 == number] & 0xFFFF, minlength=1 << 16)
    found = []
    for rank, number in zip(ranks, bins):
        within = np.searchsorted(np.cumsum(lower[int(number)]), rank - below[number], side="right")
        found.append(_value_of(int(number) << 16 | int(within)))
    return found


def _sortable(slab: np.ndarray) -> np.ndarray:
    """Unsigned keys in the order of the values: negative numbers have all bits turned, positive ones the sign bit."""
    bits = np.ascontiguousarray(slab, dtype=np.float32).reshape(-1).view(np.uint32)
    return bits ^ np.where(bits >> 31, np.uint32(0xFFFFFFFF), np.uint32(0x80000000))


def _value_of(key: int) -> float:
    bits = key ^ (0x80000000 if key >> 31 else 0xFFFFFFFF)
    return float(np.array(bits, dtype=np.uint32).view(np.float32))


def standardise(array: Any) -> np.ndarray:
    """Float32 copy with mean 0 and standard deviation 1; a constant array becomes zeros."""
    mean, deviation = mean_and_deviation(array)
    return scaled(array, mean, deviation)


def stretch(array: Any, low: float = 0.5, high: float = 99.5) -> np.ndarray:
    """Float32 copy in which the percentiles ``low`` and ``high`` lie at 0 and 1 and what is beyond them is clipped.

    ``low = 0, high = 100`` is the min-max stretch of the published slab preparation (Uddin26 1.2), which one hot pixel compresses.
    A constant array becomes zeros.
    """
    if not 0 <= low < high <= 100:
        raise ParameterError(f"percentiles {low} and {high}", "0 <= low < high <= 100")
    bottom, top = quantiles(array, [low / 100, high / 100])
    result = scaled(array, bottom, top - bottom)
    return np.clip(result, 0, 1, out=result)


def scaled(array: Any, offset: float, divisor: float) -> np.ndarray:
    """``(array - offset) / divisor`` as float32; zeros where the divisor vanishes."""
    result = np.array(array, dtype=np.float32)
    if divisor <= 0 or not np.isfinite(divisor):
        result[...] = 0
        return result
    result -= np.float32(offset)
    result /= np.float32(divisor)
    return result
