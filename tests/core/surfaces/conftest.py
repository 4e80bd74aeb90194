"""Masks of bodies whose area, volume and thickness are known."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def space() -> Callable[..., np.ndarray]:
    """``space(sides in A, voxel size)``: coordinates (3, z, y, x) in A of the voxels' centres, from the middle of the box."""

    def axes(sides, voxel_size):
        ranges = [(np.arange(round(side / voxel_size)) + 0.5) * voxel_size - side / 2 for side in sides]
        return np.stack(np.meshgrid(*ranges, indexing="ij"))

    return axes
