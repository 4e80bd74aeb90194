"""Putting the results of overlapping tiles together on disk, in bounded memory."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ..runtime.errors import ParameterError
from ..volumes.streaming import release_pages
from ..volumes.tiles import AxisPlan, Blending, Tile, axis_windows

LONGEST_SINGLE_SUM = 64  # terms whose float32 rounding stays below one in a million; beyond it the band is float64
Finish = Callable[[np.ndarray], np.ndarray]


class Writer(Protocol):
    """Takes the result of each tile, in reading order, and writes voxels as soon as they are final."""

    def add(self, tile: Tile, result: np.ndarray) -> None:
        """Take the result (channels, z, y, x) of one tile."""

    def close(self) -> None:
        """Write what is left."""


class CropWriter:
    """Each voxel comes from the one tile that owns it. Nothing is accumulated; values are not touched."""

    def __init__(self, target: Any, finish: Finish | None) -> None:
        self.target, self.finish, self.row = target, finish, 0

    def add(self, tile: Tile, result: np.ndarray) -> None:
        """Write the tile's core."""
        if tile.index[0] != self.row:
            self.row = tile.index[0]
            release_pages(self.target)
        write_block(self.target, tile.core, result[(slice(None), *tile.inner)], self.finish)

    def close(self) -> None:
        """Give mapped pages back."""
        release_pages(self.target)


class BandBlender:
    """Weighted mean of all tiles over a voxel, in a band that moves along z and is never thicker than one tile.

    The windows sum to one beforehand (``axis_windows``), so no second array of weights is kept.
    """

    def __init__(self, target: Any, plans: Sequence[AxisPlan], blending: Blending, finish: Finish | None) -> None:
        self.target, self.plans, self.finish = target, plans, finish
        self.windows = [axis_windows(plan, blending) for plan in plans]
        self.row, self.first = 0, 0
        self.dtype = np.float32 if np.prod([_most_tiles_over_a_voxel(plan) for plan in plans]) <= LONGEST_SINGLE_SUM else np.float64
        self.band = np.empty((0, 0, 0, 0), dtype=np.float32)

    def add(self, tile: Tile, result: np.ndarray) -> None:
        """Add the weighted tile to the band; a tile of a new row makes the planes before it final."""
        if not self.band.size:
            depth, height, width = min(self.plans[0].tile, self.plans[0].size), self.plans[1].size, self.plans[2].size
            self.band = np.zeros((len(result), depth, height, width), dtype=self.dtype)
        if tile.index[0] != self.row:
            self.row = tile.index[0]
            self._flush(max(0, self.plans[0].starts[self.row]))
        z, y, x = (window[number] for window, number in zip(self.windows, tile.index))
        weights = (z[:, None, None] * y[:, None] * x)[tile.inside]
        planes = slice(tile.source[0].start - self.first, tile.source[0].stop - self.first)
        self.band[(slice(None), planes, *tile.source[1:])] += result[(slice(None), *tile.inside)] * weights

    def close(self) -> None:
        """Write the planes that are left."""
        self._flush(self.plans[0].size)

    def _flush(self, stop: int) -> None:
        done = stop - self.first
        where = (slice(self.first, stop), slice(0, self.plans[1].size), slice(0, self.plans[2].size))
        if done > 0:
            write_block(self.target, where, self.band[:, :done], self.finish)
            release_pages(self.target)
        kept = self.band.shape[1] - done
        for plane in range(kept if done else 0):  # one by one: numpy would copy the whole band to move it onto itself
            self.band[:, plane] = self.band[:, plane + done]
        self.band[:, kept:] = 0
        self.first = stop


def _most_tiles_over_a_voxel(plan: AxisPlan) -> int:
    steps = [right - left for left, right in zip(plan.starts, plan.starts[1:])]
    return -(-plan.tile // min(steps)) if steps else 1


def write_block(target: Any, where: tuple[slice, ...], block: np.ndarray, finish: Finish | None) -> None:
    """Store (channels, z, y, x) values at the place ``where`` (z, y, x) of a target with or without a channel axis.

    ``finish`` sees the block first and may drop the channel axis (an argmax, a threshold). Integer targets get rounded, clipped
    values: a cast alone would turn 127.6 into 127 and 128 into -128.
    """
    values = np.asarray(block if finish is None else finish(block))
    if values.ndim == 4 and target.ndim == 3 and len(values) == 1:
        values = values[0]
    if values.ndim == 3 and target.ndim == 4:
        values = values[None]
    if values.ndim != target.ndim:
        raise ParameterError(f"a result with {values.shape[0]} channels does not fit a target of shape {tuple(target.shape)}",
                             "as many channels in the target as the function gives", "reduce the channels with finish=")
    target[where if target.ndim == 3 else (slice(None), *where)] = as_type(values, np.dtype(target.dtype))


def as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """``values`` in another type; floating values are rounded and clipped into an integer type's range."""
    if dtype.kind not in "iu" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
