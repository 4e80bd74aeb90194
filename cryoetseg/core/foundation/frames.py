"""Windows of a slab: cut for a backbone, blended back, with exact maps between both coordinates.

Positions inside a window are pixel centres of a square canvas that covers it; positions in the slab are voxel centres.
Window edges are given in voxel edges: voxel ``i`` spans ``i`` to ``i + 1``.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import ndimage
from skimage.transform import resize

from ..runtime.errors import InputError, ParameterError
from .params import TilingParameters

SMALLEST_SLAB_PX = 8  # half of it, an eigenimage, is still a picture


@dataclass(frozen=True)
class Window:
    """Part of the slab that one canvas covers: grid position, then edges and sides in voxels."""

    row: int
    column: int
    top: float
    left: float
    height: float
    width: float

    def to_slab(self, yx: np.ndarray, side: int) -> np.ndarray:
        """Slab coordinates (n, 2) of positions ``yx`` (n, 2) in a canvas of ``side`` x ``side`` pixels."""
        return (np.asarray(yx, float) + 0.5) * self._scale / side + self._corner - 0.5

    def to_canvas(self, yx: np.ndarray, side: int) -> np.ndarray:
        """Canvas positions (n, 2) of slab coordinates ``yx`` (n, 2); the inverse of :meth:`to_slab`."""
        return (np.asarray(yx, float) + 0.5 - self._corner) * side / self._scale - 0.5

    @property
    def _corner(self) -> np.ndarray:
        return np.array([self.top, self.left])

    @property
    def _scale(self) -> np.ndarray:
        return np.array([self.height, self.width])


class Frame(Protocol):
    """A plan of windows over slabs of one shape."""

    shape: tuple[int, int]
    windows: list[Window]
    border_tokens: int

    def pictures(self, slab: np.ndarray) -> list[np.ndarray]:
        """One square float32 picture per window, borders included, for the backbone."""

    def blend(self, canvases: Sequence[np.ndarray], order: int = 1) -> np.ndarray:
        """Join one square canvas per window into a float32 slab (y, x), interpolating by splines of ``order``."""


def plan_frame(shape: tuple[int, int], parameters: TilingParameters, picture_px: int, tokens: int) -> Frame:
    """The windows of slabs of ``shape`` for a backbone that takes pictures of ``picture_px`` and returns ``tokens`` a side."""
    if min(shape) < SMALLEST_SLAB_PX:
        raise InputError(f"slices of {shape[0]} x {shape[1]} voxels", f"at least {SMALLEST_SLAB_PX} along y and x",
                         "give the whole tomogram; slices are counted along z")
    if parameters.tiling == "quadrants":
        return QuadrantFrame(shape, picture_px)
    return TileFrame(shape, parameters, picture_px, tokens)


class QuadrantFrame:
    """Published frame: the slab stretched to twice the picture's side, cut into 2 x 2 quadrants without overlap (Uddin26 1.2)."""

    border_tokens = 0

    def __init__(self, shape: tuple[int, int], picture_px: int) -> None:
        self.shape, self._side = shape, picture_px
        height, width = shape[0] / 2, shape[1] / 2
        self.windows = [Window(row, column, row * height, column * width, height, width) for row in (0, 1) for column in (0, 1)]

    def pictures(self, slab: np.ndarray) -> list[np.ndarray]:
        """Four float32 pictures of the slab (y, x): top-left, top-right, bottom-left, bottom-right."""
        side = self._side
        whole = _resized(slab, (2 * side, 2 * side), 1)
        return [whole[w.row * side:(w.row + 1) * side, w.column * side:(w.column + 1) * side] for w in self.windows]

    def blend(self, canvases: Sequence[np.ndarray], order: int = 1) -> np.ndarray:
        """Four square canvases side by side, resized to the slab."""
        top_left, top_right, bottom_left, bottom_right = canvases
        return _resized(np.block([[top_left, top_right], [bottom_left, bottom_right]]), self.shape, order)


