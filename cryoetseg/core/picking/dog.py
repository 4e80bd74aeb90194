"""Difference-of-Gaussians picking in AITom's convention, in tiles, at the speed of matrix products.

Response = Gaussian(sigma) - Gaussian(1.1 sigma); its local maxima over 3 x 3 x 3 voxels, best first, each excluding the weaker ones
nearer than the exclusion distance (Euclidean). A Gaussian along one axis, with scipy's truncation and mirrored border, is a banded matrix,
so three products with float32 matrices give the picks of ``gaussian_filter`` and ``maximum_filter`` several times faster.
"""
from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ..particles.subvoxel import vertices
from ..runtime.errors import ParameterError
from ..runtime.progress import track
from ..volumes.streaming import release_pages

RATIO = 1.1  # sigma of the wider Gaussian over that of the narrower, AITom
TRUNCATE = 4.0  # standard deviations, as scipy.ndimage
THRESHOLD_STEPS = 20  # AITom: threshold = m + t (M - m) / 20
TILE = 256
BAND_ROWS = 32  # smoothing matrices are cut into so many rows, whose non-zero columns alone are multiplied
Span = tuple[int, int]


class Picks(NamedTuple):
    """``points`` (n, 3) voxel centres (z, y, x) and their ``scores`` (n,), best first; ``offsets`` (n, 3) lead from there to the tops of
    the response between the voxels."""

    points: np.ndarray
    scores: np.ndarray
    offsets: np.ndarray

    def of(self, kept: Any) -> Picks:
        """Those that ``kept`` chooses, by truth, by index or as a slice."""
        return Picks(*(column[kept] for column in self))


