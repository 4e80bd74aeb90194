"""Averages over mirrored copies of a tile: slower, steadier."""
from __future__ import annotations

import itertools

import numpy as np

from .tiled import TileFunction

ALL = sorted(itertools.product((False, True), repeat=3), key=sum)  # along z, y, x
VIEWS = {1: ALL[:1], 2: [ALL[0], ALL[-1]], 4: [mirror for mirror in ALL if not mirror[0]], 8: ALL}


def averaged_over_mirrors(function: TileFunction, views: int) -> TileFunction:
    """Mean of the answers to ``views`` (1, 2, 4 or 8) mirrored copies of tiles (n, z, y, x), each answer mirrored back.

    Two copies are the tile and its point reflection, four mirror y and x. A network's grid must have as many voxels left and right of
    the middle, as in tiles whose sides its cells divide.
    """

    def mean(tiles: np.ndarray) -> np.ndarray:
        answers = []
        for mirror in VIEWS[views]:
            axes = tuple(np.flatnonzero(mirror) - 3)
            answers.append(np.flip(function(np.ascontiguousarray(np.flip(tiles, axes))), axes))
        return np.mean(answers, axis=0)

    return mean
