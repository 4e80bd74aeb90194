"""Consistency of canvases along z (Uddin26 1.6). The released program never finds the neighbours it looks for; this one does."""
from __future__ import annotations

from typing import Literal

import numpy as np

from .eigenimages import WHITE
from .likeness import likeness
from .params import AggregationParameters
from .slabs import minmax

Branch = Literal["kept", "replaced", "blended"]


def corrected_slab(
    previous: np.ndarray, current: np.ndarray, following: np.ndarray, parameters: AggregationParameters
) -> tuple[np.ndarray, Branch]:
    """``current`` corrected by its neighbours, all (y, x) in [0, 255] and not corrected before, and which rule applied."""
    if _differs(previous, current, following, parameters):
        return minmax(0.5 * previous + 0.5 * following, WHITE), "replaced"
    return minmax(current + 0.5 * previous + 0.5 * following, WHITE), "blended"


def correct_slabs(canvases: np.ndarray, parameters: AggregationParameters) -> tuple[np.ndarray, list[Branch]]:
    """Correct a stack (z, y, x) of canvases; the first and the last stay as they are, neighbours are read uncorrected."""
    corrected = np.array(canvases, np.float32)
    branches: list[Branch] = ["kept"] * len(canvases)
    for z in range(1, len(canvases) - 1):
        corrected[z], branches[z] = corrected_slab(canvases[z - 1], canvases[z], canvases[z + 1], parameters)
    return corrected, branches


def _differs(previous: np.ndarray, current: np.ndarray, following: np.ndarray, parameters: AggregationParameters) -> bool:
    data_range = float(np.ptp(previous))  # always the previous slab's range, as published
    if data_range == 0:
        return False
    return (
        likeness(previous, current, data_range) < parameters.centre_similarity
        and likeness(following, current, data_range) < parameters.centre_similarity
        and likeness(previous, following, data_range) > parameters.neighbour_similarity
    )