class TileFrame:
    """Overlapping tiles of a fixed number of voxels, so that a token covers the same length in every tomogram.

    A tile reaches ``border_tokens`` beyond its window on every side, into reflected voxels at the slab's border: what the
    zero padding of convolutions does to the tile's rim is cropped with it.
    """

    def __init__(self, shape: tuple[int, int], parameters: TilingParameters, picture_px: int, tokens: int) -> None:
        self.shape, self._picture_px, self._tile = shape, picture_px, parameters.tile_px
        self.border_tokens = min(parameters.border_tokens, (tokens - 8) // 2)
        self._border = self._tile * self.border_tokens / tokens
        side = self._tile - 2 * self._border
        self._overlap = parameters.overlap_px
        if self._overlap >= side:
            raise ParameterError(f"overlap_px = {self._overlap}", f"less than the {side:g} voxels left of a tile without its border",
                                 "choose larger tiles or a smaller overlap")
        self._starts = [_tile_starts(size, self._tile, self._border, self._overlap) for size in shape]
        tops, lefts = ([start + self._border for start in starts] for starts in self._starts)
        self.windows = [Window(i, j, top, left, side, side) for i, top in enumerate(tops) for j, left in enumerate(lefts)]

    def pictures(self, slab: np.ndarray) -> list[np.ndarray]:
        """One float32 picture per window, its border included, resized to the backbone's side."""
        tile = self._tile
        padded = np.pad(slab, tile, mode="symmetric")
        corners = [(top + tile, left + tile) for top in self._starts[0] for left in self._starts[1]]
        side = (self._picture_px, self._picture_px)
        return [_resized(padded[top:top + tile, left:left + tile], side, 1) for top, left in corners]

    def blend(self, canvases: Sequence[np.ndarray], order: int = 1) -> np.ndarray:
        """Canvases resampled to the slab and averaged under raised-cosine windows as wide as the overlap."""
        total, weights = np.zeros(self.shape, np.float32), np.zeros(self.shape, np.float32)
        for window, canvas in zip(self.windows, canvases):
            rows, columns = _covered(window.top, window.height, self.shape[0]), _covered(window.left, window.width, self.shape[1])
            weight = np.outer(self._ramp(rows, window.top, window.height), self._ramp(columns, window.left, window.width))
            total[rows.start:rows.stop, columns.start:columns.stop] += weight * _sampled(canvas, window, rows, columns, order)
            weights[rows.start:rows.stop, columns.start:columns.stop] += weight
        return total / weights

    def _ramp(self, covered: range, start: float, side: float) -> np.ndarray:
        """Raised cosine over the overlap at both ends, never quite zero so that the slab's border keeps its only tile."""
        position = np.arange(covered.start, covered.stop) + 0.5 - start
        inside = np.clip(np.minimum(position, side - position) / max(self._overlap, 1), 0.0, 1.0)
        return (np.sin(0.5 * np.pi * inside) ** 2 + 1e-4).astype(np.float32)


def _tile_starts(size: int, tile: int, border: float, overlap: int) -> list[int]:
    """First voxels, evenly spread, of tiles whose windows cover ``size`` voxels; one centred tile where that is enough."""
    side = tile - 2 * border
    if side >= size:
        return [round((size - tile) / 2)]
    first, last = math.floor(-border), math.ceil(size - side - border)
    count = 1 + math.ceil((last - first) / (side - overlap))
    return [round(start) for start in np.linspace(first, last, count)]


def _covered(start: float, side: float, size: int) -> range:
    """Voxels of an axis in the window; half a voxel more where tile starts were rounded to whole voxels."""
    return range(max(0, math.floor(start)), min(size, math.ceil(start + side)))


def _sampled(canvas: np.ndarray, window: Window, rows: range, columns: range, order: int) -> np.ndarray:
    side = canvas.shape[0]
    step = np.diag([side / window.height, side / window.width])  # a vector would do the same, with a warning
    corner = window.to_canvas(np.array([[rows.start, columns.start]]), side)[0]
    return ndimage.affine_transform(canvas.astype(np.float32), step, corner, (len(rows), len(columns)), order=order, mode="nearest")


def _resized(image: np.ndarray, shape: tuple[int, int], order: int) -> np.ndarray:
    image = np.asarray(image, np.float32)
    shrinks = order > 0 and (shape[0] < image.shape[0] or shape[1] < image.shape[1])
    return resize(image, shape, order=order, mode="edge", anti_aliasing=shrinks, preserve_range=True).astype(np.float32)
