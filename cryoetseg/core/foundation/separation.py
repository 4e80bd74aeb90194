"""Membranes and particles from the stack of slabs, told apart by curvature in three dimensions.

A membrane is a sheet: curved sharply along one direction only. It is sought in the canvases, where everything dense looks alike. A
particle is a body, and how dense it is tells it from clutter: it is sought in the grey values and in the density the backbone sees.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, threshold_otsu

from ..metrics.baselines import sheet_response
from .filters import keep_best
from .linking import Linked
from .params import SegmentSlabsParameters

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
        return self.core & large_pieces(apply_hysteresis_threshold(self.joined, low, high), extent_px)


def separate(
    structure: np.ndarray, picture: np.ndarray, density: np.ndarray, voxel_size: float, parameters: SegmentSlabsParameters
) -> tuple[np.ndarray, Linked]:
    """Membrane mask, bool (z, y, x), and particles.

    ``structure`` is the stack of canvases, ``picture`` the grey values, ``density`` what the backbone sees, all (z, y, x) and bright;
    ``voxel_size`` in Angstrom. Long strong sheets are walls, off which particles are sought; then what lies inside particles is
    taken out of the weaker sheets, because a row of particles answers to a sheet filter as well.
    """
    diameter_px = parameters.particle_diameter / voxel_size
    sheets = map_sheets(structure, voxel_size, parameters)
    span = min(SPAN_DIAMETERS * diameter_px, SPAN_SHARE * min(structure.shape[1:]))
    walls = sheets.pieces(WALL_FACTOR, span, parameters)
    particles = find_particles(picture, density, walls, voxel_size, parameters)
    extent = parameters.membrane_extent / voxel_size
    membranes = sheets.pieces(1.0, extent, parameters)
    outside = membranes & (walls | ~bodies(particles.zyx, diameter_px, membranes.shape))
    return large_pieces(outside, extent), particles


def map_sheets(structure: np.ndarray, voxel_size: float, parameters: SegmentSlabsParameters) -> SheetMap:
    """Bright sheets of a structure map (z, y, x); nothing anywhere where the map is flat."""
    strength = sheet_response(structure, max(1.0, parameters.membrane_scale / voxel_size))
    positive = strength[strength > 0]
    if positive.size == 0:
        return SheetMap(np.zeros(structure.shape, np.float32), np.zeros(structure.shape, bool))
    core = strength > CORE_SHARE * float(threshold_otsu(positive))
    joined = ndimage.gaussian_filter(strength, max(SMALLEST_SMOOTHING_PX, parameters.membrane_smoothing / voxel_size))
    return SheetMap(joined / float(threshold_otsu(joined)), core)


def bodies(zyx: np.ndarray, diameter_px: float, shape: tuple[int, ...]) -> np.ndarray:
    """Voxels within half a diameter of the positions (n, 3), as bool."""
    if len(zyx) == 0:
        return np.zeros(shape, bool)
    centres = np.ones(shape, bool)
    centres[tuple(np.rint(zyx).astype(int).T)] = False
    return ndimage.distance_transform_edt(centres) <= diameter_px / 2


def large_pieces(mask: np.ndarray, extent_px: float) -> np.ndarray:
    """Components (26 neighbours) of ``mask`` (z, y, x) whose bounding box has a diagonal of at least ``extent_px`` within the slab."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    boxes = ndimage.find_objects(labels)
    extents = [np.hypot(box[1].stop - box[1].start, box[2].stop - box[2].start) for box in boxes]
    kept = np.concatenate([[False], np.asarray(extents) >= extent_px])
    return kept[labels]


def find_particles(
    picture: np.ndarray, density: np.ndarray, walls: np.ndarray, voxel_size: float, parameters: SegmentSlabsParameters
) -> Linked:
    """Bodies of about the particle diameter off the ``walls``; the score is the mean of the contrasts in picture and density."""
    diameter_px = parameters.particle_diameter / voxel_size
    evidence = (contrast(picture, BLOB_SIGMA * diameter_px) + contrast(density, DENOISED_SIGMA * diameter_px)) / 2
    peaks = (evidence == ndimage.maximum_filter(evidence, 3)) & (evidence >= parameters.particle_threshold) & ~walls
    zyx = np.argwhere(peaks)
    score = evidence[peaks]
    best = keep_best(zyx.astype(float), score, parameters.particle_spacing * diameter_px) if len(zyx) else np.zeros(0, int)
    return Linked(zyx[best].astype(float), score[best], np.full(len(best), max(1, round(diameter_px))))


def contrast(volume: np.ndarray, sigma_px: float) -> np.ndarray:
    """Difference of two Gaussians of a volume (z, y, x), in standard deviations, float32; zeros where nothing varies."""
    sigma = max(1.0, sigma_px)
    volume = np.asarray(volume, np.float32)
    response = ndimage.gaussian_filter(volume, sigma) - ndimage.gaussian_filter(volume, BLOB_RATIO * sigma)
    deviation = float(response.std())
    return response / deviation if deviation > 0 else np.zeros_like(response)
