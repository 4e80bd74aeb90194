"""What was found beside what anyone could find without learning, scored against the truth in the same slices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..metrics.baselines import gaussian_otsu, hessian_sheets
from ..metrics.picking import precision_recall_f1
from ..metrics.segmentation import dice, surface_dice
from ..picking.dog import difference_of_gaussians, sigma_for_diameter

Scores = dict[str, dict[str, float]]
OURS = "cryoetseg"
EXCLUSION = 0.9  # of a diameter: two particles that touch are both kept
TOLERANCE_PX = 1.0


def compare_membranes(volume: np.ndarray, mask: np.ndarray, truth: np.ndarray, z_range: tuple[int, int]) -> Scores:
    """Dice and surface Dice (1 voxel) of our mask, Gaussian + Otsu and a Hessian sheet filter, in slices ``z_range``.

    All volumes are (z, y, x); ``volume`` has bright particles and is filtered as a whole, so that no method sees less of it.
    """
    masks = {OURS: mask, "Gaussian + Otsu": gaussian_otsu(volume), "sheet filter": hessian_sheets(volume)}
    window = slice(*z_range)
    return {name: _membrane_scores(found[window] > 0, truth[window] > 0) for name, found in masks.items()}


def _membrane_scores(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {"membrane Dice": dice(found, truth), "surface Dice": surface_dice(found, truth, TOLERANCE_PX)}


def compare_picks(volume: np.ndarray, points: np.ndarray, truth: np.ndarray, z_range: tuple[int, int], diameter_px: float) -> Scores:
    """Precision, recall and F1 of our points (n, 3) and of as many by a difference of Gaussians, within a radius of the truth (m, 3).

    Points are voxel centres (z, y, x); those outside ``z_range`` do not count on any side.
    """
    ours, expected = _inside(points, z_range), _inside(truth, z_range)
    peaks = difference_of_gaussians(volume, sigma_for_diameter(diameter_px), exclusion_px=EXCLUSION * diameter_px).points
    found = {OURS: ours, "DoG, as many": _inside(peaks, z_range)[: len(ours)]}
    return {name: _pick_scores(picks, expected, diameter_px / 2) for name, picks in found.items()}


def _inside(points: Any, z_range: tuple[int, int]) -> np.ndarray:
    points = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    first, last = z_range
    return points[(points[:, 0] >= first - 0.5) & (points[:, 0] < last - 0.5)]


def _pick_scores(picks: np.ndarray, truth: np.ndarray, radius_px: float) -> dict[str, float]:
    scores = precision_recall_f1(picks, truth, radius_px)
    return {"precision": scores.precision, "recall": scores.recall, "particle F1": scores.f1}


def mean_scores(tables: list[Scores]) -> Scores:
    """The mean of each method's scores over several tomograms; scores that do not exist (NaN) are left out."""
    return {
        method: {name: float(np.nanmean([table[method][name] for table in tables])) for name in row} for method, row in tables[0].items()
    }
