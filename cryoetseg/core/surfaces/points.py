"""Points with normals on membranes, and where particles lie with respect to membranes."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from ..particles.angles import along_directions
from .measure import from_rim
from .midsurface import Surface, boundary_edges
from .params import MembranePointsParameters

INSIDE, OUTSIDE, BEYOND_RIM, NOWHERE = "inside", "outside", "beyond rim", ""


class MembranePoints(NamedTuple):
    """``zyx`` (n, 3) in voxels and RELION ``angles`` (n, 3) that turn the z axis of a reference along the normal."""

    zyx: np.ndarray
    angles: np.ndarray


class Distances(NamedTuple):
    """Of particles to the middle of the nearest membrane: ``distance`` (n,) in Angstrom, negative inside or behind the normal; the number
    of the ``membrane`` (n,), 0 where there is none; ``side`` (n,)."""

    distance: np.ndarray
    membrane: np.ndarray
    side: np.ndarray


def points_on(surface: Surface, p: MembranePointsParameters, voxel_size: float, rng: np.random.Generator) -> MembranePoints:
    """Points on one membrane, at least ``p.spacing`` apart. The turn about the normal, of which nothing is known, is random."""
    allowed = np.flatnonzero(from_rim(surface) * voxel_size >= p.least_from_edge)
    vertices = surface.vertices[allowed]
    spread = farthest_points if p.sampling == "farthest" else poisson_points
    chosen = allowed[spread(vertices, p.spacing / voxel_size, rng)] if len(vertices) else allowed
    chosen = chosen[:p.most or None]
    normals = surface.normals[chosen]
    places = surface.vertices[chosen]
    if p.sides == "both":
        places, normals = np.repeat(places, 2, axis=0), np.stack([normals, -normals], axis=1).reshape(-1, 3)
    return MembranePoints(places + p.offset / voxel_size * normals, along_directions(normals, rng.uniform(-180, 180, len(normals))))


def farthest_points(points: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of ``points`` (n, 3): each as far as possible from those before it, until every point has one within ``spacing``."""
    tree = cKDTree(points)
    distance = np.full(len(points), np.inf)
    chosen: list[int] = []
    place = int(rng.integers(len(points)))
    while not chosen or distance[place] >= spacing:
        # only points that are nearer to the new one than to all before change: they lie within the largest distance
        near = np.arange(len(points)) if not chosen else np.array(tree.query_ball_point(points[place], distance[place]), dtype=int)
        chosen.append(place)
        distance[near] = np.minimum(distance[near], np.linalg.norm(points[near] - points[place], axis=1))
        place = int(np.argmax(distance))
    return np.array(chosen)


def poisson_points(points: np.ndarray, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """Rows of ``points`` (n, 3) in random order, without those that lie within ``spacing`` of an earlier one."""
    tree = cKDTree(points)
    dropped = np.zeros(len(points), dtype=bool)
    chosen: list[int] = []
    for place in rng.permutation(len(points)):
        if not dropped[place]:
            chosen.append(int(place))
            dropped[tree.query_ball_point(points[place], spacing)] = True
    return np.array(chosen)


def distances_to(surfaces: Sequence[Surface], labels: Sequence[int], zyx: np.ndarray, voxel_size: float) -> Distances:
    """Where points (n, 3), voxels, lie with respect to the nearest of the membranes."""
    count = len(zyx)
    vertices = np.concatenate([surface.vertices for surface in surfaces]) if surfaces else np.zeros((0, 3))
    if not len(vertices) or not count:
        return Distances(np.full(count, np.inf), np.zeros(count, dtype=int), np.full(count, NOWHERE, dtype=object))
    normals = np.concatenate([surface.normals for surface in surfaces])
    owner = np.repeat(np.asarray(labels), [len(surface.vertices) for surface in surfaces])
    rim = np.concatenate([np.isin(np.arange(len(surface.vertices)), boundary_edges(surface.faces)) for surface in surfaces])
    distance, nearest = cKDTree(vertices).query(zyx)
    above = np.einsum("ij,ij->i", zyx - vertices[nearest], normals[nearest])
    # vertices lie a voxel apart: near a membrane the distance to the plane through the vertex is the better one
    distance = np.where((distance < 3) & ~rim[nearest], np.abs(above), distance)
    side = np.where(above < 0, INSIDE, OUTSIDE).astype(object)
    side[rim[nearest] & (distance > 3)] = BEYOND_RIM
    return Distances(np.where(above < 0, -distance, distance) * voxel_size, owner[nearest], side)
