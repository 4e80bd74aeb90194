"""Solids that macromolecules are filled into: spheres, ellipsoids, cylinders, capsules, and what set operations make of them.

Coordinates are (n, 3) arrays of (z, y, x) in Angstrom, the main symmetry axis is z. A solid only has to say which points lie
inside it; sizes are relative, since the library scales each body to the volume of its mass.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .rotations import symmetry_matrices

Array = NDArray[np.float64]
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Solid:
    """``contains(points (n, 3))`` gives (n,) bool; ``radius`` bounds the solid around the origin."""

    contains: Callable[[Array], NDArray[np.bool_]]
    radius: float

    def __or__(self, other: Solid) -> Solid:
        return Solid(lambda p: self.contains(p) | other.contains(p), max(self.radius, other.radius))

    def __sub__(self, other: Solid) -> Solid:
        return Solid(lambda p: self.contains(p) & ~other.contains(p), self.radius)

    def __and__(self, other: Solid) -> Solid:
        return Solid(lambda p: self.contains(p) & other.contains(p), min(self.radius, other.radius))


def ellipsoid(centre: Point, semi_axes: Point) -> Solid:
    """Ellipsoid along the axes."""
    c, s = np.asarray(centre), np.asarray(semi_axes)

    def contains(p: Array) -> NDArray[np.bool_]:
        scaled = (p - c) / s
        return np.einsum("ij,ij->i", scaled, scaled) <= 1

    return Solid(contains, float(np.linalg.norm(c) + s.max()))


def sphere(centre: Point, radius: float) -> Solid:
    """Ball."""
    return ellipsoid(centre, (radius, radius, radius))


def shell(outer: float, inner: float) -> Solid:
    """Hollow ball about the origin."""
    return sphere((0, 0, 0), outer) - sphere((0, 0, 0), inner)


def cylinder(height: float, outer: float, inner: float = 0.0, z: float = 0.0) -> Solid:
    """Cylinder or tube about the z axis, its middle at ``z``."""

    def contains(p: Array) -> NDArray[np.bool_]:
        across = np.hypot(p[:, 1], p[:, 2])
        return (np.abs(p[:, 0] - z) <= height / 2) & (across <= outer) & (across >= inner)

    return Solid(contains, float(np.hypot(abs(z) + height / 2, outer)))


def capsule(start: Point, end: Point, radius: float) -> Solid:
    """All points within ``radius`` of a segment."""
    a, b = np.asarray(start, float), np.asarray(end, float)
    along = (b - a) / ((b - a) @ (b - a))

    def contains(p: Array) -> NDArray[np.bool_]:
        position = np.clip((p - a) @ along, 0, 1)
        return ((p - a - position[:, None] * (b - a)) ** 2).sum(axis=1) <= radius**2

    return Solid(contains, float(max(np.linalg.norm(a), np.linalg.norm(b)) + radius))


def union(*solids: Solid) -> Solid:
    """All points in any of the solids."""
    result = solids[0]
    for solid in solids[1:]:
        result = result | solid
    return result


def moved(solid: Solid, offset: Array) -> Solid:
    """``solid`` moved by ``offset`` (3,)."""
    return Solid(lambda p: solid.contains(p - offset), solid.radius + float(np.linalg.norm(offset)))


def symmetric(solid: Solid, symmetry: str) -> Solid:
    """The union of all copies of ``solid`` under a point group."""
    matrices = symmetry_matrices(symmetry)

    def contains(p: Array) -> NDArray[np.bool_]:
        inside = np.zeros(len(p), dtype=bool)
        for matrix in matrices:
            outside = np.flatnonzero(~inside)
            inside[outside] = solid.contains(p[outside] @ matrix)  # row vectors times R are R^-1 applied to the points
        return inside

    return Solid(contains, solid.radius)
