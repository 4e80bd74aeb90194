"""Axes of filaments: the mask is thickened until walls join, thinned to lines, and each line followed from end to end."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import splev, splprep
from scipy.ndimage import distance_transform_edt, find_objects, label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

GRID = 32.0  # A, voxels in which axes are sought: fine enough for a filament of 70 A, and a whole tomogram fits into memory
SHARE = 0.2  # of a cell of that grid that a filament fills at least
NEIGHBOURS = np.ones((3, 3, 3), dtype=bool)
ROUGHNESS = 0.5  # cells: how far a smooth axis may lie from the thinned line
CUBIC, FEWEST = 3, 5
END = 8  # points of a path from which the direction of its end is taken


@dataclass(frozen=True)
class Axis:
    """The middle line of a filament: points ``zyx`` (n, 3) in voxels, evenly spaced, unit ``tangents`` (n, 3), ``length`` in Angstrom,
    ``bend`` the mean curvature in 1 / Angstrom, ``section`` the volume of mask about it for its length, in square Angstrom."""

    zyx: np.ndarray
    tangents: np.ndarray
    length: float
    bend: float
    section: float = 0.0


def trace_axes(
    mask: Any, voxel_size: float, gap: float, smallest_length: float, spacing: float, smallest_section: float = 0.0,
) -> list[Axis]:
    """Axes of the filaments in ``mask`` (z, y, x), an array or what is read where it is sliced, longest first.

    Lengths are in Angstrom, the section in square Angstrom.

    Places nearer to each other than ``gap`` are joined first, so that the walls of a tube become one body.
    """
    binning = max(1, round(GRID / voxel_size))
    shares, cell = binned(mask, binning), voxel_size * binning
    bodies, margin = thickened(shares >= SHARE, gap / (2 * cell))
    labels, _ = label(bodies, NEIGHBOURS)
    lines = []
    for number, box in enumerate(find_objects(labels), start=1):
        corner = np.array([part.start for part in box]) - margin
        lines += [line + corner for line in lines_through(labels[box] == number, smallest_length / cell, gap / cell)]
    axes = [smooth_axis((line + 0.5) * binning - 0.5, voxel_size, spacing, ROUGHNESS * binning) for line in lines]
    axes = with_sections(axes, shares, binning, cell, max(gap, cell))
    kept = (axis for axis in axes if axis.length >= smallest_length and axis.section >= smallest_section)
    return sorted(kept, key=lambda axis: -axis.length)


def with_sections(axes: list[Axis], shares: np.ndarray, binning: int, cell: float, reach: float) -> list[Axis]:
    """The axes with the volume of what lies nearest to each, within ``reach`` Angstrom, over their lengths.

    ``shares`` (z, y, x) tells how much of each cell of ``cell`` Angstrom is filled.
    """
    places = np.argwhere(shares > 0)
    if not axes or not len(places):
        return axes
    points = np.concatenate([axis.zyx for axis in axes])
    owner = np.repeat(np.arange(len(axes)), [len(axis.zyx) for axis in axes])
    distance, nearest = cKDTree((points + 0.5) / binning - 0.5).query(places)
    own = np.where(distance * cell <= reach, owner[nearest], len(axes))
    volumes = np.bincount(own, shares[tuple(places.T)] * cell**3, len(axes) + 1)
    return [replace(axis, section=float(volume / max(axis.length, cell))) for axis, volume in zip(axes, volumes)]


def binned(mask: Any, binning: int) -> np.ndarray:
    """float32 (z, y, x): the share of cells of ``binning`` voxels that is filled; what is over at the far faces belongs to no cell."""
    z, y, x = (max(1, side // binning) for side in mask.shape)
    shares = np.zeros((z, y, x), dtype=np.float32)
    for plane in range(z):
        block = np.asarray(mask[plane * binning:(plane + 1) * binning, :y * binning, :x * binning]) > 0
        shares[plane] = block.reshape(-1, y, min(binning, mask.shape[1]), x, min(binning, mask.shape[2])).mean(axis=(0, 2, 4))
    return shares


def thickened(mask: np.ndarray, radius: float) -> tuple[np.ndarray, int]:
    """Everything within ``radius`` voxels of the mask, also outside the volume, and by how many voxels each side has grown."""
    reach = int(np.ceil(radius)) + 1
    wide = np.pad(mask, reach)
    return (distance_transform_edt(~wide) <= radius if mask.any() else wide), reach


def lines_through(body: np.ndarray, shortest: float, width: float) -> list[np.ndarray]:
    """Paths (n, 3) along the thinned ``body``, longest first: the longest one, then the longest through what lies beside it, and so on.

    All in voxels; a path takes with it whatever lies within ``width``, so that spurs do not become filaments.
    """
    points, found = np.argwhere(skeletonize(body)), []
    while len(points) >= 2:
        path = longest_path(points)
        if len(path) < 2:
            break
        points = points[cKDTree(path).query(points)[0] > max(width, 1.0)]
        path = extended(path.astype(np.float64), body, width / 2)
        if _length(path) >= shortest:
            found.append(path)
    return found


def extended(path: np.ndarray, body: np.ndarray, margin: float) -> np.ndarray:
    """The path (n, 3) continued straight at both ends to ``margin`` voxels before the ends of ``body``: thinning ate more than joining
    put on where the body is thick."""
    return _continued(_continued(path, body, margin)[::-1], body, margin)[::-1]


def _continued(path: np.ndarray, body: np.ndarray, margin: float) -> np.ndarray:
    """Beyond its last point."""
    step = path[-1] - path[max(0, len(path) - END)]
    step = step / max(float(np.linalg.norm(step)), 1e-12)
    ahead = path[-1] + step * np.arange(1, max(body.shape) + 1)[:, None]
    cells = np.rint(ahead).astype(int)
    inside = ((cells >= 0) & (cells < body.shape)).all(axis=1)
    inside[inside] = body[tuple(cells[inside].T)]
    reach = int(np.argmin(np.append(inside, False)) - margin)
    return np.concatenate([path, ahead[:max(0, reach)]])


def longest_path(points: np.ndarray) -> np.ndarray:
    """The longest of the shortest paths (n, 3) between voxels ``points`` that touch; of branches the longest continuation."""
    pairs = cKDTree(points).query_pairs(1.8, output_type="ndarray")
    lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    graph = coo_array((lengths, (pairs[:, 0], pairs[:, 1])), shape=(len(points), len(points))).tocsr()
    best = points[:1]
    left = np.ones(len(points), dtype=bool)
    while left.any():  # piece by piece: from any place to the farthest, and from there to the farthest
        start = int(np.flatnonzero(left)[0])
        far = dijkstra(graph, directed=False, indices=start)
        left &= ~np.isfinite(far)
        first = int(np.argmax(np.where(np.isfinite(far), far, -1)))
        distance, before = dijkstra(graph, directed=False, indices=first, return_predecessors=True)
        last = int(np.argmax(np.where(np.isfinite(distance), distance, -1)))
        path = [last]
        while path[-1] != first:
            path.append(int(before[path[-1]]))
        if _length(points[path]) > _length(best):
            best = points[path]
    return best


def _length(path: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def smooth_axis(line: np.ndarray, voxel_size: float, spacing: float, roughness: float) -> Axis:
    """A cubic spline near ``line`` (n, 3), voxels, at places ``spacing`` Angstrom apart; it may leave the line by ``roughness`` voxels."""
    degree = CUBIC if len(line) >= FEWEST else 1
    spline, _ = splprep(line.T, k=degree, s=len(line) * roughness**2 if degree == CUBIC else 0)
    fine = np.linspace(0, 1, 20 * len(line))
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(np.stack(splev(fine, spline), axis=1), axis=0), axis=1))]) * voxel_size
    step, count = min(spacing, along[-1]), max(2, int(along[-1] // spacing) + 1)
    start = (along[-1] - (count - 1) * step) / 2
    at = np.interp(start + np.arange(count) * step, along, fine)
    first = np.stack(splev(at, spline, der=1), axis=1)
    tangents = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    return Axis(np.stack(splev(at, spline), axis=1), tangents, float(along[-1]), _bend(spline, fine, voxel_size, degree))


def _bend(spline: tuple, parameter: np.ndarray, voxel_size: float, degree: int) -> float:
    """Mean curvature |r' x r''| / |r'|^3 in 1 / Angstrom."""
    if degree < CUBIC:
        return 0.0
    first, second = (np.stack(splev(parameter, spline, der=order), axis=1) * voxel_size for order in (1, 2))
    return float(np.mean(np.linalg.norm(np.cross(first, second), axis=1) / np.maximum(np.linalg.norm(first, axis=1), 1e-12) ** 3))


def near_axes(mask: np.ndarray, axes: Sequence[Axis], reach: float, planes: slice) -> np.ndarray:
    """Which voxels of ``mask`` (z, y, x), the ``planes`` of a volume, lie within ``reach`` voxels of a point of an axis."""
    places = np.argwhere(mask)
    kept = np.zeros(mask.shape, dtype=bool)
    if len(places) and axes:
        points = np.concatenate([axis.zyx for axis in axes])
        places = places[cKDTree(points).query(places + np.array([planes.start, 0, 0]), distance_upper_bound=reach)[0] <= reach]
        kept[tuple(places.T)] = True
    return kept
