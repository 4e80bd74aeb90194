"""Voxels that show no sample: fill values of borders and empty corners, values that are no numbers, gold and hot voxels.

A fill is told from sample by being exactly constant over 5 x 5 voxels of a slice, gold and hot voxels by lying far outside the grey values.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

FLAT_SIDE, COARSE_FLAT_SIDE = 5, 9  # voxels: the smallest square of one value that is a fill, with fine and with few grey levels
MOST_FILLS = 8  # values of a slice that are followed beyond their squares
GOLD_DEVIATIONS = 6.0  # of the grey values after a Gaussian of one voxel
SMOOTH_GOLD_DEVIATIONS = 15.0  # the same in denoised volumes, where particles stand far out as well
HOT_DEVIATIONS = 10.0  # of single voxels, which the Gaussian would hide
GOLD_SIGMA, GOLD_MARGIN = 1.0, 2  # voxels
HALO = int(3 * GOLD_SIGMA) + GOLD_MARGIN  # slices beside a slab that decide about its voxels
TILE = 128  # voxels along y and x that are smoothed together
FULL = np.ones((3, 3), bool)


def flat_squares(plane: np.ndarray, side: int = FLAT_SIDE) -> np.ndarray | None:
    """Voxels (y, x) that lie in some square of ``side`` equal voxels; None where there is none. Leaves early in a slice full of noise."""
    if min(plane.shape) < side:
        return None
    along_x = _runs(plane[:, 1:] == plane[:, :-1], side - 1)
    if not along_x.any():
        return None
    along_y = _runs((plane[1:] == plane[:-1]).T, side - 1).T
    corners = along_y[:, : along_x.shape[1]] & _runs(along_x.T, side).T
    return _grown_back(corners, side, plane.shape) if corners.any() else None


def _runs(true: np.ndarray, length: int) -> np.ndarray:
    """Where ``length`` true values follow each other along the last axis."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        true = true[:, :-step] & true[:, step:]
        reach += step
    return true


def _grown_back(corners: np.ndarray, side: int, shape: tuple[int, ...]) -> np.ndarray:
    flat = np.zeros(shape, bool)
    height, width = corners.shape
    wide = np.zeros((height, shape[1]), bool)
    for shift in range(side):
        wide[:, shift: shift + width] |= corners
    for shift in range(side):
        flat[shift: shift + height] |= wide
    return flat


def filled_voxels(plane: np.ndarray, side: int = FLAT_SIDE) -> tuple[np.ndarray | None, tuple[float, ...]]:
    """Voxels (y, x) of a fill value or of no number, and the fill values; None where all is sample.

    What has a fill's value and is connected with its squares belongs to it, as the ragged edge of a turned volume does.
    """
    flat = flat_squares(plane, side)
    broken = ~np.isfinite(plane) if plane.dtype.kind == "f" and not np.isfinite(plane.sum(dtype=np.float64)) else None
    if flat is None:
        return broken, ()
    values, counts = np.unique(plane[flat], return_counts=True)
    values = values[np.argsort(counts)[::-1]][:MOST_FILLS]
    for value in values:
        flat |= _connected(plane == value, flat)
    return (flat if broken is None else flat | broken), tuple(float(value) for value in values)


