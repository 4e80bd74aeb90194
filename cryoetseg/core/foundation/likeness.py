"""Structural similarity of two pictures of any size the method meets."""
from __future__ import annotations

import numpy as np
from skimage.metrics import structural_similarity

WINDOW_PX = 7  # the library's, and so the published one


def likeness(first: np.ndarray, second: np.ndarray, data_range: float) -> float:
    """SSIM of two pictures (y, x) of at least 3 pixels a side; the window is 7 pixels or the largest odd one that fits."""
    side = min(first.shape)
    window = min(WINDOW_PX, side - (side + 1) % 2)
    return float(structural_similarity(np.float32(first), np.float32(second), win_size=window, data_range=data_range))
