"""Augmentation of a crop with its labels: everything is drawn first, then applied (DeepETPicker 2.4)."""
from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

Augmentation = Literal["published", "mirrors", "tilt_axis", "none"]
LARGEST_ANGLE = 15.0  # degrees about each axis
SCALES = (0.95, 1.05)
BENDING = 0.05  # largest correlation length of the deformation over the side of the crop


def augment(volume: np.ndarray, labels: np.ndarray, kind: Augmentation, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A crop (z, y, x) and its labels, changed alike: grey values with cubic splines, labels by the nearest voxel, 0 outside."""
    if kind == "none":
        return volume, labels
    if kind == "published" and generator.random() < 0.5:
        return _warped(volume, labels, generator)
    axes = tuple(np.flatnonzero(draw_mirrors(kind, generator)))
    return np.ascontiguousarray(np.flip(volume, axes)), np.ascontiguousarray(np.flip(labels, axes))


def draw_mirrors(kind: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """Whether each axis (z, y, x) is mirrored, bool; two mirrors at once turn a crop about the tilt axis."""
    if kind == "none":
        return np.zeros(3, dtype=bool)
    flips = generator.random(3) < 0.5
    return flips if kind != "tilt_axis" else flips[0] & np.array([True, False, True])


def _warped(volume: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Bent, turned and scaled, each with probability 0.1."""
    bends, turns, scales = generator.random(3) < 0.1
    angles = generator.uniform(-LARGEST_ANGLE, LARGEST_ANGLE, 3)
    scale = generator.uniform(*SCALES)
    length = generator.uniform(0, BENDING) * max(volume.shape)
    reach = generator.uniform(1 / 8, 1 / 2) * length
    field = generator.uniform(-1, 1, (3, *volume.shape)) if bends else np.zeros((3, 1, 1, 1))
    if not (bends or turns or scales):
        return volume, labels
    matrix = Rotation.from_euler("zyx", angles if turns else (0, 0, 0), degrees=True).as_matrix() * (scale if scales else 1.0)
    middle = (np.array(volume.shape) - 1) / 2
    grid = np.stack(np.meshgrid(*(np.arange(size) - c for size, c in zip(volume.shape, middle)), indexing="ij"))
    places = np.tensordot(matrix, grid, 1) + middle[:, None, None, None]
    if bends:
        smooth = np.stack([gaussian_filter(part, length) for part in field])
        places += reach * smooth / np.abs(smooth).max()
    return map_coordinates(volume, places, order=3, mode="constant"), map_coordinates(labels, places, order=0, mode="constant")
