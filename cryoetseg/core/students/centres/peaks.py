"""From hills to particles: the tops of the network's heat, their place between cells, and which of two too near ones stays."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from ...models.centre_unet3d import STRIDE
from ...particles.subvoxel import vertices
from .targets import BOUND, HEAT, LARGEST_PX, REFERENCE_PX, SMALLEST_PX, WIDTH

SLACK = 1.2  # estimated diameters may leave the range that is sought at a scale by this factor
NEAREST = 0.5  # of the larger diameter: closer picks are the same particle


class Centres(NamedTuple):
    """Found particles, best first: ``zyx`` (n, 3) and ``diameter`` (n,) in voxels, ``logit`` (n,) of the heat at the top or of the
    calibrated probability, ``bound`` (n,) probability that a membrane holds it."""

    zyx: np.ndarray
    diameter: np.ndarray
    logit: np.ndarray
    bound: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """Of ``logit``."""
        return _sigmoid(self.logit)

    def of(self, kept: np.ndarray) -> Centres:
        """Those that ``kept`` (n,) chooses, by truth or by index."""
        return Centres(*(column[kept] for column in self))

    def scaled(self, factor: float) -> Centres:
        """The same in voxels ``factor`` times as fine; outer faces of the volume coincide."""
        return self._replace(zyx=(self.zyx + 0.5) * factor - 0.5, diameter=self.diameter * factor)


def tops(answer: np.ndarray, lowest_logit: float) -> Centres:
    """All tops of an answer (3, z, y, x) on the network's grid whose heat reaches ``lowest_logit``, in voxels of the network's input.

    A top is a cell that none of its 26 neighbours exceeds. Its place is moved by the vertex of the parabola through its neighbours along
    each axis. Estimated diameters outside what is sought at this scale are dropped.
    """
    heat = answer[HEAT]
    cells = np.argwhere((heat >= lowest_logit) & (maximum_filter(heat, 3, mode="constant", cval=-np.inf) == heat))
    z, y, x = cells.T
    diameter = REFERENCE_PX * 2.0 ** answer[WIDTH][z, y, x].astype(np.float64)
    zyx = (cells + vertices(heat, cells)) * STRIDE + (STRIDE - 1) / 2
    found = Centres(zyx, diameter, heat[z, y, x].astype(np.float64), _sigmoid(answer[BOUND][z, y, x].astype(np.float64)))
    return found.of((diameter >= SMALLEST_PX / SLACK) & (diameter <= LARGEST_PX * SLACK))


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def joined(parts: list[Centres]) -> Centres:
    """All of them, best first."""
    together = Centres(*(np.concatenate(column) for column in zip(*parts)))
    return together.of(np.argsort(-together.logit, kind="stable"))


def without_doubles(centres: Centres, distance_px: float = 0.0) -> Centres:
    """Of centres nearer than ``distance_px`` voxels, or half the larger diameter when that is 0, the better one stays.

    ``centres`` are best first, as :func:`joined` gives them.
    """
    if not len(centres.zyx):
        return centres
    tree = cKDTree(centres.zyx)
    widest = distance_px or NEAREST * float(centres.diameter.max())
    dropped, kept = np.zeros(len(centres.zyx), dtype=bool), []
    for index, place in enumerate(centres.zyx):
        if dropped[index]:
            continue
        kept.append(index)
        near = np.array(tree.query_ball_point(place, widest), dtype=int)
        reach = distance_px or NEAREST * np.maximum(centres.diameter[near], centres.diameter[index])
        dropped[near[np.linalg.norm(centres.zyx[near] - place, axis=1) < reach]] = True
    return centres.of(np.array(kept))
