"""Answers at several voxel sizes together: the finer ones where they are sure, the coarser ones where noise hides what fine voxels show."""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from ...runtime.progress import track
from ...volumes.streaming import release_pages, z_slabs

REACH = 40.0  # A around what the finer sizes are sure of, in which coarser ones, whose borders are wider, have no say


def complete(fine: Any, coarse: Any, target: Any, voxel_size: float) -> None:
    """Write ``w fine + (1 - w) max(fine, coarse)`` into ``target``, all (z, y, x), probabilities on one grid of ``voxel_size`` Angstrom.

    The weight ``w`` is the largest ``fine`` probability within :data:`REACH`: a membrane that fine voxels show keeps their border, one that
    they do not show is as probable as coarse ones say. Works slab by slab.
    """
    reach = max(1, round(REACH / voxel_size))
    depth = target.shape[0]
    for window in track(z_slabs(target.shape, 4 * 3), "scales together"):
        first, last = max(0, window.start - reach), min(depth, window.stop + reach)
        around = np.asarray(fine[first:last], dtype=np.float32)
        own = slice(window.start - first, window.stop - first)
        weight = ndimage.maximum_filter(around, 2 * reach + 1)[own]
        most = np.maximum(around[own], np.asarray(coarse[window], dtype=np.float32))
        target[window] = weight * around[own] + (1 - weight) * most
        for volume in (fine, coarse, target):
            release_pages(volume)
