"""The score of the CZII challenge "CryoET Object Identification" (Kaggle 2024; Peck et al. 2025) and of POPSICLE's localisation tasks.

A pick hits a true particle of its object within half the particle's radius. Counts are pooled over all tomograms for each object, F-beta
with beta 4 is taken for each, and the score is its mean weighted by how hard the object is.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

BETA, REACH = 4.0, 0.5  # a hit lies within REACH of the particle's radius


class Wanted(NamedTuple):
    """An object that counts: radius in Angstrom, weight in the mean."""

    radius: float
    weight: float = 1.0


# radii and weights of the challenge; beta-amylase was in the data and did not count
CZII = {"apo-ferritin": Wanted(60.0), "beta-galactosidase": Wanted(90.0, 2.0), "ribosome": Wanted(150.0),
        "thyroglobulin": Wanted(130.0, 2.0), "virus-like-particle": Wanted(135.0)}  # fmt: skip


class Counts(NamedTuple):
    """Hits, picks that are none, and particles that were missed."""

    hits: int = 0
    wrong: int = 0
    missed: int = 0

    def plus(self, other: Counts) -> Counts:
        """The counts of both together."""
        return Counts(*(mine + its for mine, its in zip(self, other)))


def challenge_counts(predicted: Any, truth: Any, reach: float) -> Counts:
    """Counts of one object in one tomogram; points (n, 3) in the unit of ``reach``.

    As in the challenge a hit is a true particle with at least one pick within ``reach``, and the picks beyond the number of hits are
    wrong: several picks on one particle are punished, and a pick between two particles hits both.
    """
    picks, particles = (np.asarray(points, dtype=np.float64).reshape(-1, 3) for points in (predicted, truth))
    near = cKDTree(particles).query_ball_tree(cKDTree(picks), reach) if len(picks) and len(particles) else []
    hits = sum(bool(found) for found in near)
    return Counts(hits, len(picks) - hits, len(particles) - hits)


def f_beta(counts: Counts, beta: float = BETA) -> float:
    """(1 + beta^2) P R / (beta^2 P + R); 0 without a hit."""
    hits, wrong, missed = counts
    return (1 + beta**2) * hits / ((1 + beta**2) * hits + beta**2 * missed + wrong) if hits else 0.0


def challenge_score(counts: Mapping[str, Counts], objects: Mapping[str, Wanted] = CZII, beta: float = BETA) -> float:
    """Mean of F-beta over ``objects`` by their weights; an object without counts has nothing found."""
    weights = [wanted.weight for wanted in objects.values()]
    return float(np.average([f_beta(counts.get(name, Counts()), beta) for name in objects], weights=weights))
