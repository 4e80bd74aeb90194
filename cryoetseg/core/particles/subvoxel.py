"""Places of tops between voxels."""

from __future__ import annotations

import numpy as np


def vertices(values: np.ndarray, tops: np.ndarray) -> np.ndarray:
    """Offsets (n, 3), at most half a voxel, from ``tops`` (n, 3), voxels of ``values`` (z, y, x), to the vertex of the parabola through
    each top and its two neighbours along each axis; 0 at the faces and where the three are equal."""
    offsets = np.zeros(tops.shape)
    for axis, size in enumerate(values.shape):
        step = np.zeros(3, dtype=int)
        step[axis] = 1
        inner = (tops[:, axis] > 0) & (tops[:, axis] < size - 1)
        left, middle, right = (values[tuple((tops[inner] + shift * step).T)].astype(np.float64) for shift in (-1, 0, 1))
        curvature = 2 * middle - left - right
        moved = np.divide(right - left, 2 * curvature, out=np.zeros_like(middle), where=curvature > 0)
        offsets[inner, axis] = np.clip(moved, -0.5, 0.5)
    return offsets
