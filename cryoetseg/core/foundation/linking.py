"""Joining detections of neighbouring slabs into particles: one particle shows in many slices, each of which votes (spec 1.8)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from .filters import keep_best

LONGEST = 1.5  # diameters a particle may reach along z; more is a neighbour above, or a wall


@dataclass(frozen=True)
class Linked:
    """Particles: positions (n, 3) in voxels (z, y, x), scores, and in how many slabs each was seen."""

    zyx: np.ndarray
    score: np.ndarray
    slabs: np.ndarray


@dataclass(eq=False)
class _Track:
    z: list[float] = field(default_factory=list)
    yx: list[np.ndarray] = field(default_factory=list)
    score: list[float] = field(default_factory=list)

    def add(self, z: float, yx: np.ndarray, score: float) -> None:
        self.z.append(z)
        self.yx.append(yx)
        self.score.append(score)

    def mean(self) -> np.ndarray:
        """Score-weighted mean position (z, y, x); plain where no score is positive."""
        weights = np.asarray(self.score) + 1e-6
        return np.average(np.column_stack([self.z, np.array(self.yx)]), axis=0, weights=weights)


def link_detections(
    z: Sequence[float],
    detections: Sequence[tuple[np.ndarray, np.ndarray]],
    diameter_px: float,
    radius: float = 0.5,
    fewest_slabs: int = 3,
    slab_step: int = 1,
) -> Linked:
    """Link the detections (positions (n, 2), scores (n,)) of slabs at ascending ``z`` into particles, all in voxels.

    A detection joins the track whose mean position lies within ``radius`` diameters, by the assignment of least total distance; a
    track ends after one slab without a detection is followed by another, or at 1.5 diameters. Tracks of ``fewest_slabs`` slabs give a
    particle at their score-weighted mean; of particles closer than ``radius`` diameters the better-scored stays. The score of a
    particle is the sum over its slabs over the slabs its diameter spans, so one seen throughout beats one bright speck.
    """
    open_tracks: list[_Track] = []
    closed: list[_Track] = []
    for height, (yx, scores) in zip(z, detections):
        ended = [track for track in open_tracks if _has_ended(track, height, diameter_px, slab_step)]
        open_tracks = [track for track in open_tracks if track not in ended]
        closed += ended
        open_tracks += _extend(open_tracks, height, np.asarray(yx, float).reshape(-1, 2), np.asarray(scores, float), radius * diameter_px)
    long_enough = [track for track in [*closed, *open_tracks] if len(track.z) >= fewest_slabs]
    return _particles(long_enough, diameter_px, radius, slab_step)


def _has_ended(track: _Track, height: float, diameter_px: float, slab_step: int) -> bool:
    return height - track.z[-1] > 2 * slab_step or height - track.z[0] >= math.ceil(LONGEST * diameter_px)


def _extend(tracks: list[_Track], height: float, yx: np.ndarray, scores: np.ndarray, reach: float) -> list[_Track]:
    """Add detections to the tracks they belong to; returns new tracks for the others."""
    taken: set[int] = set()
    if tracks and len(yx):
        distances = cdist(np.array([track.mean()[1:] for track in tracks]), yx)
        # far pairs cost alike, so that near pairs are never given up for them
        for row, column in zip(*linear_sum_assignment(np.where(distances <= reach, distances, 1e3 * (reach + 1)))):
            if distances[row, column] <= reach:
                tracks[row].add(height, yx[column], float(scores[column]))
                taken.add(int(column))
    started = []
    for index in range(len(yx)):
        if index not in taken:
            track = _Track()
            track.add(height, yx[index], float(scores[index]))
            started.append(track)
    return started


def _particles(tracks: list[_Track], diameter_px: float, radius: float, slab_step: int) -> Linked:
    zyx = np.array([track.mean() for track in tracks]).reshape(-1, 3)
    spanned = max(1.0, diameter_px / slab_step)
    scores = np.array([sum(track.score) / spanned for track in tracks], float)
    slabs = np.array([len(track.z) for track in tracks], int)
    kept = keep_best(zyx, scores, radius * diameter_px)
    return Linked(zyx[kept], scores[kept], slabs[kept])
