"""Filaments: actin and microtubules along worm-like chains (spec D1, D2.4).

Actin: one subunit every 27.5 A, turned by -166.6 degrees, 42 kDa, persistence length 17.7 um, about 70 A thick. Microtubule:
13 protofilaments on a radius of 112 A, one 50 kDa monomer every 40 A, a three-start helix, persistence length 5.2 mm.
"""
from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from .library import MASK_THRESHOLD, VOLUME_PER_DALTON, splat, template_sigma
from .scene import Scene

logger = logging.getLogger(__name__)
Array = NDArray[np.float64]
TRIES = 20
STEP = 20.0
GRAINS = 24  # Gaussian grains that make up one subunit


@dataclass(frozen=True)
class Filament:
    """A helical assembly: subunits at ``radius`` A from the axis, ``strands`` of them every ``rise`` A, each turn ``twist`` degrees."""

    kind: str
    persistence: float
    strands: int
    rise: float
    twist: float
    strand_rise: float
    radius: float
    subunit_radius: float
    mass_kda: float


ACTIN = Filament("actin", 17.7e4, 1, 27.5, -166.6, 0.0, 16.0, 22.0, 42.0)
MICROTUBULE = Filament("microtubule", 5.2e7, 13, 40.0, 0.0, 120.0 / 13, 112.0, 23.0, 50.0)


def worm_like_chain(start: Array, direction: Array, length: float, persistence: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Points (n, 3) every 20 A along a worm-like chain and unit tangents (n, 3): each transverse angle has variance step / persistence."""
    count = max(2, int(length / STEP))
    kicks = rng.normal(scale=np.sqrt(STEP / persistence), size=(count, 3))
    tangents = np.empty((count, 3))
    tangent = direction / np.linalg.norm(direction)
    for row, kick in enumerate(kicks):
        tangent = tangent + kick - (kick @ tangent) * tangent
        tangent = tangent / np.linalg.norm(tangent)
        tangents[row] = tangent
    return start + np.cumsum(tangents * STEP, axis=0), tangents


def subunit_centres(filament: Filament, points: Array, tangents: Array) -> Array:
    """Centres (n, 3) in Angstrom of all subunits on the helix around the chain."""
    along = np.arange(len(points)) * STEP
    position = np.arange(0, along[-1], filament.rise)
    strand = np.arange(filament.strands)
    s = (position[:, None] + strand * filament.strand_rise).ravel()
    angle = np.deg2rad(np.arange(len(position))[:, None] * filament.twist + strand * 360 / filament.strands).ravel()
    s, angle = s[s < along[-1]], angle[s < along[-1]]
    axis = np.stack([np.interp(s, along, points[:, column]) for column in range(3)], axis=1)
    tangent = np.stack([np.interp(s, along, tangents[:, column]) for column in range(3)], axis=1)
    first = np.cross(tangent, _across(tangents.mean(axis=0)))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    return axis + filament.radius * (np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second)


def _across(direction: Array) -> Array:
    return np.eye(3)[np.argmin(np.abs(direction))]


def add_filaments(scene: Scene, rng: np.random.Generator) -> None:
    """Place microtubules, then actin, each tried up to 20 times where nothing else is."""
    p = scene.parameters
    for filament in [MICROTUBULE] * p.microtubule_count + [ACTIN] * p.actin_count:
        if not any(_try_filament(scene, filament, rng) for _ in range(TRIES)):
            logger.info("no free place for a filament of %s", filament.kind)


def _try_filament(scene: Scene, filament: Filament, rng: np.random.Generator) -> bool:
    """Draw a filament, cut it where it leaves the sample, and place it unless it touches something."""
    p = scene.parameters
    first, last = scene.z_range
    margin = filament.radius + filament.subunit_radius
    lower = np.array([first * p.voxel_size + margin, -margin, -margin])
    upper = np.array([last * p.voxel_size - margin, p.size_y * p.voxel_size + margin, p.size_x * p.voxel_size + margin])
    if upper[0] <= lower[0]:
        return False
    azimuth, length = rng.uniform(0, 2 * np.pi), max(300.0, rng.exponential(p.filament_length))
    direction = np.array([rng.normal(scale=0.08), np.sin(azimuth), np.cos(azimuth)])
    points, tangents = worm_like_chain(rng.uniform(lower, upper), direction, length, filament.persistence, rng)
    inside = ((points > lower) & (points < upper)).all(axis=1)
    stop = len(points) if inside.all() else int(np.argmin(inside))
    if stop * STEP < 200:
        return False
    return _place(scene, filament, subunit_centres(filament, points[:stop], tangents[:stop]), rng)


def _place(scene: Scene, filament: Filament, centres: Array, rng: np.random.Generator) -> bool:
    voxel_size = scene.parameters.voxel_size
    unit = rng.normal(size=(GRAINS, 3))
    unit *= (rng.uniform(size=(GRAINS, 1)) ** (1 / 3)) * filament.subunit_radius / np.linalg.norm(unit, axis=1, keepdims=True)
    grains = (centres[:, None] + unit).reshape(-1, 3) / voxel_size
    pad = int(np.ceil(20 / voxel_size)) + 2
    lower = np.clip(np.floor(grains.min(axis=0)).astype(int) - pad, 0, np.array(scene.density.shape) - 2)
    upper = np.clip(np.ceil(grains.max(axis=0)).astype(int) + pad, lower + 2, scene.density.shape)
    volume = filament.mass_kda * 1e3 * VOLUME_PER_DALTON / GRAINS / voxel_size**3
    side_z, side_y, side_x = (int(side) for side in upper - lower)
    density = splat(grains - lower, np.full(len(grains), volume), (side_z, side_y, side_x))
    density = gaussian_filter(density, template_sigma(voxel_size, 8.0) / voxel_size, truncate=3)
    mask = density > MASK_THRESHOLD
    box = (slice(lower[0], upper[0]), slice(lower[1], upper[1]), slice(lower[2], upper[2]))
    if not mask.any() or (scene.occupied[box] & mask).any():
        return False
    scene.add_structure(filament.kind, box, density, mask)
    return True
