"""Label volumes from particle lists: a ball of its class around each particle, painted where and when it is read."""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ...particles.table import ParticleTable
from ...runtime.errors import InputError
from .data import LARGEST_CLASS


class BallLabels:
    """Class numbers (z, y, x) uint8 that behave as a read-only array; only what is asked for is painted.

    ``particles`` in voxels of their ``voxel_size``, each with a diameter (Angstrom). Where balls meet, a voxel belongs to the nearer
    centre, in units of the balls' radii.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, particles: ParticleTable, shape: tuple[int, ...]) -> None:
        if len(particles) and not 1 <= particles.class_id.min() <= particles.class_id.max() <= LARGEST_CLASS:
            raise InputError(f"particles of class {particles.class_id.min()} to {particles.class_id.max()}", f"1 to {LARGEST_CLASS}")
        self.shape = tuple(shape)
        self._zyx, self._classes = particles.zyx, particles.class_id
        self._radii = particles.diameters / 2 / particles.voxel_size
        self._tree = cKDTree(self._zyx)

    def __getitem__(self, where: Any) -> np.ndarray:
        """The labels of slices without a step, along one, two or three axes."""
        given = where if isinstance(where, tuple) else (where,)
        slices = (*given, *(slice(None),) * (3 - len(given)))
        bounds = [piece.indices(size)[:2] for piece, size in zip(slices, self.shape)]
        starts, extent = np.array([a for a, _ in bounds]), tuple(max(0, b - a) for a, b in bounds)
        painted = np.zeros(extent, np.uint8)
        nearest = np.full(extent, np.inf, np.float32)
        for index in self._touching(starts, np.array(extent)):
            _paint(painted, nearest, self._zyx[index] - starts, self._radii[index], self._classes[index])
        return painted

    def _touching(self, starts: np.ndarray, extent: np.ndarray) -> list[int]:
        reach = float(np.linalg.norm(extent)) / 2 + float(self._radii.max(initial=0.0))
        return sorted(self._tree.query_ball_point(starts + (extent - 1) / 2, reach)) if min(extent) else []


def _paint(painted: np.ndarray, nearest: np.ndarray, centre: np.ndarray, radius: float, value: int) -> None:
    low = np.maximum(np.ceil(centre - radius), 0).astype(int)
    high = np.minimum(np.floor(centre + radius) + 1, painted.shape).astype(int)
    if (high <= low).any():
        return
    window = tuple(slice(a, b) for a, b in zip(low, high))
    z, y, x = (((np.arange(a, b) - c) / radius) ** 2 for a, b, c in zip(low, high, centre))
    distance = (z[:, None, None] + y[:, None] + x).astype(np.float32)
    taken = (distance <= 1) & (distance < nearest[window])
    painted[window][taken] = value
    nearest[window][taken] = distance[taken]
