"""Membranes and particles from the stack of slabs, told apart by curvature in three dimensions.

A membrane is a sheet: curved sharply along one direction only. It is sought in the canvases, where everything dense looks alike. A
particle is a body, and how dense it is tells it from clutter: it is sought in the grey values and in the density the backbone sees.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from ..metrics.baselines import sheet_response
from ..volumes.streaming import release_pages, z_slabs
from .filters import keep_best
from .linking import Linked
from .params import SegmentSlabsParameters

GREY_LEVELS = 256  # of the histogram behind Otsu's threshold
SMALLEST_SMOOTHING_PX = 1.3
CORE_SHARE = 0.5  # of Otsu's threshold of the plain response: trims what the smoothing widened
BLOB_RATIO = 1.6  # of the two Gaussians: closest to the Laplacian of a Gaussian
BLOB_SIGMA, DENOISED_SIGMA = 0.25, 0.2  # of the diameter; a ball answers most at 1 / (2 sqrt 3), denoised ones bear a finer filter
SPAN_DIAMETERS, SPAN_SHARE = 16.0, 0.5  # a sheet this long, or over half the slab, is no row of particles
WALL_FACTOR = 1.25  # walls are sheets above these times the thresholds of membranes


@dataclass(frozen=True)
class SheetMap:
    """How sheet-like each voxel (z, y, x) is: ``joined`` along the sheets, in units of Otsu's threshold; ``core`` trims its width."""

    joined: np.ndarray
    core: np.ndarray

    def pieces(self, factor: float, extent_px: float, parameters: SegmentSlabsParameters) -> np.ndarray:
        """Sheets at ``factor`` times the thresholds of the parameters that reach ``extent_px`` within a slab, as bool."""
        low, high = factor * parameters.membrane_threshold, factor * max(parameters.membrane_seed, parameters.membrane_threshold)
        found = large_pieces(above_both(self.joined, low, high), extent_px)
        found &= self.core
        return found


def separate(
    structure: Any, picture: Any, density: Any, voxel_size: float, parameters: SegmentSlabsParameters, valid: np.ndarray | None = None,
) -> tuple[np.ndarray, Linked]:
    """Membrane mask, bool (z, y, x), and particles.

    ``structure`` is the stack of canvases, ``picture`` the grey values, ``density`` what the backbone sees, all (z, y, x) and bright:
    arrays, or whatever gives arrays when it is sliced along z; they are read slab by slab. ``voxel_size`` in Angstrom. Long strong
    sheets are walls, off which particles are sought; then what lies inside particles is taken out of the weaker sheets, because a
    row of particles answers to a sheet filter as well. Where ``valid``, bool (z, y, x), is false, nothing is found and nothing counts.
    """
    valid = None if valid is None or valid.all() else valid
    diameter_px = parameters.particle_diameter / voxel_size
    extent = parameters.membrane_extent / voxel_size
    walls, membranes = _walls_and_membranes(structure, voxel_size, extent, parameters, valid)
    particles = find_particles(picture, density, walls, voxel_size, parameters, valid)
    membranes &= walls | ~bodies(particles.zyx, diameter_px, membranes.shape)
    return large_pieces(membranes, extent), particles


