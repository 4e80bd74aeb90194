"""Scores of eigenimages: how unevenly structure is spread (diversity) and how many pieces there are (contours) (Uddin26 1.5)."""
from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage
from skimage.filters import threshold_otsu

from .slabs import minmax

PATCH_PX = 4
STRIDE_PX = 2
EIGHT_CONNECTED = np.ones((3, 3), int)


def patch_deviations(image: np.ndarray) -> np.ndarray:
    """Population standard deviation in each 4 x 4 patch, stride 2: (31, 31) for a 64 x 64 image."""
    patches = sliding_window_view(np.asarray(image, np.float64), (PATCH_PX, PATCH_PX))[::STRIDE_PX, ::STRIDE_PX]
    return patches.std(axis=(2, 3))


def diversity(image: np.ndarray) -> float:
    """Standard deviation over patches of the deviation inside each patch (Uddin26 1.5)."""
    return float(patch_deviations(image).std())


def contour_count(image: np.ndarray) -> int:
    """Number of external contours of the bright side of Otsu's threshold, taken on 8 bits (Uddin26 1.5).

    An external contour is the outer boundary of an 8-connected component that does not lie in a hole of another one.
    """
    grey = minmax(image, 255.0).astype(np.uint8)
    if np.ptp(grey) == 0:
        return 0
    filled = ndimage.binary_fill_holes(grey > threshold_otsu(grey))
    return int(ndimage.label(filled, structure=EIGHT_CONNECTED)[1])
