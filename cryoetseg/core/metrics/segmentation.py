"""Overlap of masks and label volumes, streamed slab by slab so that volumes may be memory maps of any size."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from ..runtime.errors import InputError
from ..runtime.progress import track
from ..volumes.streaming import release_pages, z_slabs

LARGEST_CLASS = 4095  # a confusion matrix has the square of so many entries


class OverlapScores(NamedTuple):
    """Voxel counts and what follows from them."""

    true_positives: int
    false_positives: int
    false_negatives: int
    dice: float
    iou: float
    precision: float
    recall: float


def dice_from_counts(true_positives: float, false_positives: float, false_negatives: float) -> float:
    """2 TP / (2 TP + FP + FN); two empty masks agree fully (Uddin26 supplement; spec 1.11)."""
    total = 2 * true_positives + false_positives + false_negatives
    return float(2 * true_positives / total) if total else 1.0


def slice_counts(predicted: Any, truth: Any) -> np.ndarray:
    """Voxels (z, 3) that are true positive, false positive and false negative in each z slice; anything above 0 is foreground."""
    _check_shapes(predicted, truth)
    counts = []
    for window in track(z_slabs(predicted.shape), "comparing masks"):
        p, t = np.asarray(predicted[window]) > 0, np.asarray(truth[window]) > 0
        both = np.count_nonzero(p & t, axis=(1, 2))
        counts.append(np.stack([both, np.count_nonzero(p, axis=(1, 2)) - both, np.count_nonzero(t, axis=(1, 2)) - both], axis=1))
        release_pages(predicted)
        release_pages(truth)
    return np.concatenate(counts)


def _check_shapes(predicted: Any, truth: Any) -> None:
    if tuple(predicted.shape) != tuple(truth.shape):
        raise InputError(f"the predicted volume has the shape {tuple(predicted.shape)}, the truth {tuple(truth.shape)} (z, y, x)",
                         "equal shapes", "resample one onto the other's grid first")
    if len(predicted.shape) != 3:
        raise InputError(f"the volumes have the shape {tuple(predicted.shape)}", "three axes (z, y, x)")


def overlap_scores(predicted: Any, truth: Any) -> OverlapScores:
    """Scores over all voxels of two masks (z, y, x) together."""
    return overlap_from_counts(*(int(count) for count in slice_counts(predicted, truth).sum(axis=0)))


def overlap_from_counts(tp: int, fp: int, fn: int) -> OverlapScores:
    """Scores from voxel counts; agreement of two empty masks is full."""
    union = tp + fp + fn
    return OverlapScores(tp, fp, fn, dice_from_counts(tp, fp, fn), tp / union if union else 1.0,
                         tp / (tp + fp) if tp + fp else float(fn == 0), tp / (tp + fn) if tp + fn else float(fp == 0))


def dice(predicted: Any, truth: Any) -> float:
    """Dice over the voxels of the whole volume: the headline number (spec 1.11)."""
    return overlap_scores(predicted, truth).dice


def iou(predicted: Any, truth: Any) -> float:
    """Intersection over union over the voxels of the whole volume."""
    return overlap_scores(predicted, truth).iou


def per_slice_dice(predicted: Any, truth: Any) -> float:
    """Mean over z slices of each slice's Dice, empty against empty 1, as the released test script of Uddin26 counts; another number."""
    return mean_slice_dice(slice_counts(predicted, truth))


def mean_slice_dice(counts: np.ndarray) -> float:
    """The same from :func:`slice_counts`."""
    return float(np.mean([dice_from_counts(*row) for row in counts]))


def confusion_matrix(predicted: Any, truth: Any, class_count: int | None = None) -> np.ndarray:
    """Voxel counts (class of truth, class of prediction) of two label volumes (z, y, x) of whole numbers from 0."""
    _check_shapes(predicted, truth)
    matrix = np.zeros((class_count or 1, class_count or 1), dtype=np.int64)
    for window in track(z_slabs(predicted.shape), "comparing classes"):
        p, t = _labels(predicted[window], "predicted"), _labels(truth[window], "truth")
        matrix = _grown(matrix, int(max(p.max(), t.max())) + 1)
        matrix += np.bincount(t * len(matrix) + p, minlength=matrix.size).reshape(matrix.shape)
        release_pages(predicted)
        release_pages(truth)
    return matrix


def _labels(slab: Any, name: str) -> np.ndarray:
    labels = np.asarray(slab).ravel()
    if labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels)):
        raise InputError(f"the {name} volume holds fractions", "whole class numbers", "give a label volume, not probabilities")
    if labels.min() < 0 or labels.max() > LARGEST_CLASS:
        raise InputError(f"the {name} volume holds classes {labels.min()} to {labels.max()}", f"0 to {LARGEST_CLASS}")
    return labels.astype(np.int64)


def _grown(matrix: np.ndarray, size: int) -> np.ndarray:
    missing = max(0, size - len(matrix))
    return np.pad(matrix, ((0, missing), (0, missing))) if missing else matrix


def class_scores(matrix: np.ndarray) -> dict[int, OverlapScores]:
    """Scores of each class but the background 0, from a confusion matrix (truth, prediction)."""
    hits, in_truth, in_prediction = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return {number: overlap_from_counts(int(hits[number]), int(in_prediction[number] - hits[number]), int(in_truth[number] - hits[number]))
            for number in range(1, len(matrix)) if in_truth[number] + in_prediction[number]}


def surface_dice(predicted: Any, truth: Any, tolerance_px: float) -> float:
    """Share of both masks' surface voxels that lie within ``tolerance_px`` of the other's surface (Nikolov et al. 2018, per voxel).

    Surface voxels have a face neighbour outside the mask; beyond the volume's border counts as inside, because there nothing is known.
    Two empty masks give 1, one empty gives 0.
    """
    _check_shapes(predicted, truth)
    halo = int(np.ceil(tolerance_px)) + 1
    depth, near, total = predicted.shape[0], 0, 0
    for window in track(z_slabs(predicted.shape, 32), "comparing surfaces"):
        first, last = max(0, window.start - halo), min(depth, window.stop + halo)
        outer = slice(max(0, first - 1), min(depth, last + 1))  # one more plane, for the surface of the halo's own planes
        cut = slice(first - outer.start, last - outer.start)
        surfaces = [_surface(np.asarray(volume[outer]) > 0)[cut] for volume in (predicted, truth)]
        core = slice(window.start - first, window.stop - first)
        for surface, other in (surfaces, surfaces[::-1]):
            total += int(surface[core].sum())
            near += int((surface[core] & _within(other, tolerance_px)[core]).sum())
        release_pages(predicted)
        release_pages(truth)
    return near / total if total else 1.0


def _surface(mask: np.ndarray) -> np.ndarray:
    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def _within(surface: np.ndarray, tolerance_px: float) -> np.ndarray:
    if not surface.any():
        return np.zeros_like(surface)
    return ndimage.distance_transform_edt(~surface) <= tolerance_px
