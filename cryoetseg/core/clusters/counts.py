"""Counts that mean something: concentrations in the sample, how far from chance particles lie to each other, and what scores promise."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..volumes.cleaned import CleanedView
from ..volumes.sample import find_sample
from .grouping import UNSURE

CUBIC_MICROMETRE = 1e12  # A^3
MICROMOLAR = 602.214  # particles in a cubic micrometre
RANDOM_POINTS = 20_000
FEWEST = 5  # particles of a tomogram below which their distances tell nothing
THRESHOLDS = np.round(np.arange(0.1, 1.0, 0.1), 1)
ALL = "all"


class Sample(NamedTuple):
    """The part of a tomogram that holds sample: its ``volume`` in A^3, random ``points`` (n, 3) in it in voxels, and whether it was
    ``found`` apart from the rest; where not, it is all that is valid."""

    volume: float
    points: np.ndarray
    found: bool


def sample_of(view: CleanedView, voxel_size: float, rng: np.random.Generator, count: int = RANDOM_POINTS) -> Sample:
    """Where sample is in a tomogram, by its local variance, with ``count`` points spread evenly over it."""
    region = find_sample(view.grey)
    cubes, extent = np.zeros((1, 3), dtype=np.intp), np.array(view.shape)
    if region is not None:
        cubes, extent = np.argwhere(region.mask), np.full(3, region.side)
    places, jitter = rng.integers(len(cubes), size=2 * count), rng.random((2 * count, 3))
    points = cubes[places] * extent + jitter * extent - 0.5
    kept = (points <= np.array(view.shape) - 0.5).all(axis=1)
    kept[kept] = view.valid_at(points[kept])
    drawn = len(cubes) * float(np.prod(extent, dtype=np.float64))
    return Sample(drawn * float(kept.mean()) * voxel_size**3, points[kept][:count], region is not None)


def concentrations(rows: pd.DataFrame, samples: dict[str, Sample]) -> pd.DataFrame:
    """One row for each tomogram and cluster, and one for all of its picks: number, concentration, and how many of them the scores, taken
    as probabilities, say are true."""
    table = []
    for name, own in rows.groupby("tilt_series_id", sort=False):
        sample = samples[str(name)]
        for number, part in [(ALL, own), *((number, part) for number, part in own.groupby("cluster"))]:
            per_volume = len(part) / (sample.volume / CUBIC_MICROMETRE)
            table.append({"tilt_series_id": name, "cluster": _called(number), "particles": len(part), "expected_true": _sum(part["score"]),
                          "sample_um3": sample.volume / CUBIC_MICROMETRE, "sample_found": sample.found, "per_um3": per_volume,
                          "micromolar": per_volume / MICROMOLAR})
    return pd.DataFrame(table)


def _called(number: object) -> str:
    return "unsure" if number == UNSURE else str(number)


def _sum(score: pd.Series) -> float:
    """What probabilities add up to; NaN for scores that are none."""
    values = score.to_numpy(dtype=float)
    return float(values.sum()) if are_probabilities(values) else float("nan")


def are_probabilities(score: np.ndarray) -> bool:
    """Whether scores (n,) can be taken as probabilities; none of no scores."""
    return len(score) > 0 and bool(((score >= 0) & (score <= 1)).all())


def promised(score: np.ndarray) -> pd.DataFrame:
    """Precision and recall at thresholds, as calibrated scores (n,) promise them: the mean of what is kept, and its share of all that
    the list holds. What the list does not hold, no score tells. Empty for scores that are no probabilities."""
    if not are_probabilities(score):
        return pd.DataFrame(columns=["threshold", "particles", "precision", "recall_of_listed"])
    kept = [score[score >= threshold] for threshold in THRESHOLDS if (score >= threshold).any()]
    return pd.DataFrame({"threshold": THRESHOLDS[:len(kept)], "particles": [len(part) for part in kept],
                         "precision": [part.mean() for part in kept], "recall_of_listed": [part.sum() / score.sum() for part in kept]})


def neighbour_curve(zyx: np.ndarray, sample_points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """How many neighbours particles have in shells between ``radii`` (m + 1,), over what even spreading would give: (m,).

    1 is chance, above 1 particles seek each other, below 1 they keep apart. ``zyx`` (n, 3) and points spread evenly over the sample
    (k, 3) in one unit; the latter take the sample's borders into account (Ripley's K by shells, with a Monte Carlo edge correction).
    """
    tree, even = cKDTree(zyx), cKDTree(sample_points)
    own = np.diff(tree.count_neighbors(tree, radii)).astype(float)
    expected = np.diff(tree.count_neighbors(even, radii)) * (len(zyx) - 1) / len(sample_points)
    return np.divide(own, expected, out=np.full(len(own), np.nan), where=expected > 0)


def neighbour_table(rows: pd.DataFrame, samples: dict[str, Sample], radii: np.ndarray) -> pd.DataFrame:
    """The curves of all clusters that have enough particles, each the mean over tomograms weighted by particles; radii in Angstrom."""
    table = []
    groups: Sequence[tuple[object, pd.DataFrame]] = [(ALL, rows), *rows.groupby("cluster")]
    for number, part in groups:
        curves, weights = [], []
        for name, own in part.groupby("tilt_series_id"):
            if len(own) >= FEWEST:
                size = float(own["voxel_size"].iloc[0])
                curves.append(neighbour_curve(own[["z", "y", "x"]].to_numpy() * size, samples[str(name)].points * size, radii))
                weights.append(len(own))
        if curves:
            mean = np.average(np.array(curves), axis=0, weights=weights)
            table += [{"cluster": _called(number), "from_A": a, "to_A": b, "times_chance": value}
                      for a, b, value in zip(radii, radii[1:], mean)]
    return pd.DataFrame(table, columns=["cluster", "from_A", "to_A", "times_chance"])
