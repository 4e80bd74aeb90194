"""What a cluster is like: how many, how wide, how strong, how near to each other and to membranes."""
from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from .boxes import BOX_VOXEL

LARGEST = 190.0  # A, radius up to which an average is looked at
FALLEN = 0.25  # of the highest density: where a body ends
CLEAR = 4.0  # deviations of a shell's mean by which it stands out


def radial_profile(density: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radii in Angstrom, mean density and number of voxels of the shells of a box (z, y, x), one voxel thick."""
    axis = (np.arange(len(density)) - (len(density) - 1) / 2) * BOX_VOXEL
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    shell = np.minimum(radius / BOX_VOXEL, len(density) / 2).astype(int)
    counts = np.bincount(shell.ravel())
    radii = np.bincount(shell.ravel(), radius.ravel()) / counts
    kept = radii <= LARGEST
    return radii[kept], (np.bincount(shell.ravel(), density.ravel()) / counts)[kept], counts[kept]


def diameter_of(density: np.ndarray) -> float:
    """Diameter in Angstrom of the body in the middle of an average: the radius, outside of its densest shell, at which the mean over a
    shell has fallen to a quarter, times two; NaN where no shell stands out of the noise."""
    radii, profile, counts = radial_profile(density)
    far = radii > 0.75 * LARGEST
    height = profile - float(np.median(profile[far]))
    noise = float(np.std(density))  # of a voxel; a mean over a shell has less
    clear = height > CLEAR * noise / np.sqrt(counts)
    if not clear.any():
        return float("nan")
    top = int(np.argmax(np.where(clear, height, -np.inf)))
    below = np.flatnonzero(height[top:] < FALLEN * height[top])
    if not len(below):
        return 2 * float(radii[-1])
    last = top + int(below[0])
    step = (height[last - 1] - FALLEN * height[top]) / max(height[last - 1] - height[last], 1e-9)
    return 2 * float(radii[last - 1] + step * (radii[last] - radii[last - 1]))


def contrast_of(density: np.ndarray) -> float:
    """Mean of the middle of an average within 50 A, in deviations of single boxes."""
    radii, profile, counts = radial_profile(density)
    inside = radii <= 50
    return float(np.average(profile[inside], weights=counts[inside]))


def neighbour_distance(zyx: np.ndarray, group: np.ndarray, voxel_size: float) -> np.ndarray:
    """Distance (n,) in Angstrom of each point (n, 3), in voxels, to the nearest one of its own group (n,); infinite where it is alone."""
    result = np.full(len(zyx), np.inf)
    for number in np.unique(group):
        own = np.flatnonzero(group == number)
        if len(own) > 1:
            result[own] = cKDTree(zyx[own]).query(zyx[own], 2)[0][:, 1] * voxel_size
    return result


def near_mask(mask: Any, zyx: np.ndarray, voxel_size: float, reach: float) -> np.ndarray:
    """Whether a voxel above 0 of a mask (z, y, x) lies within ``reach`` Angstrom of each point (n, 3), in voxels; reads what is near."""
    margin = int(np.ceil(reach / voxel_size)) + 1
    result = np.zeros(len(zyx), dtype=bool)
    for row, place in enumerate(np.rint(zyx).astype(int)):
        low = np.maximum(place - margin, 0)
        block = np.asarray(mask[tuple(slice(a, b) for a, b in zip(low, place + margin + 1))]) > 0
        if block.any():
            inside = tuple(np.clip(place - low, 0, np.array(block.shape) - 1))
            result[row] = distance_transform_edt(~block)[inside] * voxel_size <= reach
    return result