def difference_of_gaussians(
    volume: Any, sigma_px: float, *, exclusion_px: float, ratio: float = RATIO, count: int | None = None, threshold: float | None = None,
    tile: int = TILE, wanted: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Picks:
    """Pick bright blobs of radius about sqrt(3) ``sigma_px`` in a (z, y, x) array or memory map, read tile by tile.

    ``wanted`` tells of points (n, 3) which may be picks at all.

    At most ``count`` picks; with ``threshold`` t (0 to 20) only those above m + t (M - m) / 20, m and M being the weakest and the
    strongest pick. No two picks are nearer than ``exclusion_px``.
    """
    maxima = local_maxima(volume, sigma_px, ratio, tile)
    if wanted is not None:
        maxima = maxima.of(wanted(maxima.points))
    peaks = exclude_neighbours(maxima, exclusion_px, None if threshold is not None else count)
    if threshold is not None and len(peaks.scores):
        weakest, strongest = peaks.scores[-1], peaks.scores[0]
        peaks = peaks.of(peaks.scores >= weakest + threshold * (strongest - weakest) / THRESHOLD_STEPS)
    return peaks.of(slice(count))


def sigma_for_diameter(diameter: float) -> float:
    """Sigma to which a ball of ``diameter`` answers most strongly: radius = sqrt(3) sigma (the Laplacian's zero, ratio towards 1)."""
    return diameter / (2 * np.sqrt(3.0))


def local_maxima(volume: Any, sigma_px: float, ratio: float = RATIO, tile: int = TILE) -> Picks:
    """All local maxima of the response, best first (ties in reading order)."""
    if not (sigma_px > 0 and ratio > 1):
        raise ParameterError(f"sigma {sigma_px} voxels with ratio {ratio}", "a positive sigma and a ratio above 1")
    spans = [[(a, min(a + tile, size)) for a in range(0, size, tile)] for size in volume.shape]
    parts = [Picks(np.zeros((0, 3)), np.zeros(0, dtype=np.float32), np.zeros((0, 3)))]
    cores = list(product(*spans))
    for core in track(cores, "difference of Gaussians"):
        rim = [(max(0, a - 1), min(size, b + 1)) for (a, b), size in zip(core, volume.shape)]  # neighbours of the core's own voxels
        parts.append(_maxima_inside(response(volume, rim, sigma_px, ratio), core, rim))
        release_pages(volume)
    return _best_first(Picks(*(np.concatenate(columns) for columns in zip(*parts))), volume.shape)


def _best_first(picks: Picks, shape: tuple[int, ...]) -> Picks:
    reading_order = np.ravel_multi_index(tuple(picks.points.astype(np.int64).T), shape) if len(picks.points) else np.zeros(0)
    return picks.of(np.lexsort((reading_order, -picks.scores)))


def response(volume: Any, window: list[Span], sigma_px: float, ratio: float = RATIO) -> np.ndarray:
    """Float32 difference of Gaussians of ``volume`` in ``window`` (first, last + 1 along z, y, x), exact up to rounding."""
    reach = _radius(sigma_px * ratio)
    source = [(max(0, a - reach), min(size, b + reach)) for (a, b), size in zip(window, volume.shape)]
    block = np.asarray(volume[tuple(slice(*span) for span in source)], dtype=np.float32)
    level = np.float32(block[::4, ::4, ::4].mean(dtype=np.float64))  # a constant changes nothing but costs digits of the difference
    rows, columns = (b - a for a, b in window[1:])
    planes = np.empty((len(block), 2, rows, columns), dtype=np.float32)  # both Gaussians side by side, for one product along z
    operators = [[_gaussian_bands(*axis, sigma) for axis in zip(window, source, volume.shape)] for sigma in (sigma_px, sigma_px * ratio)]
    across = np.empty((block.shape[1], columns), dtype=np.float32)
    for index, plane in enumerate(block):  # plane by plane, so that what lies between the two products stays in the cache
        levelled = plane - level
        for number, (_, y, x) in enumerate(operators):
            for band in x:
                np.matmul(levelled[:, band.source], band.matrix.T, out=across[:, band.target])
            for band in y:
                np.matmul(band.matrix, across[band.source], out=planes[index, number, band.target])
    difference = np.empty((window[0][1] - window[0][0], rows * columns), dtype=np.float32)
    for narrow, wide in zip(operators[0][0], operators[1][0]):
        _difference_along_z(narrow, wide, planes, difference)
    return difference.reshape(-1, rows, columns)


def _difference_along_z(narrow: Band, wide: Band, planes: np.ndarray, difference: np.ndarray) -> None:
    """Rows of narrow minus wide Gaussian along z, as one product over the interleaved planes of both."""
    first, last = min(narrow.source.start, wide.source.start), max(narrow.source.stop, wide.source.stop)
    matrix = np.zeros((len(narrow.matrix), last - first, 2), dtype=np.float32)
    matrix[:, narrow.source.start - first:narrow.source.stop - first, 0] = narrow.matrix
    matrix[:, wide.source.start - first:wide.source.stop - first, 1] = -wide.matrix
    np.matmul(matrix.reshape(len(matrix), -1), planes[first:last].reshape(2 * (last - first), -1), out=difference[narrow.target])


def _radius(sigma: float) -> int:
    return int(TRUNCATE * sigma + 0.5)


class Band(NamedTuple):
    """Some rows of a smoothing matrix: which outputs they make, from which inputs, and their weights."""

    target: slice
    source: slice
    matrix: np.ndarray


def _gaussian_bands(window: Span, source: Span, size: int, sigma: float) -> list[Band]:
    """Matrix (window, source), cut into bands without the zeros, that smooths an axis of ``size`` voxels.

    The axis is mirrored at its outer faces (scipy's mode ``reflect``).
    """
    radius = _radius(sigma)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    rows = np.arange(*window)
    reached = np.mod(rows[:, None] + np.arange(-radius, radius + 1), 2 * size)
    columns = np.where(reached < size, reached, 2 * size - 1 - reached) - source[0]
    matrix = np.zeros((len(rows), source[1] - source[0]))
    np.add.at(matrix, (np.arange(len(rows))[:, None], columns), kernel)
    bands = []
    for first in range(0, len(rows), BAND_ROWS):
        last = min(first + BAND_ROWS, len(rows))
        used = slice(int(columns[first:last].min()), int(columns[first:last].max()) + 1)
        bands.append(Band(slice(first, last), used, np.ascontiguousarray(matrix[first:last, used], dtype=np.float32)))
    return bands


def _maxima_inside(values: np.ndarray, core: tuple[Span, ...], rim: list[Span]) -> Picks:
    """Voxels of ``core`` that no neighbour exceeds; ``values`` covers ``rim``. The six face neighbours sort most voxels out cheaply."""
    z_core, y_core, x_core = (slice(a - r, b - r) for (a, b), (r, _) in zip(core, rim))
    width = x_core.stop - x_core.start
    found = []
    for z in range(z_core.start, z_core.stop):
        peaks = np.flatnonzero(values[z, y_core, x_core] >= _face_neighbours(values, z)[y_core, x_core])
        found.append(np.stack([np.full(len(peaks), z), peaks // width + y_core.start, peaks % width + x_core.start], axis=1))
    candidates = np.concatenate(found)
    candidates = candidates[values[tuple(candidates.T)] >= _strongest_around(values, candidates)]
    return Picks(candidates + np.array([r for r, _ in rim], dtype=np.float64), values[tuple(candidates.T)], vertices(values, candidates))


def _strongest_around(values: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """Largest of the 3 x 3 x 3 values around each voxel (n, 3), as far as they lie inside."""
    z, y, x = (np.clip(voxels[:, axis, None] + (-1, 0, 1), 0, size - 1) for axis, size in enumerate(values.shape))
    flat = (z[:, :, None, None] * values.shape[1] + y[:, None, :, None]) * values.shape[2] + x[:, None, None, :]
    return values.reshape(-1).take(flat.reshape(len(voxels), 27)).max(axis=1, initial=-np.inf)


def _face_neighbours(values: np.ndarray, z: int) -> np.ndarray:
    """Largest of the face neighbours of each voxel of plane ``z`` that lie inside."""
    plane = values[z]
    around = np.maximum(values[max(z - 1, 0)], values[min(z + 1, len(values) - 1)])  # at the border the voxel itself, which is no rival
    np.maximum(around[1:], plane[:-1], out=around[1:])
    np.maximum(around[:-1], plane[1:], out=around[:-1])
    np.maximum(around[:, 1:], plane[:, :-1], out=around[:, 1:])
    np.maximum(around[:, :-1], plane[:, 1:], out=around[:, :-1])
    return around


def exclude_neighbours(peaks: Picks, exclusion_px: float, count: int | None = None) -> Picks:
    """Keep the best peak, drop all nearer than ``exclusion_px`` to it, and so on, until ``count`` are kept."""
    if len(peaks.points) == 0:
        return peaks
    tree = cKDTree(peaks.points)
    radius = np.nextafter(exclusion_px, 0.0)  # the query includes its radius; AITom excludes below the distance only
    dropped = np.zeros(len(peaks.points), dtype=bool)
    kept: list[int] = []
    for index in range(len(peaks.points)):
        if dropped[index]:
            continue
        kept.append(index)
        if len(kept) == count:
            break
        if radius > 0:
            dropped[tree.query_ball_point(peaks.points[index], radius)] = True
    return peaks.of(kept)