def _connected(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    if not (mask & ~seeds).any():
        return mask
    labels, count = ndimage.label(mask)
    touched = np.zeros(count + 1, bool)
    touched[labels[seeds & mask]] = True
    touched[0] = False
    return touched[labels]


def widened(planes: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """The middle of three planes of a mask, grown by one voxel in all directions."""
    given = [plane for plane in planes if plane is not None]
    if not given:
        return None
    wide = given[0].copy()
    for plane in given[1:]:
        wide |= plane
    for axis in (0, 1):  # shifted copies are ten times faster than a maximum filter
        mask = np.moveaxis(wide, axis, 0)
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        wide = np.moveaxis(grown, 0, axis)
    return wide


def outlying(plane: np.ndarray, filled: np.ndarray | None, median: float, reach: float) -> bool:
    """Whether any voxel (y, x) that is not ``filled`` lies farther than ``reach`` from the median; compared in the plane's own type."""
    with np.errstate(invalid="ignore"):
        far = (plane < median - reach) | (plane > median + reach)
    if filled is not None:
        far &= ~filled
    return bool(far.any())


def gold(window: np.ndarray, filled: np.ndarray, median: float, deviation: float, limit: float) -> np.ndarray | None:
    """Gold and hot voxels of ``window`` (z, y, x), float32 with ``filled`` voxels to pass over, grown by two voxels; None without any.

    Both signs are sought: gold is dense, the fringes beside it are the opposite. Only tiles with outliers are smoothed.
    """
    outlying = np.abs(window - np.float32(median)) > min(limit, HOT_DEVIATIONS) * deviation
    outlying &= ~filled
    if not outlying.any():
        return None
    found = np.zeros(window.shape, bool)
    height, width = window.shape[1:]
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            outer = (slice(None), slice(max(0, y - HALO), y + TILE + HALO), slice(max(0, x - HALO), x + TILE + HALO))
            if outlying[outer].any():
                inner = (slice(None), slice(y, y + TILE), slice(x, x + TILE))
                within = (slice(None), *(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner[1:], outer[1:])))
                found[inner] = _gold_tile(window[outer], filled[outer], median, deviation, limit)[within]
    return found if found.any() else None


def _gold_tile(tile: np.ndarray, filled: np.ndarray, median: float, deviation: float, limit: float) -> np.ndarray:
    centred = (tile - np.float32(median)) / np.float32(deviation)
    centred[filled] = 0
    hot = np.abs(centred) > max(limit, HOT_DEVIATIONS)
    smooth = ndimage.gaussian_filter(centred, GOLD_SIGMA, mode="nearest", truncate=3)
    seeds = hot | (np.abs(smooth) > limit)
    return ndimage.binary_dilation(seeds, ndimage.generate_binary_structure(3, 2), iterations=GOLD_MARGIN) if seeds.any() else seeds


class PackedMask:
    """A boolean volume (z, y, x), eight voxels a byte, read window by window.

    Slices that were never set cost nothing, and neighbouring slices that are alike are kept once: a border costs one slice.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self._planes: list[np.ndarray | None] = [None] * self.shape[0]

    def add(self, z: int, plane: np.ndarray) -> None:
        """Set the true voxels of ``plane`` (y, x) in slice ``z``."""
        self._join(z, np.packbits(plane, axis=-1))

    def join(self, other: PackedMask) -> None:
        """Set what is set in ``other``."""
        for z, bits in enumerate(other._planes):
            if bits is not None:
                self._join(z, bits)

    def _join(self, z: int, bits: np.ndarray) -> None:
        own = self._planes[z]
        joined = bits if own is None else own | bits
        before = self._planes[z - 1] if z else None
        self._planes[z] = before if before is not None and np.array_equal(before, joined) else joined

    def __getitem__(self, window: Any) -> np.ndarray:
        """Bool (z, y, x) of a window of three slices with step 1."""
        z, y, x = (range(*part.indices(size)) for part, size in zip(window, self.shape))
        found = np.zeros((len(z), len(y), len(x)), bool)
        first = x.start // 8
        for place, number in enumerate(z):
            bits = self._planes[number]
            if bits is not None:
                whole = np.unpackbits(bits[y.start:y.stop, first:-(-x.stop // 8)], axis=-1)
                found[place] = whole[:, x.start - 8 * first:x.stop - 8 * first]
        return found

    def at(self, zyx: np.ndarray) -> np.ndarray:
        """Bool (n,): whether the voxels nearest to the points (n, 3), (z, y, x), are set; points outside are not."""
        inside = ((zyx > -0.5) & (zyx < np.array(self.shape) - 0.5)).all(axis=1)
        places = np.rint(np.where(inside[:, None], zyx, 0)).astype(np.int64)
        found = np.zeros(len(zyx), bool)
        for number in np.unique(places[:, 0]):
            bits, rows = self._planes[number], np.flatnonzero(places[:, 0] == number)
            if bits is not None:
                y, x = places[rows, 1:].T
                found[rows] = (bits[y, x // 8] >> (7 - x % 8)) & 1 == 1
        return inside & found

    def any_in(self, first: int, last: int) -> bool:
        """Whether any of the slices from ``first`` to before ``last`` has a set voxel."""
        return any(bits is not None for bits in self._planes[first:last])
