"""Averages over mirrored copies of a tile: slower, steadier."""
from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from .tiled import TileFunction

Axes = tuple[int, ...]  # that are turned round, counted from the last one

_ALL: list[Axes] = sorted((axes for count in range(4) for axes in itertools.combinations((-3, -2, -1), count)), key=len)
VIEWS = {1: _ALL[:1], 2: [_ALL[0], _ALL[-1]], 4: [axes for axes in _ALL if -3 not in axes], 8: _ALL}  # 2: with its point reflection


def averaged_over_mirrors(function: TileFunction, mirrors: Sequence[Axes]) -> TileFunction:
    """Mean of the answers to copies of tiles (n, z, y, x), each mirrored along the axes that one of ``mirrors`` names and mirrored back.

    A network's grid must have as many voxels left and right of the middle, as in tiles whose sides its cells divide.
    """

    def mean(tiles: np.ndarray) -> np.ndarray:
        return np.mean([np.flip(function(np.ascontiguousarray(np.flip(tiles, axes))), axes) for axes in mirrors], axis=0)

    return mean
