"""The numbers of one membrane: area, length, thickness, curvature, volume, how closed it is, distance to its neighbours."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError, cKDTree
from scipy.spatial.distance import pdist

from .fields import chords, rough_thickness
from .midsurface import Surface, boundary_edges, curvatures, mid_surface

CLOSED = 0.98  # share of the surface, with its holes filled, that is membrane
THICKNESS_POINTS = 20000
DISTANCE_POINTS = 20000
HULL_POINTS = 2000
RAGGED = 1.5  # voxels about a rim in which a mesh is not told exactly


class Membrane(NamedTuple):
    """Lengths in Angstrom. ``mean_curvature`` is the mean of its size, 1/A; ``gaussian_curvature`` 1/A^2. ``closedness`` is the share of
    the surface that is membrane when its holes are filled flat; ``enclosed_volume`` is NaN unless it is closed, ``capped_volume`` fills
    holes.
    ``nearest`` is the smallest distance of the two middles to another membrane, number ``nearest_label``; NaN and 0 where there is none."""

    label: int
    mask_volume: float
    area: float
    length: float
    thickness: float
    thickness_deviation: float
    mean_curvature: float
    gaussian_curvature: float
    closedness: float
    closed: bool
    enclosed_volume: float
    capped_volume: float
    at_border: bool
    centre_z: float
    centre_y: float
    centre_x: float
    nearest: float = float("nan")
    nearest_label: int = 0


def measured(label: int, mask: np.ndarray, corner: Sequence[int], whole: Sequence[int], voxel_size: float,
             smoothing_rounds: int = 10) -> tuple[Membrane, Surface]:
    """Numbers and mesh of one membrane from its mask (z, y, x) of bool, cut out of a volume of shape ``whole`` at ``corner``.

    The mesh is in voxels (z, y, x) of the whole volume.
    """
    surface = mid_surface(mask, smoothing_rounds)
    voxels = np.argwhere(mask)
    ends = voxels.min(axis=0) + corner, voxels.max(axis=0) + corner
    at_border = bool((ends[0] == 0).any() or (ends[1] == np.array(whole) - 1).any())
    middle = voxels.mean(axis=0) + corner
    rough = rough_thickness(mask)
    inner = from_rim(surface) > rough  # at rims normals are least certain, and half of the sheet is missing
    inner = inner if inner.any() else np.ones(len(surface.vertices), dtype=bool)
    thickness, deviation = _thickness(mask, surface, inner, rough)
    bends, weights = curvatures(surface), vertex_areas(surface)
    volume, caps = capped(surface)
    area = float(weights.sum())
    closedness = area / (area + caps) if area else 0.0
    closed = closedness >= CLOSED and not at_border
    enclosed = abs(volume) * voxel_size**3
    # normals of what encloses something point outwards, those of an open sheet to the outer side of its bend
    if (volume if closedness > 0.5 else float(weights @ bends.mean)) < 0:
        surface = turned_over(surface)
    weights = np.where(inner, weights, 0.0)
    total = max(float(weights.sum()), 1e-12)
    row = Membrane(
        label, len(voxels) * voxel_size**3, area * voxel_size**2, _longest(surface.vertices) * voxel_size, thickness * voxel_size,
        deviation * voxel_size, float(weights @ np.abs(bends.mean)) / total / voxel_size,
        float(weights @ bends.gaussian) / total / voxel_size**2, closedness, closed, enclosed if closed else float("nan"), enclosed,
        at_border, *middle.tolist())
    return row, surface._replace(vertices=surface.vertices + np.asarray(corner))


def turned_over(surface: Surface) -> Surface:
    """The same surface with normals to the other side."""
    return Surface(surface.vertices, surface.faces[:, ::-1], -surface.normals)


def _thickness(mask: np.ndarray, surface: Surface, inner: np.ndarray, rough: float) -> tuple[float, float]:
    """Mean and deviation of the thickness in voxels, by the mask along the normals at up to 20 000 of the ``inner`` (v,) vertices."""
    if not len(surface.vertices):
        return rough, 0.0
    chosen = np.flatnonzero(inner)
    chosen = chosen[:: 1 + len(chosen) // THICKNESS_POINTS]
    found = chords(mask, surface.vertices[chosen], surface.normals[chosen], 3 * rough + 4).thickness
    return float(found.mean()), float(found.std())


def from_rim(surface: Surface) -> np.ndarray:
    """Distance (v,) in voxels of each vertex from the nearest rim; infinite on a mesh without any."""
    rim = np.unique(boundary_edges(surface.faces))
    if not len(rim):
        return np.full(len(surface.vertices), np.inf)
    return cKDTree(surface.vertices[rim]).query(surface.vertices)[0]


def vertex_areas(surface: Surface) -> np.ndarray:
    """The share (v,) of the area, in square voxels, that belongs to each vertex."""
    corners = surface.vertices[surface.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    return np.bincount(surface.faces.ravel(), np.repeat(areas / 3, 3), len(surface.vertices))


def capped(surface: Surface) -> tuple[float, float]:
    """Volume in cubic voxels, negative where normals point inwards, of the surface with each hole filled by a fan about the middle of its
    rim, and the area of these fans in square voxels."""
    if not len(surface.faces):
        return 0.0, 0.0
    middle = surface.vertices.mean(axis=0)
    corners = surface.vertices[surface.faces] - middle
    volume = float(np.linalg.det(corners).sum()) / 6
    edges = boundary_edges(surface.faces)
    if not len(edges):
        return volume, 0.0
    ends = surface.vertices[edges[:, ::-1]] - middle
    graph = coo_array((np.ones(len(edges), dtype=bool), tuple(edges.T)), shape=(len(surface.vertices),) * 2)
    rim = np.unique(connected_components(graph, directed=False)[1][edges[:, 0]], return_inverse=True)[1]
    counts = np.bincount(rim)
    hubs = _sums(ends.mean(axis=1), rim) / counts[:, None]
    triangles = np.concatenate([ends, hubs[rim][:, None]], axis=1)
    # the vector area of a rim, however ragged, is that of what spans it
    fans = np.linalg.norm(_sums(np.cross(triangles[:, 0] - triangles[:, 2], triangles[:, 1] - triangles[:, 2]), rim), axis=1) / 2
    return volume + float(np.linalg.det(triangles).sum()) / 6, float(fans.sum())


def _sums(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sums (g, 3) of ``values`` (n, 3) over the groups 0, 1, ..."""
    return np.stack([np.bincount(group, values[:, axis]) for axis in range(values.shape[1])], axis=1)


