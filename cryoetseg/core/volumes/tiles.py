"""Cutting a volume into overlapping tiles, and the windows that put results together again.

Tiles of one size are spread evenly, never a short last one. Along each axis a tile owns the voxels up to the middle of its overlaps
(its core; cores touch and never overlap), and the windows of all tiles sum to one at every voxel.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np

from ..runtime.errors import ParameterError

Blending = Literal["crop", "cosine", "gaussian"]
Border = Literal["inside", "reflect", "zero"]
GAUSSIAN_SIGMA = 0.125  # of the tile's edge
SMALLEST_WEIGHT = 1e-3  # a corner weight that rounds to zero would divide by zero after normalising


@dataclass(frozen=True)
class AxisPlan:
    """Tiles along one axis of ``size`` voxels: where each starts (negative: in the padding), its extent, and its core."""

    size: int
    tile: int
    starts: tuple[int, ...]
    cores: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Tile:
    """One tile. ``index`` counts tiles along (z, y, x); the rest are slices:

    ``source`` what is read from the volume, ``padding`` what is missing around it, ``core`` what it owns in the volume, ``inner``
    where that lies within the tile, ``inside`` where ``source`` lies within the tile.
    """

    index: tuple[int, ...]
    source: tuple[slice, ...]
    padding: tuple[tuple[int, int], ...]
    core: tuple[slice, ...]
    inner: tuple[slice, ...]
    inside: tuple[slice, ...]


@dataclass(frozen=True)
class Tiling:
    """How a network is led over a volume: edges and overlaps of its tiles in voxels (z, y, x), and what they start at multiples of."""

    edges: tuple[int, int, int]
    overlaps: tuple[int, int, int]
    align: tuple[int, int, int]

    def redundancy(self, shape: Sequence[int], border: Border = "inside") -> float:
        """Voxels that are computed over voxels of a volume (z, y, x)."""
        tiles = len(plan_tiles(shape, self.edges, self.overlaps, border, self.align))
        return tiles * float(np.prod(self.edges)) / float(np.prod(shape))


def plan_axis(size: int, tile: int, overlap: int, border: Border = "inside", align: int = 1) -> AxisPlan:
    """Spread tiles of ``tile`` voxels over ``size`` voxels so that neighbours share at least ``overlap``.

    ``border``: tiles stay ``inside`` the volume, or reach over its faces by half the overlap into ``reflect`` or ``zero`` padding.
    A volume smaller than the tile lies in the tile's middle. With ``align`` above 1 all tiles start at its multiples, as networks that
    shrink their input by that factor need to answer alike in every tile; the last tile then reaches further over the face. A single tile
    ``inside`` has no other to agree with and keeps the volume in its middle, so that the network sees surroundings at both faces.
    """
    if align > 1 and not (border == "inside" and size <= tile):
        return _aligned_axis(size, tile, overlap, border, align)
    margin = 0 if border == "inside" else overlap // 2
    room = size + 2 * margin - tile
    if tile < 1 or overlap < 0 or (room > 0 and overlap >= tile):
        raise ParameterError(f"tile {tile} with overlap {overlap}", "a tile of at least 1 voxel and an overlap smaller than the tile")
    if room <= 0:
        starts = [-((tile - size) // 2)]
    else:
        count = -(-room // (tile - overlap)) + 1
        starts = [room * number // (count - 1) - margin for number in range(count)]
    cuts = [0, *((left + right + tile) // 2 for left, right in zip(starts, starts[1:])), size]
    cuts = [min(max(cut, 0), size) for cut in cuts]
    return AxisPlan(size, tile, tuple(starts), tuple(zip(cuts, cuts[1:])))


def _aligned_axis(size: int, tile: int, overlap: int, border: Border, align: int) -> AxisPlan:
    margin = 0 if border == "inside" else -(-overlap // 2 // align) * align
    room, stride = max(0, size + 2 * margin - tile), (tile - overlap) // align * align
    if tile < 1 or overlap < 0 or (room and stride < 1):
        raise ParameterError(f"tile {tile} with overlap {overlap} at multiples of {align}", f"a tile at least {align} above the overlap")
    starts = [number * stride - margin for number in range(1 + (-(-room // stride) if room else 0))]
    cuts = [0, *((left + right + tile) // 2 for left, right in zip(starts, starts[1:])), size]
    return AxisPlan(size, tile, tuple(starts), tuple(zip(cuts, cuts[1:])))


def fitted_edge(size: int, tile: int, overlap: int, multiple: int) -> int:
    """The smallest edge, at most ``tile`` voxels, with which as many tiles cover ``size`` voxels: what is left is not worked on twice."""
    count = max(1, -(-(size - overlap) // (tile - overlap)))
    needed = -(-(size + (count - 1) * overlap) // count)
    return min(tile, -(-needed // multiple) * multiple)


def plan_tiles(
    shape: Sequence[int], tile: Sequence[int], overlap: Sequence[int], border: Border = "inside", align: int | Sequence[int] = 1,
) -> list[Tile]:
    """All tiles of a (z, y, x) volume in reading order, x fastest; ``tile`` and ``overlap`` in voxels along (z, y, x), ``align`` too or
    one number for all."""
    aligned = [align] * 3 if isinstance(align, int) else align
    axes = [plan_axis(size, edge, shared, border, step) for size, edge, shared, step in zip(shape, tile, overlap, aligned)]
    return [_tile(axes, index) for index in product(*(range(len(axis.starts)) for axis in axes))]


def _tile(axes: list[AxisPlan], index: tuple[int, ...]) -> Tile:
    starts = [axis.starts[number] for axis, number in zip(axes, index)]
    first = [max(0, start) for start in starts]
    last = [min(axis.size, start + axis.tile) for axis, start in zip(axes, starts)]
    cores = [axis.cores[number] for axis, number in zip(axes, index)]
    return Tile(
        index=index,
        source=tuple(slice(a, b) for a, b in zip(first, last)),
        padding=tuple((a - start, start + axis.tile - b) for axis, start, a, b in zip(axes, starts, first, last)),
        core=tuple(slice(a, b) for a, b in cores),
        inner=tuple(slice(a - start, b - start) for (a, b), start in zip(cores, starts)),
        inside=tuple(slice(a - start, b - start) for a, b, start in zip(first, last, starts)),
    )


def read_tile(volume: Any, tile: Tile, border: Border = "inside") -> np.ndarray:
    """The voxels of one tile as float32, padded where it reaches over the volume: by zeros for ``zero``, else by reflection."""
    window = np.asarray(volume[tile.source], dtype=np.float32)
    if not any(before or after for before, after in tile.padding):
        return window
    return np.pad(window, tile.padding, mode="constant" if border == "zero" else "reflect")


def axis_windows(plan: AxisPlan, blending: Blending) -> np.ndarray:
    """Blending weights (tiles, tile) of float32 along one axis; at every voxel the weights of the tiles over it sum to one.

    ``crop`` is 1 in the core and 0 outside; ``cosine`` a raised cosine over the tile; ``gaussian`` has sigma 1/8 of the tile.
    """
    total = np.zeros(plan.size)
    windows = np.zeros((len(plan.starts), plan.tile))
    for number, start in enumerate(plan.starts):
        a, b = max(0, start), min(plan.size, start + plan.tile)
        windows[number, a - start:b - start] = _window(plan, number, blending)[a - start:b - start]
        total[a:b] += windows[number, a - start:b - start]
    for number, start in enumerate(plan.starts):
        a, b = max(0, start), min(plan.size, start + plan.tile)
        windows[number, a - start:b - start] /= total[a:b]
    return windows.astype(np.float32)


def _window(plan: AxisPlan, number: int, blending: Blending) -> np.ndarray:
    centres = (np.arange(plan.tile) + 0.5) / plan.tile
    if blending == "cosine":
        return np.maximum(np.sin(np.pi * centres) ** 2, SMALLEST_WEIGHT)
    if blending == "gaussian":
        return np.maximum(np.exp(-0.5 * ((centres - 0.5) / GAUSSIAN_SIGMA) ** 2), SMALLEST_WEIGHT)
    if blending == "crop":
        first, last = plan.cores[number]
        inside = np.arange(plan.tile) + plan.starts[number]
        return ((inside >= first) & (inside < last)).astype(np.float64)
    raise ParameterError(f"blending = {blending!r}", "crop, cosine, gaussian")
