"""What the network of centres should answer: a hill at each centre, the width of the particle, whether a membrane holds it.

The grid is the network's own, half as fine as the volume: cell i has its centre at voxel 2 i + 0.5.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...models.centre_unet3d import STRIDE

HEAT, BOUND, WIDTH = range(3)  # channels of the network
OUTPUTS = 3
SMALLEST_PX, LARGEST_PX = 4.5, 22.0  # diameters that are learned, in voxels; others are found at another scale of the tomogram
UNSEEN_PX = 3.2  # smaller bodies are grain and count as background
REFERENCE_PX = 8.0  # diameter whose logarithm is 0
HILL_SHARE, NARROWEST = 0.075, 0.7  # width of a hill: share of the diameter in voxels, at least so many cells
GRADED_FROM = 0.3  # height of the hill from which diameter and membrane are learned
REACH = 3.0


@dataclass(frozen=True)
class CentreTargets:
    """All (z, y, x) on the network's grid: ``heat`` 0 to 1; ``centre`` 1 in the cell nearest to each centre; ``weight`` 0 where nothing
    is learned; ``bound`` 0 or 1; ``width`` log2(diameter / 8 voxels); the last two count where ``graded`` is 1."""

    heat: np.ndarray
    centre: np.ndarray
    weight: np.ndarray
    bound: np.ndarray
    width: np.ndarray
    graded: np.ndarray


def centre_targets(zyx: np.ndarray, diameters_px: np.ndarray, bound: np.ndarray, shape: tuple[int, int, int]) -> CentreTargets:
    """Targets of a crop of ``shape`` voxels from centres (n, 3) in its voxels, diameters (n,) in voxels, and which are membrane-bound.

    Particles too small or too large for this scale count for nothing where they lie.
    """
    grid = tuple(side // STRIDE for side in shape)
    heat, weight = np.zeros(grid, np.float32), np.ones(grid, np.float32)
    centre, widths, kinds = np.zeros(grid, np.float32), np.zeros(grid, np.float32), np.zeros(grid, np.float32)
    cells = (np.asarray(zyx, dtype=float).reshape(-1, 3) - 0.5) / STRIDE
    learned = (diameters_px >= SMALLEST_PX) & (diameters_px <= LARGEST_PX)
    for place, diameter in zip(cells[~learned], diameters_px[~learned]):
        if diameter >= UNSEEN_PX:
            _ball(weight, place, max(diameter / (2 * STRIDE), 0.9), 0.0)
    for place, diameter, kind in zip(cells[learned], diameters_px[learned], bound[learned]):
        _hill(heat, widths, kinds, place, diameter, kind)
        nearest = np.rint(place).astype(int)
        if ((nearest >= 0) & (nearest < grid)).all():
            centre[tuple(nearest)], weight[tuple(nearest)] = 1.0, 1.0
    return CentreTargets(heat, centre, weight, kinds, widths, (heat >= GRADED_FROM).astype(np.float32))


def hill_width(diameter_px: float) -> float:
    """Standard deviation, in cells, of the hill of a particle."""
    return max(NARROWEST, HILL_SHARE * diameter_px)


def _hill(heat: np.ndarray, widths: np.ndarray, kinds: np.ndarray, place: np.ndarray, diameter: float, kind: float) -> None:
    """Raise the heat to a Gaussian about ``place``; the particle with the highest hill decides width and kind of a cell."""
    sigma = hill_width(diameter)
    box, squared = _distances(heat.shape, place, REACH * sigma)
    if box is None:
        return
    hill = np.exp(-squared / (2 * sigma**2)).astype(np.float32)
    higher = hill > heat[box]
    heat[box] = np.maximum(heat[box], hill)
    widths[box] = np.where(higher, np.float32(np.log2(diameter / REFERENCE_PX)), widths[box])
    kinds[box] = np.where(higher, np.float32(kind), kinds[box])


def _ball(array: np.ndarray, place: np.ndarray, radius: float, value: float) -> None:
    box, squared = _distances(array.shape, place, radius)
    if box is not None:
        array[box] = np.where(squared <= radius**2, np.float32(value), array[box])


def _distances(shape: tuple[int, ...], place: np.ndarray, reach: float) -> tuple[tuple[slice, ...] | None, np.ndarray]:
    """The box of cells within ``reach`` of ``place`` and their squared distances; None outside the grid."""
    first = np.maximum(np.ceil(place - reach).astype(int), 0)
    last = np.minimum(np.floor(place + reach).astype(int) + 1, shape)
    if (last <= first).any():
        return None, np.zeros(0)
    axes = [np.arange(a, b) - p for a, b, p in zip(first, last, place)]
    box = tuple(slice(a, b) for a, b in zip(first, last))
    return box, axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2


def matched(found: np.ndarray, truth: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Which of ``found`` (n, 3), best first, is the first within ``reach`` (m,) of a true centre (m, 3) that none has taken before."""
    hit, taken = np.zeros(len(found), dtype=bool), np.zeros(len(truth), dtype=bool)
    if not len(truth):
        return hit
    tree = cKDTree(truth)
    for index, place in enumerate(found):
        near = np.array(tree.query_ball_point(place, float(reach.max())), dtype=int)
        near = near[~taken[near]]
        distances = np.linalg.norm(truth[near] - place, axis=1)
        allowed = distances <= reach[near]
        if allowed.any():
            taken[near[allowed][np.argmin(distances[allowed])]] = True
            hit[index] = True
    return hit
