"""Cleaning membrane masks and telling straight, round and curved pieces apart (Uddin26 1.8)."""
from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage
from skimage.morphology import dilation, disk, remove_small_objects

from .params import FilterParameters

Shape = Literal["round", "straight", "curved", "small"]

CLOSINGS = 4
SMALLEST_PIECE_PX = 200
ROUND_RATIO = 0.5
STRAIGHT_RATIO = 0.3
STRAIGHTNESS = 10.0
CROSS = ndimage.generate_binary_structure(2, 1)
SQUARE = ndimage.generate_binary_structure(2, 2)


def refine_membranes(mask: np.ndarray, pixel_size: float, parameters: FilterParameters) -> np.ndarray:
    """Close small gaps, drop small pieces, grow: the paper's refinement with the parameters of spec 1.8, on bool (y, x)."""
    if parameters.membrane_closing:
        mask = _closed(mask, 1)
    mask = drop_small_pieces(mask, parameters.membrane_area / pixel_size**2)
    return dilation(mask, disk(parameters.membrane_dilation_px)) if parameters.membrane_dilation_px else mask


def drop_small_pieces(mask: np.ndarray, smallest_px: float) -> np.ndarray:
    """``mask`` without 8-connected pieces of fewer than ``smallest_px`` pixels."""
    return remove_small_objects(mask.astype(bool), max(1, round(smallest_px)), connectivity=2)


def classify_pieces(
    mask: np.ndarray, smallest_px: int = SMALLEST_PIECE_PX, straight_ratio: float = STRAIGHT_RATIO, straightness: float = STRAIGHTNESS
) -> tuple[np.ndarray, dict[int, Shape]]:
    """Sort pieces of a mask (y, x) by shape: how filaments and vesicles are pulled out (optional step of Uddin26 1.8).

    With l1 >= l2 the variances along a piece's axes: l2 / l1 >= 0.5 is round; l2 / l1 <= ``straight_ratio`` with a length of at
    least ``straightness`` times the mean distance from its axis is straight; the rest is curved. Returns int32 labels (y, x) and
    the shape of each; pieces below ``smallest_px`` are small.
    """
    labels, count = ndimage.label(_closed(mask, CLOSINGS), structure=SQUARE)
    shapes: dict[int, Shape] = {}
    for label in range(1, count + 1):
        yx = np.argwhere(labels == label).astype(float)
        shapes[label] = "small" if len(yx) < smallest_px else _shape(yx, straight_ratio, straightness)
    return labels.astype(np.int32), shapes


def _shape(yx: np.ndarray, straight_ratio: float, straightness: float) -> Shape:
    centred = yx - yx.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(centred.T))
    ratio = variances[0] / max(variances[1], 1e-12)
    if ratio >= ROUND_RATIO:
        return "round"
    along, across = centred @ axes[:, 1], centred @ axes[:, 0]
    is_straight = ratio <= straight_ratio and np.ptp(along) >= straightness * np.abs(across).mean()
    return "straight" if is_straight else "curved"


def _closed(mask: np.ndarray, iterations: int) -> np.ndarray:
    """Closing by a cross; the border is padded, because erosion would eat what touches it."""
    padded = np.pad(mask.astype(bool), iterations, mode="edge")
    closed = ndimage.binary_closing(np.pad(padded, iterations), CROSS, iterations)
    inside = slice(2 * iterations, -2 * iterations)
    return closed[inside, inside]