def _walls_and_membranes(
    structure: Any, voxel_size: float, extent_px: float, parameters: SegmentSlabsParameters, valid: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Long strong sheets, and all that reach ``extent_px``; the map they are cut from is forgotten, because it is large."""
    sheets = map_sheets(structure, voxel_size, parameters, valid)
    span = min(SPAN_DIAMETERS * parameters.particle_diameter / voxel_size, SPAN_SHARE * min(structure.shape[1:]))
    return sheets.pieces(WALL_FACTOR, span, parameters), sheets.pieces(1.0, extent_px, parameters)


def map_sheets(structure: Any, voxel_size: float, parameters: SegmentSlabsParameters, valid: np.ndarray | None = None) -> SheetMap:
    """Bright sheets of a structure map (z, y, x); nothing anywhere where the map is flat, and nothing where it is not ``valid``."""
    strength = sheet_response(structure, max(1.0, parameters.membrane_scale / voxel_size))
    if valid is not None:
        strength *= valid
    if not strength.any():
        return SheetMap(np.zeros(structure.shape, np.float32), np.zeros(structure.shape, bool))
    core = strength > CORE_SHARE * otsu(strength, positive=True)
    joined = strength  # takes its place
    ndimage.gaussian_filter(strength, max(SMALLEST_SMOOTHING_PX, parameters.membrane_smoothing / voxel_size), output=joined)
    if valid is not None:
        joined *= valid
    joined /= otsu(joined, valid=valid)
    return SheetMap(joined, core)


def otsu(volume: np.ndarray, positive: bool = False, valid: np.ndarray | None = None) -> float:
    """Otsu's threshold of all values, of the positive or of the ``valid`` ones alone, from a histogram counted slab by slab."""

    def values(window: slice) -> np.ndarray:
        if valid is not None:
            return volume[window][valid[window]]
        return volume[window][volume[window] > 0] if positive else volume[window]

    windows = [window for window in z_slabs(volume.shape) if values(window).size]
    span = min(float(values(window).min()) for window in windows), max(float(values(window).max()) for window in windows)
    if span[0] == span[1]:
        return span[0]
    counts, edges = np.zeros(GREY_LEVELS), np.zeros(GREY_LEVELS + 1)
    for window in windows:
        counted, edges = np.histogram(values(window), GREY_LEVELS, span)
        counts += counted
    return float(threshold_otsu(hist=(counts, (edges[:-1] + edges[1:]) / 2)))


def above_both(volume: np.ndarray, low: float, high: float) -> np.ndarray:
    """Components (6 neighbours) above ``low`` that exceed ``high`` somewhere, as bool."""
    labels, count = ndimage.label(volume > low)
    kept = np.zeros(count + 1, bool)
    for window in z_slabs(volume.shape):
        kept[labels[window][volume[window] > high]] = True
    return kept[labels]


def bodies(zyx: np.ndarray, diameter_px: float, shape: tuple[int, ...]) -> np.ndarray:
    """Voxels within half a diameter of the positions (n, 3), as bool."""
    mask, reach = np.zeros(shape, bool), int(diameter_px / 2)
    axis = np.arange(-reach, reach + 1) ** 2
    ball = np.sqrt(axis[:, None, None] + axis[:, None] + axis) <= diameter_px / 2
    for centre in np.rint(zyx).astype(int):
        lower, upper = np.maximum(centre - reach, 0), np.minimum(centre + reach + 1, shape)
        box, part = (tuple(slice(*ends) for ends in zip(lower - origin, upper - origin)) for origin in (0, centre - reach))
        mask[box] |= ball[part]
    return mask


def large_pieces(mask: np.ndarray, extent_px: float) -> np.ndarray:
    """Components (26 neighbours) of ``mask`` (z, y, x) whose bounding box has a diagonal of at least ``extent_px`` within the slab."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    boxes = ndimage.find_objects(labels)
    extents = [np.hypot(box[1].stop - box[1].start, box[2].stop - box[2].start) for box in boxes]
    kept = np.concatenate([[False], np.asarray(extents) >= extent_px])
    return kept[labels]


def find_particles(
    picture: Any, density: Any, walls: np.ndarray, voxel_size: float, parameters: SegmentSlabsParameters, valid: np.ndarray | None = None,
) -> Linked:
    """Bodies of about the particle diameter off the ``walls``; the score is the mean of the contrasts in picture and density."""
    diameter_px = parameters.particle_diameter / voxel_size
    evidence = contrast(picture, BLOB_SIGMA * diameter_px, valid)
    evidence += contrast(density, DENOISED_SIGMA * diameter_px, valid)
    evidence /= 2
    peaks = np.concatenate([_peaks(evidence, window) for window in z_slabs(evidence.shape)])
    peaks &= evidence >= parameters.particle_threshold
    peaks &= ~walls
    if valid is not None:
        peaks &= valid
    zyx = np.argwhere(peaks)
    score = evidence[peaks]
    best = keep_best(zyx.astype(float), score, parameters.particle_spacing * diameter_px) if len(zyx) else np.zeros(0, int)
    return Linked(zyx[best].astype(float), score[best], np.full(len(best), max(1, round(diameter_px))))


def _peaks(evidence: np.ndarray, window: slice) -> np.ndarray:
    """Voxels of the slices ``window`` that none of their 26 neighbours exceeds, as bool."""
    first = max(0, window.start - 1)
    highest = ndimage.maximum_filter(evidence[first:window.stop + 1], 3)
    return highest[window.start - first:window.stop - first] == evidence[window]


def contrast(volume: Any, sigma_px: float, valid: np.ndarray | None = None) -> np.ndarray:
    """Difference of two Gaussians of a volume (z, y, x), in standard deviations of its ``valid`` voxels, float32; zeros where nothing
    varies."""
    sigma = max(1.0, sigma_px)
    wide = np.empty(volume.shape, np.float32)
    for window in z_slabs(volume.shape):
        wide[window] = volume[window]
        release_pages(volume)
    response = ndimage.gaussian_filter(wide, sigma)
    response -= ndimage.gaussian_filter(wide, BLOB_RATIO * sigma, output=wide)
    del wide  # the deviation needs its room
    deviation = float(response.std() if valid is None else response[valid].std(dtype=np.float64))
    if deviation > 0:
        response /= deviation
    else:
        response[...] = 0
    return response
