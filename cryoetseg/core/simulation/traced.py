"""Membranes with the shapes of real ones: surfaces from label volumes that someone segmented, at any voxel size."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, map_coordinates
from skimage.measure import block_reduce

from ..volumes.io import open_labels
from .membranes import Surface
from .rotations import Array

FEWEST_VOXELS = 500  # of a label in the cut box; fewer are no membrane worth placing
PLACES_TRIED = 12


def traced_surface(labels: NDArray[np.bool_], label_voxel_size: float) -> Surface:
    """The middle of the labelled sheet ``labels`` (z, y, x) as a surface about the box's corner; distances are not signed.

    Labels may be one voxel thin or as thick as a bilayer: half their thickness is taken off.
    """
    inner = distance_transform_edt(labels)
    half = float(np.percentile(inner[labels], 95)) - 0.5
    distance = np.maximum(distance_transform_edt(~labels) - 0.5, 0) - np.maximum(inner - 0.5, 0)
    field = (np.abs(distance + half) * label_voxel_size).astype(np.float32)

    def at(points: Array) -> Array:
        return map_coordinates(field, points.T / label_voxel_size, order=1, mode="nearest")

    return Surface("traced", at, False)


def cut_labels(
    paths: Sequence[str | Path], extent: Sequence[float], voxel_sizes: Sequence[float], finest: float, rng: np.random.Generator,
) -> tuple[NDArray[np.bool_], float] | None:
    """A random box of ``extent`` (z, y, x) Angstrom out of one of the label volumes, and its voxel size; None where only empty boxes
    were met.

    ``voxel_sizes`` are those of the label volumes, whose headers may be wrong. A box larger than the volume is cut at its faces;
    voxels much finer than ``finest`` Angstrom are joined, a joined one is labelled where any of them was.
    """
    number = int(rng.integers(len(paths)))
    voxel_size = voxel_sizes[number]
    data = open_labels(paths[number], voxel_size).data
    sides = [max(2, min(size, round(length / voxel_size))) for size, length in zip(data.shape, extent)]
    for _ in range(PLACES_TRIED):
        start = [int(rng.integers(size - side + 1)) for size, side in zip(data.shape, sides)]
        box = np.asarray(data[tuple(slice(first, first + side) for first, side in zip(start, sides))]) > 0
        if np.count_nonzero(box) >= FEWEST_VOXELS:
            joined = max(1, int(finest / voxel_size))
            return block_reduce(box, joined, np.max), voxel_size * joined
    return None
