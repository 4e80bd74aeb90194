"""Scores of picks by the size of the true particles: one number over all sizes hides that small ones are not found."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from .picking import TOLERANCE, curve_from_hits, hits_by_rank


class SizeScores(NamedTuple):
    """Particles of one range of diameters: how many are true, the recall of all picks, the average precision (NaN without scores)."""

    truth_count: int
    recall: float
    average_precision: float


class SizedPicks(NamedTuple):
    """Picks (n, 3) of one tomogram with scores (n,), and its true particles (m, 3) with diameters (m,) in Angstrom; voxels otherwise."""

    predicted_zyx: Any
    scores: Any
    truth_zyx: Any
    diameters: Any


def scores_by_size(tomograms: Sequence[SizedPicks], limits: Sequence[float], radius: float) -> dict[str, SizeScores]:
    """Scores of all tomograms together for each range of diameters between ascending ``limits`` in Angstrom, ends open.

    A pick that lies within ``radius`` voxels of a true particle of another size only is no false positive of this size: it is left out.
    """
    bounds = [0.0, *limits, np.inf]
    return {_name(low, high): _of_one_size(tomograms, low, high, radius) for low, high in zip(bounds[:-1], bounds[1:])}


def _of_one_size(tomograms: Sequence[SizedPicks], low: float, high: float, radius: float) -> SizeScores:
    scores, hits, count = [np.zeros(0)], [np.zeros(0, bool)], 0
    for item in tomograms:
        truth, diameters = np.asarray(item.truth_zyx, float).reshape(-1, 3), np.asarray(item.diameters, float)
        own = (diameters >= low) & (diameters < high)
        order = np.argsort(-np.nan_to_num(np.asarray(item.scores, float), nan=-np.inf), kind="stable")
        predicted, score = np.asarray(item.predicted_zyx, float).reshape(-1, 3)[order], np.asarray(item.scores, float)[order]
        counts = _near(predicted, truth[own], radius) | ~_near(predicted, truth[~own], radius)
        scores.append(score[counts])
        hits.append(hits_by_rank(predicted[counts], truth[own], radius))
        count += int(own.sum())
    ranked = np.concatenate(scores)
    order = np.argsort(-np.nan_to_num(ranked, nan=-np.inf), kind="stable")
    curve = curve_from_hits(np.concatenate(hits)[order], ranked[order], count)
    found = int(np.concatenate(hits).sum())
    average = curve.average_precision if np.isfinite(ranked).all() else float("nan")
    return SizeScores(count, found / count if count else float("nan"), average)


def _near(points: np.ndarray, others: np.ndarray, radius: float) -> np.ndarray:
    """Which points lie within ``radius`` of one of the others, inclusive."""
    if len(points) == 0 or len(others) == 0:
        return np.zeros(len(points), bool)
    return cKDTree(others).query(points)[0] <= radius + TOLERANCE


def _name(low: float, high: float) -> str:
    if low == 0:
        return f"below {high:g} A" if np.isfinite(high) else "all sizes"
    return f"{low:g} to {high:g} A" if np.isfinite(high) else f"from {low:g} A"
