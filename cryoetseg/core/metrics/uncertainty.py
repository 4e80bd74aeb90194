"""How sure scores are, and how honest: bootstrap intervals and calibration."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Interval(NamedTuple):
    """A value with the bounds of its confidence interval."""

    value: float
    low: float
    high: float


class Calibration(NamedTuple):
    """Predictions in bins of equal count by score: mean score, share of hits and number in each; ``error`` is the expected calibration
    error (mean distance of score and share, weighted by number; Naeini et al. 2015), meaningful for scores that mean probabilities."""

    score: np.ndarray
    precision: np.ndarray
    counts: np.ndarray
    error: float


def bootstrap_interval(units: Any, statistic: Callable[[np.ndarray], float], generator: np.random.Generator, repeats: int = 1000,
                       level: float = 0.95) -> Interval:
    """Percentile bootstrap (Efron 1979) of ``statistic(units)``: independent units (n, ...) are drawn again with replacement.

    Units should be as independent as can be had: tomograms, else blocks of slices, else single particles.
    """
    units = np.asarray(units)
    value = float(statistic(units))
    if len(units) < 2:
        return Interval(value, float("nan"), float("nan"))
    draws = generator.integers(0, len(units), size=(repeats, len(units)))
    values = np.array([statistic(units[draw]) for draw in draws])
    tail = (1 - level) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def blocks_of_slices(counts: np.ndarray, thickness: int = 8) -> np.ndarray:
    """Counts (z, k) summed over blocks of neighbouring slices, which are far more alike than independent units may be."""
    edges = np.arange(0, len(counts), thickness)
    return np.add.reduceat(counts, edges, axis=0)


def calibration(scores: Any, hits: Any, bins: int = 10) -> Calibration:
    """Reliability of scores (n,) against hits (n,) bool, in at most ``bins`` bins of equal count."""
    scores, hits = np.asarray(scores, dtype=np.float64), np.asarray(hits, dtype=bool)
    order = np.argsort(scores, kind="stable")
    groups = [group for group in np.array_split(order, min(bins, max(1, len(order)))) if len(group)]
    means = np.array([scores[group].mean() for group in groups])
    shares = np.array([hits[group].mean() for group in groups])
    counts = np.array([len(group) for group in groups])
    error = float((np.abs(means - shares) * counts).sum() / counts.sum()) if groups else float("nan")
    return Calibration(means, shares, counts, error)
