"""Eigenvectors as pictures with a bright background and dark structures (Uddin26 1.5)."""
from __future__ import annotations

import numpy as np

from .params import AggregationParameters
from .slabs import minmax

WHITE = 255.0


def eigenimages(vectors: np.ndarray, parameters: AggregationParameters) -> np.ndarray:
    """The first eigenvectors (k, side, side) as float32 pictures in [0, 255], the near-constant first one included."""
    pictures = [invert_if_dark(minmax(vector, WHITE), parameters) for vector in vectors[: parameters.eigenimages]]
    return np.stack(pictures)


def invert_if_dark(picture: np.ndarray, parameters: AggregationParameters) -> np.ndarray:
    """255 - ``picture`` where less than ``inversion_area`` of it is brighter than ``inversion_pixel`` (Uddin26 1.5)."""
    bright = np.mean(picture > parameters.inversion_pixel)
    return (WHITE - picture).astype(np.float32) if bright < parameters.inversion_area else picture.astype(np.float32)
