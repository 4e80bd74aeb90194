"""What a mask of sheets tells at its voxels: normals, how flat it is there, slopes of the smoothed mask, thickness along normals.

All work is done some slices at a time; only values at the mask's voxels are kept.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

SLAB_VOXELS = 2**23  # of the float32 fields of one slab
GRADIENT_SIGMA = 1.0  # voxels
TRUNCATE = 3.0
STEP = 0.5  # voxels between two samples along a normal
OUTSIDE = 0.1  # interpolated mask below which a sheet has ended
BLOCK = 2**18  # points whose normals are followed at once


class SheetNormals(NamedTuple):
    """At each voxel: the ``normal`` (n, 3), z y x, of either sign, and ``planarity`` (n,), 1 in a flat sheet, 0 where sheets cross."""

    normal: np.ndarray
    planarity: np.ndarray


class Chords(NamedTuple):
    """Along the normal at each point: ``thickness`` (n,) of the sheet and ``offset`` (n,) of its middle, in voxels."""

    thickness: np.ndarray
    offset: np.ndarray


def rough_thickness(mask: Any) -> float:
    """Thickness in voxels of the sheets in a mask (z, y, x), within some 30 %: its volume over the number of its runs along the axes.

    A sheet of area A in all directions is entered A / 2 times by the lines along each axis, 1.5 A times by all.
    """
    padded = np.pad(np.asarray(mask, dtype=bool), 1)
    entries = sum(int(np.count_nonzero(np.diff(padded, axis=axis))) for axis in range(3)) / 2
    return 1.5 * float(np.count_nonzero(padded)) / max(entries, 1.0)


def sheet_normals(mask: np.ndarray, voxels: np.ndarray, scale: float) -> SheetNormals:
    """Normals at ``voxels`` (n, 3), in order of z, by the structure tensor of a mask (z, y, x) averaged over ``scale`` voxels."""
    tensors = np.empty((len(voxels), 3, 3), dtype=np.float32)

    def fill(block: np.ndarray, places: tuple[np.ndarray, ...], rows: slice) -> None:
        slopes = np.gradient(gaussian_filter(block, GRADIENT_SIGMA, truncate=TRUNCATE))
        for first in range(3):
            for second in range(first, 3):
                product = gaussian_filter(slopes[first] * slopes[second], scale, truncate=TRUNCATE)[places]
                tensors[rows, first, second] = tensors[rows, second, first] = product

    _by_slab(mask, voxels, GRADIENT_SIGMA + scale, fill)
    values, vectors = np.linalg.eigh(tensors)
    return SheetNormals(vectors[:, :, 2], (values[:, 2] - values[:, 1]) / np.maximum(values[:, 2], 1e-12))


def slopes(mask: np.ndarray, voxels: np.ndarray, sigma: float) -> np.ndarray:
    """Gradient (n, 3) at ``voxels`` (n, 3), in order of z, of the mask (z, y, x) smoothed by ``sigma`` voxels."""
    result = np.empty((len(voxels), 3), dtype=np.float32)

    def fill(block: np.ndarray, places: tuple[np.ndarray, ...], rows: slice) -> None:
        smooth = gaussian_filter(block, sigma, truncate=TRUNCATE)
        for axis in range(3):
            result[rows, axis] = np.gradient(smooth, axis=axis)[places]

    _by_slab(mask, voxels, sigma, fill)
    return result


def _by_slab(mask: np.ndarray, voxels: np.ndarray, reach: float, fill: Callable[[np.ndarray, tuple[np.ndarray, ...], slice], None]) -> None:
    """Call ``fill(block, places in it, rows)`` for slabs of the mask with a margin of ``reach`` sigmas; faces are zero-padded."""
    margin = int(np.ceil(TRUNCATE * reach)) + 1
    for start, stop in _planes(mask.shape):
        rows = slice(*np.searchsorted(voxels[:, 0], [start, stop]))
        if rows.start == rows.stop:
            continue
        low, high = max(0, start - margin), min(mask.shape[0], stop + margin)
        before = margin - (start - low)
        block = np.pad(mask[low:high].astype(np.float32), [(before, margin - (high - stop)), (margin, margin), (margin, margin)])
        own = voxels[rows] + [before - low, margin, margin]
        fill(block, tuple(own.T), rows)


def _planes(shape: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    thickness = max(1, SLAB_VOXELS // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], thickness):
        yield start, min(start + thickness, shape[0])


def chords(mask: np.ndarray, points: np.ndarray, normals: np.ndarray, reach: float) -> Chords:
    """How thick the mask (z, y, x) is along the normal through each of the points (n, 3), followed for at most ``reach`` voxels each way.

    The thickness is the integral of the mask between its ends, which no interpolation or smoothing changes.
    """
    parts = [_chords(mask, points[first:first + BLOCK], normals[first:first + BLOCK], reach) for first in range(0, len(points), BLOCK)]
    if not parts:
        return Chords(np.zeros(0), np.zeros(0))
    return Chords(*(np.concatenate(column) for column in zip(*parts)))


def _chords(mask: np.ndarray, points: np.ndarray, normals: np.ndarray, reach: float) -> Chords:
    total, moment = np.zeros(len(points)), np.zeros(len(points))
    for sign in (-1, 1):
        alive = np.ones(len(points), dtype=bool)
        for step in np.arange(STEP / 2, reach, STEP):
            rows = np.flatnonzero(alive)
            if not len(rows):
                break
            places = points[rows] + sign * step * normals[rows]
            values = map_coordinates(mask, places.T, np.float32, order=1, mode="constant")
            alive[rows] = values > OUTSIDE
            total[rows] += STEP * values
            moment[rows] += STEP * values * sign * step
    return Chords(total, moment / np.maximum(total, 1e-12))
