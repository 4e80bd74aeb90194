"""Membranes as implicit surfaces: signed distances in Angstrom, negative inside, and the bilayer's density across them.

Spec D2.3: spheres, ellipsoids (eccentricity up to 0.75), tubes and tori, sheets, slightly deformed at low frequency; a bilayer is
two Gaussians (sigma 5-8 A) at +-17 A from the mid-surface with an interior of -0.15; its label is |distance| <= 25 A.
Distances are first-order: exact to a few per cent near the surface, which is where they are used.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .library import ANTIALIAS_SIGMA
from .params import SimulationParameters
from .rotations import matrix_zyx, random_rotation

Array = NDArray[np.floating]
Distance = Callable[[Array], Array]
BLOCK = 4
CUBE = 8
TAIL_SIGMA = 7.0
MAX_ECCENTRICITY = 0.75


@dataclass(frozen=True)
class Surface:
    """``distance`` maps points (n, 3) (z, y, x) in Angstrom to signed distances; ``closed`` surfaces have a lumen."""

    kind: str
    distance: Distance
    closed: bool

    def normals(self, points: Array, step: float = 2.0) -> Array:
        """Unit outward normals (n, 3) at ``points``."""
        gradient = np.stack(
            [self.distance(points + step * axis) - self.distance(points - step * axis) for axis in np.eye(3)], axis=1)
        return gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)


@dataclass(frozen=True)
class Shell:
    """The voxels near a surface: ``index`` (n, 3), their signed ``distance`` (n,) in Angstrom, and the voxels deeper ``inside``."""

    index: NDArray[np.int32]
    distance: Array
    inside: NDArray[np.int32]


def smooth_field(rng: np.random.Generator, lowest: float, highest: float, waves: int = 6) -> Callable[[Array], Array]:
    """A random field over (n, d) points with unit variance, from plane waves of |k| between ``lowest`` and ``highest``."""
    directions = rng.normal(size=(waves, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    k = directions * rng.uniform(lowest, highest, size=(waves, 1))
    phase = rng.uniform(0, 2 * np.pi, size=waves)
    k, phase, height = k.T.astype(np.float32), phase.astype(np.float32), np.float32(np.sqrt(2 / waves))
    return lambda points: np.cos(points.astype(np.float32) @ k + phase).sum(axis=1) * height


def _matrix(rotation: Rotation) -> NDArray[np.float32]:
    return matrix_zyx(rotation).astype(np.float32)


def vesicle(centre: Array, semi_axes: Array, rotation: Rotation, roughness: float, rng: np.random.Generator) -> Surface:
    """A deformed sphere or ellipsoid; ``semi_axes`` (3,) in Angstrom."""
    bumps, matrix = smooth_field(rng, 1.0, 3.0), _matrix(rotation)

    def distance(points: Array) -> Array:
        local = (points - centre).astype(np.float32) @ matrix
        scaled = local / semi_axes
        q = np.maximum(np.linalg.norm(scaled, axis=1), 1e-6)
        slope = np.linalg.norm(scaled / semi_axes, axis=1) / q
        swelling = 1 + roughness * bumps(scaled / q[:, None])
        return (q - swelling) / np.maximum(slope, 1e-9)

    return Surface("vesicle", distance, True)


def torus(centre: Array, ring: float, radius: float, rotation: Rotation, roughness: float, rng: np.random.Generator) -> Surface:
    """A torus of ring radius ``ring`` and tube radius ``radius``."""
    bumps, matrix = smooth_field(rng, 0.5 / ring, 2.0 / ring), _matrix(rotation)

    def distance(points: Array) -> Array:
        local = (points - centre).astype(np.float32) @ matrix
        across = np.hypot(local[:, 1], local[:, 2]) - ring
        return np.hypot(across, local[:, 0]) - radius * (1 + roughness * bumps(local))

    return Surface("torus", distance, True)


def tube(centre: Array, radius: float, rotation: Rotation, length: float, roughness: float, rng: np.random.Generator) -> Surface:
    """A bent tube that crosses the volume; bends have wavelengths of about ``length``."""
    bend_y, bend_x = smooth_field(rng, 2 / length, 8 / length), smooth_field(rng, 2 / length, 8 / length)
    bumps, matrix = smooth_field(rng, 0.3 / radius, 1.0 / radius), _matrix(rotation)

    def distance(points: Array) -> Array:
        local = (points - centre).astype(np.float32) @ matrix
        axis = np.zeros_like(local)
        axis[:, 0] = local[:, 0]
        y = local[:, 1] - 0.05 * length * bend_y(axis)
        x = local[:, 2] - 0.05 * length * bend_x(axis)
        return np.hypot(y, x) - radius * (1 + roughness * bumps(local))

    return Surface("tube", distance, True)


def sheet(centre: Array, rotation: Rotation, length: float, roughness: float, half_gap: float, rng: np.random.Generator) -> Surface:
    """A wavy sheet through ``centre`` whose reference normal is z; ``half_gap`` > 0 makes a pair of parallel membranes."""
    waves, matrix = smooth_field(rng, 2 / length, 7 / length), _matrix(rotation)

    def distance(points: Array) -> Array:
        local = (points - centre).astype(np.float32) @ matrix
        plane = local.copy()
        plane[:, 0] = 0.0
        return local[:, 0] - roughness * length * waves(plane)

    single = Surface("sheet", distance, False)
    return paired(single, half_gap) if half_gap > 0 else single


def paired(surface: Surface, half_gap: float) -> Surface:
    """Two membranes at ``half_gap`` Angstrom on both sides of ``surface``; the gap between them is their lumen."""
    return Surface(f"double {surface.kind}", lambda points: np.abs(surface.distance(points)) - half_gap, True)


def draw_surfaces(parameters: SimulationParameters, rng: np.random.Generator) -> Iterator[Callable[[], Surface]]:
    """For each wanted membrane a function that draws a fresh candidate, so that an overlapping one can be drawn again."""
    p = parameters
    extent = np.array([p.size_z, p.size_y, p.size_x]) * p.voxel_size
    widest = extent[1:].min() / 3
    largest = max(min(p.vesicle_radius_max, widest), p.vesicle_radius_min)
    thickest = max(min(p.tube_radius_max, widest), p.tube_radius_min)

    def anywhere() -> Array:
        return rng.uniform(0, 1, size=3) * extent

    def ball(eccentric: bool) -> Surface:
        radius = np.exp(rng.uniform(np.log(p.vesicle_radius_min), np.log(largest)))  # small vesicles are the common ones
        # b / a = sqrt(1 - e2)
        shrink = np.sqrt(1 - rng.uniform(0.4, MAX_ECCENTRICITY, size=2) ** 2) if eccentric else np.ones(2)
        ball = vesicle(anywhere(), radius * np.array([1.0, *shrink]), random_rotation(rng), p.membrane_roughness, rng)
        return paired(ball, gap() / 2) if p.double_vesicle_fraction and rng.uniform() < p.double_vesicle_fraction else ball

    def gap() -> float:
        return rng.uniform(p.membrane_gap_min, p.membrane_gap_max)

    def flat(tilted: float) -> Rotation:
        """Turns z into the plane of the slab, within ``tilted`` degrees."""
        return Rotation.from_euler("YZ", [90 + rng.normal(0, tilted), rng.uniform(0, 360)], degrees=True)

    def a_tube() -> Surface:
        return tube(anywhere(), rng.uniform(p.tube_radius_min, thickest), flat(10), float(extent.max()), p.membrane_roughness / 2, rng)

    def a_torus() -> Surface:
        radius = rng.uniform(p.tube_radius_min, thickest)
        return torus(anywhere(), radius * rng.uniform(1.8, 3), radius, random_rotation(rng), p.membrane_roughness, rng)

    def a_sheet() -> Surface:
        half_gap = gap() / 2 if rng.uniform() < p.double_sheet_fraction else 0.0
        return sheet(anywhere(), flat(15), float(extent.max()), p.membrane_roughness / 2, half_gap, rng)

    yield from [a_sheet] * p.sheet_count + [a_tube] * p.tube_count + [a_torus] * p.torus_count
    yield from [lambda: ball(False)] * p.vesicle_count + [lambda: ball(True)] * p.ellipsoid_count


def occupied_cubes(occupied: NDArray[np.bool_], stride: int = CUBE) -> NDArray[np.int64]:
    """First voxels (n, 3) of the cubes of ``stride`` voxels that hold anything occupied."""
    first = [np.arange(0, side, stride) for side in occupied.shape]
    by_x = np.logical_or.reduceat(occupied, first[2], axis=2)
    by_y = np.logical_or.reduceat(by_x, first[1], axis=1)
    return np.argwhere(np.logical_or.reduceat(by_y, first[0], axis=0)) * stride


def touches(surface: Surface, cubes: NDArray[np.int64], voxel_size: float, reach: float, stride: int = CUBE) -> bool:
    """Whether ``surface`` comes within ``reach`` Angstrom of any of ``cubes`` (see :func:`occupied_cubes`)."""
    distance = _distance_in_parts(surface, cubes + (stride - 1) / 2, voxel_size)
    return bool((np.abs(distance) <= reach + stride / 2 * voxel_size).any())


def voxels_near(surface: Surface, shape: tuple[int, int, int], voxel_size: float, reach: float) -> Shell:
    """The voxels within ``reach`` Angstrom of ``surface`` and those inside of it, its lumen if it is closed.

    Blocks of 4 voxels are looked at first; only those that the surface can touch are evaluated voxel by voxel.
    """
    axes = [np.arange(0, side, BLOCK, dtype=np.int32) for side in shape]
    corners = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    middle = _distance_in_parts(surface, corners + (BLOCK - 1) / 2, voxel_size)
    half_diagonal = BLOCK / 2 * np.sqrt(3) * voxel_size
    near = np.abs(middle) < 1.5 * half_diagonal + reach  # 1.5: first-order distances may grow faster than the true one
    index = _voxels_of(corners[near], shape)
    distance = _distance_in_parts(surface, index, voxel_size)
    kept = np.abs(distance) <= reach
    inner = np.concatenate([_voxels_of(corners[~near & (middle < 0)], shape), index[distance < -reach]])
    return Shell(index[kept], distance[kept], inner)


def _distance_in_parts(surface: Surface, voxels: NDArray, voxel_size: float, part: int = 200_000) -> Array:
    """Distances at voxel coordinates, some at a time so that intermediate arrays stay in the cache."""
    starts = range(0, max(len(voxels), 1), part)
    return np.concatenate([surface.distance(voxels[start : start + part].astype(np.float32) * np.float32(voxel_size)) for start in starts])


def _voxels_of(corners: NDArray[np.int32], shape: tuple[int, int, int]) -> NDArray[np.int32]:
    inner = np.stack(np.meshgrid(*[np.arange(BLOCK, dtype=np.int32)] * 3, indexing="ij"), axis=-1).reshape(1, -1, 3)
    index = (corners[:, None] + inner).reshape(-1, 3)
    fits = (corners + BLOCK <= np.array(shape)).all()
    return index if fits else index[(index < shape).all(axis=1)]


def bilayer_density(distance: Array, parameters: SimulationParameters, voxel_size: float) -> NDArray[np.float32]:
    """Density of the bilayer at signed ``distance`` (n,) in Angstrom from its middle, averaged over voxels of ``voxel_size``.

    The averaging widens the three Gaussians and lowers them in proportion, so the mass of the bilayer is the same at every voxel size.
    """
    p = parameters
    blur = voxel_size**2 / 12 + (ANTIALIAS_SIGMA * voxel_size) ** 2

    def gaussian(offset: float, sigma: float) -> Array:
        wide = np.sqrt(sigma**2 + blur)
        return sigma / wide * np.exp(-((distance - offset) ** 2) / (2 * wide**2))

    leaflets = gaussian(p.leaflet_offset, p.leaflet_sigma) + gaussian(-p.leaflet_offset, p.leaflet_sigma)
    return (p.membrane_amplitude * leaflets + p.membrane_interior * gaussian(0.0, TAIL_SIGMA)).astype(np.float32)
