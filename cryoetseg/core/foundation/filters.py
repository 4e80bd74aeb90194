"""Which regions of a mask are particles and what is left as membrane: the published rules and scale-aware ones (Uddin26 1.8)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.measure import regionprops
from skimage.morphology import convex_hull_image

from .membranes import drop_small_pieces
from .params import FilterParameters

PUBLISHED_CIRCULARITY = 0.95
PUBLISHED_AREA_NM = 30.0  # smallest area in pixels = 30 nm over the pixel size in nm, as published
PUBLISHED_MEMBRANE_PX = 10.0
PUBLISHED_NEIGHBOUR_PX = 32.0
PUBLISHED_THINNING_NM = 15.0


@dataclass(frozen=True)
class Split:
    """Particles of one slab and what is left: positions (n, 2) in pixels, areas in pixels, scores, and the membrane mask (y, x)."""

    yx: np.ndarray
    area_px: np.ndarray
    score: np.ndarray
    membranes: np.ndarray


def split_particles(
    mask: np.ndarray,
    labels: np.ndarray,
    canvas: np.ndarray,
    pixel_size: float,
    parameters: FilterParameters,
    voxel_size: float | None = None,
) -> Split:
    """Sort the regions ``labels`` of ``mask`` (y, x) into particles and membranes.

    ``canvas`` (y, x) in [0, 255] gives the score: how much darker a region is than its surroundings, 0 to 1. ``pixel_size`` is the
    mask's, ``voxel_size`` the tomogram's (default the same), in Angstrom: the published rules count pixels of the mask and
    voxels of the tomogram.
    """
    regions = regionprops(labels, intensity_image=local_contrast(canvas, parameters.particle_diameter / pixel_size))
    if parameters.filters == "published":
        return _published_split(mask, regions, pixel_size if voxel_size is None else voxel_size)
    return _scale_aware_split(mask, regions, pixel_size, parameters)


def circularity(area: float, perimeter: float) -> float:
    """4 pi area / perimeter^2; 1 where there is no perimeter (Uddin26 1.8)."""
    return 1.0 if perimeter == 0 else 4 * math.pi * area / perimeter**2


def local_contrast(canvas: np.ndarray, diameter_px: float) -> np.ndarray:
    """How much darker each pixel is than the Gaussian mean of one diameter around it, as a share of 255."""
    canvas = np.asarray(canvas, np.float32)
    return (ndimage.gaussian_filter(canvas, diameter_px, mode="nearest", truncate=2.0) - canvas) / 255.0


def is_round_particle(region: Any, diameter_px: float, parameters: FilterParameters) -> bool:
    """Scale-aware rule: area, solidity and eccentricity fit a particle of ``diameter_px``."""
    disc = math.pi * diameter_px**2 / 4
    return bool(
        parameters.smallest_area * disc <= region.area <= parameters.largest_area * disc
        and region.eccentricity <= parameters.largest_eccentricity
        and solidity(region.image) >= parameters.smallest_solidity
    )


def solidity(image: np.ndarray) -> float:
    """Area over convex area of a bool region, the hull through pixel centres.

    Through pixel corners, as the library's own property takes it, a disc of radius 3 gets 0.78 and every small particle fails.
    """
    pixels = np.argwhere(image)
    if np.linalg.matrix_rank(pixels - pixels[0]) < 2:
        return 1.0  # pixels on one line: no hull
    return float(len(pixels) / convex_hull_image(image, offset_coordinates=False).sum())


def far_from(mask: np.ndarray, yx: np.ndarray, distance_px: float) -> np.ndarray:
    """Which positions lie more than ``distance_px`` from the nearest pixel of ``mask``; all where it is empty."""
    if len(yx) == 0 or not mask.any():
        return np.ones(len(yx), bool)
    distances = ndimage.distance_transform_edt(~mask)
    rows, columns = np.clip(np.rint(yx).astype(int), 0, np.array(mask.shape) - 1).T
    return distances[rows, columns] > distance_px


def drop_close_pairs(positions: np.ndarray, distance: float) -> np.ndarray:
    """Published rule: indices of positions (n, d) with no other within ``distance``; both members of a pair go."""
    if len(positions) == 0:
        return np.zeros(0, int)
    close = cKDTree(positions).query_pairs(distance, output_type="ndarray")
    return np.setdiff1d(np.arange(len(positions)), close)


def keep_best(positions: np.ndarray, scores: np.ndarray, distance: float) -> np.ndarray:
    """Indices, ascending, of positions (n, d) left when of those within ``distance`` only the better-scored stays."""
    if len(positions) == 0:
        return np.zeros(0, int)
    neighbours = cKDTree(positions).query_ball_point(positions, distance)
    dropped, kept = np.zeros(len(positions), bool), []
    for index in np.argsort(-np.asarray(scores), kind="stable"):
        if not dropped[index]:
            kept.append(int(index))
            dropped[neighbours[index]] = True
    return np.array(sorted(kept), int)


def _published_split(mask: np.ndarray, regions: Sequence[Any], voxel_size: float) -> Split:
    round_ones = [region for region in regions if circularity(region.area, region.perimeter) >= PUBLISHED_CIRCULARITY]
    membranes = _without(mask, round_ones)
    voxel_nm = voxel_size / 10
    large = [region for region in round_ones if region.area >= PUBLISHED_AREA_NM / voxel_nm]
    split = _collect(large, membranes)
    split = _take(split, np.flatnonzero(far_from(membranes, split.yx, PUBLISHED_MEMBRANE_PX)))
    return _take(split, drop_close_pairs(split.yx, PUBLISHED_NEIGHBOUR_PX))


def _scale_aware_split(mask: np.ndarray, regions: Sequence[Any], pixel_size: float, parameters: FilterParameters) -> Split:
    diameter_px = parameters.particle_diameter / pixel_size
    particles = [region for region in regions if is_round_particle(region, diameter_px, parameters)]
    membranes = drop_small_pieces(_without(mask, particles), parameters.membrane_area / pixel_size**2)
    split = _collect(particles, membranes)
    split = _take(split, np.flatnonzero(far_from(membranes, split.yx, parameters.membrane_distance * diameter_px)))
    return _take(split, keep_best(split.yx, split.score, parameters.membrane_distance * diameter_px))


def _without(mask: np.ndarray, regions: Sequence[Any]) -> np.ndarray:
    rest = mask.copy()
    for region in regions:
        rest[region.slice][region.image] = False
    return rest


def _collect(regions: Sequence[Any], membranes: np.ndarray) -> Split:
    yx = np.array([region.centroid for region in regions], float).reshape(-1, 2)
    areas = np.array([region.area for region in regions], float)
    scores = np.clip(np.array([region.intensity_mean for region in regions], float), 0.0, 1.0)
    return Split(yx, areas, scores, membranes)


def _take(split: Split, kept: np.ndarray) -> Split:
    return Split(split.yx[kept], split.area_px[kept], split.score[kept], split.membranes)
