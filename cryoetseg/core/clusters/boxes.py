"""Boxes about particles, 400 A wide at 12.5 A a voxel whatever the tomogram's voxel size: a particle's size stays what it is."""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates, uniform_filter

from ..models.embedding3d import SIDE

BOX_VOXEL = 12.5  # A
WIDTH = SIDE * BOX_VOXEL


def cut_box(volume: Any, centre: np.ndarray, voxel_size: float, side: int = SIDE, box_voxel: float = BOX_VOXEL) -> np.ndarray:
    """The cube (side, side, side) float32 of ``box_voxel`` Angstrom about ``centre`` (z, y, x; voxels) of a volume (z, y, x), 0 outside it.

    Finer volumes are averaged first over what one voxel of the box covers.
    """
    factor = box_voxel / voxel_size
    reach = factor * (side - 1) / 2 + factor / 2 + 2
    low = np.floor(centre - reach).astype(int)
    shape = np.ceil(centre + reach).astype(int) + 1 - low
    block = np.zeros(shape, dtype=np.float32)
    first, last = np.clip(low, 0, volume.shape), np.clip(low + shape, 0, volume.shape)
    if (last <= first).any():
        return np.zeros((side,) * 3, dtype=np.float32)
    block[tuple(slice(a - b, c - b) for a, b, c in zip(first, low, last))] = volume[tuple(slice(a, c) for a, c in zip(first, last))]
    if factor >= 1.5:
        block = uniform_filter(block, round(factor))
    axes = [(np.arange(side) - (side - 1) / 2) * factor + middle - start for middle, start in zip(centre, low)]
    if factor >= 1.5 and round(factor) % 2 == 0:
        axes = [axis + 0.5 for axis in axes]  # an even filter's mean lies half a voxel behind
    return map_coordinates(block, np.meshgrid(*axes, indexing="ij"), order=1, mode="constant")
