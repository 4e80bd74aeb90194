"""Gold beads: 10-15 times the contrast of protein, radius 25-50 A (spec D2.4)."""
from __future__ import annotations

import logging

import numpy as np

from .scene import Scene

logger = logging.getLogger(__name__)
GOLD_DENSITY = 12.0
TRIES = 50


def add_gold(scene: Scene, rng: np.random.Generator) -> None:
    """Place gold beads of random radius where nothing else is."""
    p = scene.parameters
    for _ in range(p.gold_count):
        radius = rng.uniform(p.gold_radius_min, p.gold_radius_max) / p.voxel_size
        half = int(np.ceil(radius)) + 1
        axis = np.arange(-half, half + 1)
        distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
        density = (GOLD_DENSITY * np.clip(radius - distance + 0.5, 0, 1)).astype(np.float32)
        first, last = scene.z_range
        lower, upper = np.array([first, 0, 0]) + half, np.array([last, p.size_y, p.size_x]) - half
        if (upper <= lower).any():
            logger.info("the sample is too thin for a gold bead of %.0f A", radius * p.voxel_size)
            continue
        for centre in rng.integers(lower, upper, size=(TRIES, 3)):
            box = (slice(centre[0] - half, centre[0] + half + 1), slice(centre[1] - half, centre[1] + half + 1),
                   slice(centre[2] - half, centre[2] + half + 1))
            if not scene.occupied[box].any():
                scene.add_structure("gold", box, density, density > GOLD_DENSITY / 2)
                break
