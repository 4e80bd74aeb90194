"""What was found beside what anyone could find without learning, scored against the truth in the same slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..metrics.baselines import gaussian_otsu, hessian_sheets
from ..metrics.picking import hits_by_rank, precision_recall_f1
from ..metrics.segmentation import dice, surface_dice
from ..particles.table import in_slices
from ..picking.dog import difference_of_gaussians, sigma_for_diameter

Scores = dict[str, dict[str, float]]
OURS, AS_MANY, BEST_COUNT = "cryoetseg", "DoG, as many", "DoG, best count"
OTSU, SHEETS = "Gaussian + Otsu", "sheet filter"
EXCLUSION = 0.9  # of a diameter: two particles that touch are both kept
TOLERANCE_PX = 1.0


def compare_membranes(volume: np.ndarray, masks: Mapping[str, np.ndarray], truth: np.ndarray, z_range: tuple[int, int]) -> Scores:
    """:func:`membrane_scores` of the named masks and of the baselines of a volume (z, y, x) with bright particles."""
    return membrane_scores({**masks, **membrane_baselines(volume)}, truth, z_range)


def membrane_baselines(volume: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of Gaussian + Otsu and of a Hessian sheet filter on the whole volume (z, y, x), so that no method sees less of it."""
    return {OTSU: gaussian_otsu(volume), SHEETS: hessian_sheets(volume)}


def membrane_scores(masks: Mapping[str, np.ndarray], truth: np.ndarray, z_range: tuple[int, int]) -> Scores:
    """Dice and surface Dice (1 voxel) of the named masks (z, y, x) in slices ``z_range``."""
    window = slice(*z_range)
    return {name: _membrane_scores(found[window] > 0, truth[window] > 0) for name, found in masks.items()}


def _membrane_scores(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {"membrane Dice": dice(found, truth), "surface Dice": surface_dice(found, truth, TOLERANCE_PX)}


def compare_picks(
    volume: np.ndarray, points: Mapping[str, np.ndarray], truth: np.ndarray, z_range: tuple[int, int], diameter_px: float
) -> Scores:
    """:func:`pick_scores` of the named points and of the blobs of a volume (z, y, x) with bright particles."""
    return pick_scores(points, blobs(volume, diameter_px), truth, z_range, diameter_px)


def blobs(volume: np.ndarray, diameter_px: float) -> np.ndarray:
    """Points (n, 3) of a difference of Gaussians on the whole volume (z, y, x), best first."""
    return difference_of_gaussians(volume, sigma_for_diameter(diameter_px), exclusion_px=EXCLUSION * diameter_px).points


def pick_scores(
    points: Mapping[str, np.ndarray], ranked_blobs: np.ndarray, truth: np.ndarray, z_range: tuple[int, int], diameter_px: float
) -> Scores:
    """Precision, recall and F1, within a radius of the truth (m, 3), of the named points (n, 3) and of ranked blobs.

    Of the blobs as many as the first named points are taken, and, as a bound that needs the truth, as many as give the highest F1.
    Points are voxel centres (z, y, x); those outside ``z_range`` do not count on any side.
    """
    found = {name: _inside(picks, z_range) for name, picks in points.items()}
    expected = _inside(truth, z_range)
    peaks = _inside(ranked_blobs, z_range)
    found[AS_MANY] = peaks[: len(next(iter(found.values())))]
    found[BEST_COUNT] = peaks[: best_count(peaks, expected, diameter_px / 2)]
    return {name: _pick_scores(picks, expected, diameter_px / 2) for name, picks in found.items()}


def recalls(ranked: np.ndarray, known: np.ndarray, radius_px: float) -> np.ndarray:
    """Share of the known points (m, 3) that the first 1, 2, ... of ranked points (n, 3) find, each at most once; voxel centres."""
    return np.cumsum(hits_by_rank(ranked, known, radius_px)) / len(known)


def best_count(ranked: np.ndarray, truth: np.ndarray, radius_px: float) -> int:
    """How many of the ranked points (n, 3) to take for the highest F1 against the truth (m, 3)."""
    if not len(ranked) or not len(truth):
        return 0
    hits = np.cumsum(hits_by_rank(ranked, truth, radius_px))
    return int(np.argmax(2 * hits / (np.arange(1, len(ranked) + 1) + len(truth)))) + 1


def _inside(points: Any, z_range: tuple[int, int]) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    return points[in_slices(points, z_range)]


def _pick_scores(picks: np.ndarray, truth: np.ndarray, radius_px: float) -> dict[str, float]:
    scores = precision_recall_f1(picks, truth, radius_px)
    return {"precision": scores.precision, "recall": scores.recall, "particle F1": scores.f1}


def mean_scores(tables: list[Scores]) -> Scores:
    """The mean of each method's scores over several tomograms; scores that do not exist (NaN) are left out."""
    return {method: {name: _mean([table[method][name] for table in tables]) for name in row} for method, row in tables[0].items()}


def _mean(values: list[float]) -> float:
    existing = [value for value in values if not np.isnan(value)]
    return float(np.mean(existing)) if existing else float("nan")
