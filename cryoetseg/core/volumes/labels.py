"""Masks and label volumes told from tomograms: a tomogram has noise, also where its grey levels are few."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..runtime.errors import InputError
from .cleaning import spread_slices

# real masks have up to .01 and at least .97; tomogram 171 of EMPIAR-11658 (33 grey levels) .31 and .15, in steps of a third of its
# deviation after a Gaussian of 2 voxels .05 and .53
MOST_ALONE, LEAST_EQUAL = 0.02, 0.9


def refuse_labels(name: str, array: Any) -> None:
    """Raise :class:`InputError` for a mask or label volume (z, y, x) in place of a tomogram: whole numbers in pieces of one value."""
    if all(np.array_equal(plane, np.rint(plane)) for plane in spread_slices(array)) and is_in_pieces(array):
        raise InputError(f"{name}: whole numbers in pieces of one value, as in a mask or label volume", "a tomogram",
                         "name the tomogram that the mask belongs to")


def is_in_pieces(array: Any) -> bool:
    """Whether nearly all neighbours along x are equal, in slices spread over a volume (z, y, x), and hardly any voxel, those of the
    commonest value left out, has no equal one among the eight around it in its slice."""
    alone, others, equal = 0, 0, []
    for plane in spread_slices(array):
        values, counts = np.unique(plane, return_counts=True)
        is_other = plane != values[np.argmax(counts)]
        alone += int((is_other & ~_has_equal_beside(plane)).sum())
        others += int(is_other.sum())
        equal.append(float((plane[:, 1:] == plane[:, :-1]).mean()))
    return float(np.mean(equal)) > LEAST_EQUAL and alone < MOST_ALONE * max(1, others)


def _has_equal_beside(plane: np.ndarray) -> np.ndarray:
    found = np.zeros(plane.shape, bool)
    height, width = plane.shape
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = slice(0, height - down), slice(max(0, -right), width - max(0, right))
        there = slice(down, height), slice(max(0, right), width + min(0, right))
        same = plane[here] == plane[there]
        found[here] |= same
        found[there] |= same
    return found
