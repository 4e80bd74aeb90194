"""Weak labels: a small binary body around each particle, all a picker needs to learn from coordinates (DeepETPicker 2.2).

With r = (d - 1) / 2, a label of diameter d lies in a cube of d voxels; rho is the distance from its centre.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ...runtime.errors import ParameterError

LabelKind = Literal["gaussian", "sphere", "cubic"]
# Where exp(-rho2 / 2 r2) is cut. The published numbers are cut off after some digits, which takes in the voxels on the limit itself.
CUTS = {"gaussian": 0.367879, "sphere": 0.60653, "cubic": 0.223}


def template(kind: LabelKind, diameter_px: int) -> np.ndarray:
    """Binary label (d, d, d): ``gaussian`` (TBall-M) rho <= sqrt(2) r, a cube without its corners; ``sphere`` rho <= r; ``cubic`` all.

    Raises :class:`ParameterError` for an even diameter, which has no centre voxel.
    """
    if diameter_px % 2 == 0 or diameter_px < 3:
        raise ParameterError(f"label diameter of {diameter_px} voxels", "an odd number of at least 3",
                             f"use {diameter_px + 1 if diameter_px >= 2 else 3}")
    radius = (diameter_px - 1) // 2
    axis = np.arange(-radius, radius + 1) ** 2
    squared = axis[:, None, None] + axis[:, None] + axis
    return np.exp(-squared / (2 * radius**2)) > CUTS[kind]  # DeepETPicker 2.2


def paint(
    start: Sequence[int], shape: Sequence[int], zyx: Any, values: Any, kind: LabelKind, diameters_px: Any,
) -> np.ndarray:
    """Labels of the window of ``shape`` whose first voxel is ``start`` (z, y, x): int16, 0 where nothing is.

    ``zyx`` (n, 3) particle centres, rounded to the nearest voxel; ``values`` and ``diameters_px`` one for all or one each. Particles
    are painted in order and the last one wins: within its body it takes over other classes' voxels too, and within its cube all
    labelled voxels become its own (DeepETPicker 2.2). Bodies are clipped at the window.
    """
    points = np.rint(np.asarray(zyx, dtype=np.float64).reshape(-1, 3)).astype(np.int64) - np.asarray(start)
    labels = np.zeros(tuple(shape), dtype=np.int16)
    values, diameters = np.broadcast_to(values, len(points)), np.broadcast_to(diameters_px, len(points))
    radii = (diameters - 1) // 2
    reached = np.flatnonzero(((points + radii[:, None] >= 0) & (points - radii[:, None] < np.asarray(shape))).all(axis=1))
    bodies = {int(diameter): template(kind, int(diameter)) for diameter in np.unique(diameters[reached])}
    for index in reached:
        first, last = points[index] - radii[index], points[index] + radii[index] + 1
        inside = tuple(slice(max(0, int(a)), min(size, int(b))) for a, b, size in zip(first, last, shape))
        part = tuple(slice(window.start - int(a), window.stop - int(a)) for window, a in zip(inside, first))
        body = bodies[int(diameters[index])][part]
        window = labels[inside]
        window[body | (window > 0)] = values[index]
    return labels


def odd_diameter(diameter_px: float) -> int:
    """The nearest odd number of voxels, of two the larger; at least 3."""
    return max(3, 2 * int(diameter_px / 2) + 1)
