"""Membranes and particles slice by slice, by the roundness of regions, as published (Uddin26 1.6 to 1.8)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from skimage.transform import resize

from ..runtime.progress import track
from .correction import correct_slabs
from .eigenimages import WHITE
from .filters import PUBLISHED_THINNING_NM, keep_best, split_particles
from .linking import Linked, link_detections
from .membranes import refine_membranes
from .params import SegmentSlabsParameters
from .splitting import make_splitter
from .threshold import structure_mask

PUBLISHED_FRAME = (1024, 1024)
Detections = tuple[np.ndarray, np.ndarray]


def separate_slices(
    canvases: np.ndarray, slabs: Sequence[int], voxel_size: float, parameters: SegmentSlabsParameters, use_gpu: bool = False
) -> tuple[np.ndarray, Linked]:
    """Membrane mask, bool (z, y, x), and particles of canvases (z, y, x) in [0, 255]; particle z is a position in the stack."""
    if parameters.slab_correction:
        canvases, _ = correct_slabs(canvases, parameters)
    frame = PUBLISHED_FRAME if parameters.tiling == "quadrants" else canvases.shape[1:]
    scale = np.array(canvases.shape[1:]) / np.array(frame)
    pixel_size = voxel_size * float(np.sqrt(scale.prod()))
    split = make_splitter(parameters, pixel_size, parameters.weights_folder, use_gpu)
    membranes, detections = np.zeros(canvases.shape, bool), []
    for index, canvas in enumerate(track(canvases, "separating slabs", len(canvases))):
        large = np.clip(resize(canvas, frame, order=3, mode="edge", preserve_range=True), 0, WHITE)
        found, (yx, score) = np.zeros(frame, bool), (np.zeros((0, 2)), np.zeros(0))
        for window in _windows(frame, parameters):
            mask = structure_mask(large[window], parameters, pixel_size)
            parts = split_particles(mask, split(mask), large[window], pixel_size, parameters, voxel_size)
            found[window] = parts.membranes
            yx = np.concatenate([yx, parts.yx + [part.start for part in window]])
            score = np.concatenate([score, parts.score])
        refined = refine_membranes(found, pixel_size, parameters)
        membranes[index] = resize(refined, canvas.shape, order=0, mode="edge", preserve_range=True) > 0
        detections.append(((yx + 0.5) * scale - 0.5, score))
    return membranes, _joined(detections, slabs, voxel_size, parameters)


def _windows(frame: Sequence[int], parameters: SegmentSlabsParameters) -> list[tuple[slice, slice]]:
    """Parts of a frame (y, x) that are separated each by itself: its quadrants, as published, or all of it."""
    pieces = 2 if parameters.tiling == "quadrants" else 1
    rows, columns = ([slice(size * part // pieces, size * (part + 1) // pieces) for part in range(pieces)] for size in frame)
    return [(row, column) for row in rows for column in columns]


def _joined(detections: Sequence[Detections], slabs: Sequence[int], voxel_size: float, parameters: SegmentSlabsParameters) -> Linked:
    heights = [float(z - slabs[0]) for z in slabs]  # distances are measured in voxels, whatever the step
    step = slabs[1] - slabs[0] if len(slabs) > 1 else 1
    if parameters.filters == "published":
        found = _thinned(detections, heights, voxel_size)
    else:
        fewest = min(math.ceil(parameters.link_slices / step), len(slabs))  # as deep a particle shows in fewer slabs that lie apart
        found = link_detections(heights, detections, parameters.particle_diameter / voxel_size, parameters.link_radius, fewest, step)
    return replace(found, zyx=found.zyx / [step, 1, 1])


def _thinned(detections: Sequence[Detections], heights: Sequence[float], voxel_size: float) -> Linked:
    """Published thinning: slabs in order, the first of all detections within 15 nm stays (Uddin26 1.8)."""
    rows = [np.column_stack([np.full(len(yx), z), yx]) for z, (yx, _) in zip(heights, detections)]
    zyx = np.concatenate(rows) if rows else np.zeros((0, 3))
    scores = np.concatenate([score for _, score in detections]) if detections else np.zeros(0)
    first_wins = -np.arange(len(zyx), dtype=float)
    kept = keep_best(zyx, first_wins, np.ceil(PUBLISHED_THINNING_NM / (voxel_size / 10)))
    return Linked(zyx[kept], scores[kept], np.ones(len(kept), int))