def _longest(points: np.ndarray) -> float:
    """Largest distance between two of the points (n, 3)."""
    if len(points) < 2:
        return 0.0
    with suppress(QhullError, ValueError):  # points in one plane have no hull
        points = points[ConvexHull(points).vertices]
    return float(pdist(points[:: 1 + len(points) // HULL_POINTS]).max())


def with_distances(membranes: Sequence[Membrane], surfaces: Sequence[Surface], voxel_size: float) -> list[Membrane]:
    """The membranes with the distance from each to the nearest other one, and its number."""
    inner = [surface.vertices[from_rim(surface) > RAGGED] for surface in surfaces]
    thinned = [points[:: 1 + len(points) // DISTANCE_POINTS] for points in inner]
    owner = np.repeat(np.arange(len(thinned)), [len(points) for points in thinned])
    if len(np.unique(owner)) < 2:
        return list(membranes)
    points = np.concatenate(thinned)
    result = []
    for number, membrane in enumerate(membranes):
        others = owner != number
        if not len(thinned[number]) or not others.any():
            result.append(membrane)
            continue
        distances, places = cKDTree(points[others]).query(thinned[number])
        best = int(np.argmin(distances))
        nearest = membranes[owner[others][places[best]]].label
        result.append(membrane._replace(nearest=float(distances[best]) * voxel_size, nearest_label=nearest))
    return result
