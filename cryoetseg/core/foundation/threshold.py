"""From a canvas to a mask: blur, then a threshold that follows the surroundings (Uddin26 1.7)."""
from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from .params import ThresholdParameters

BLUR_SIGMA_PX = 1.5
BLUR_RADIUS_PX = 3
SCALE_FACTOR = 1.25  # block over particle diameter: spec 1.7, where a uniform disc keeps its centre


def structure_mask(canvas: np.ndarray, parameters: ThresholdParameters, pixel_size: float) -> np.ndarray:
    """Dark structures of a canvas (y, x) in [0, 255] as bool; ``pixel_size`` is the canvas' in Angstrom.

    Scale-aware, the union over windows for the particles and, where asked for, for large bodies.
    """
    grey = blurred(canvas)
    masks = [darker_than_surroundings(grey, block, parameters.threshold_offset) for block in threshold_blocks(parameters, pixel_size)]
    return np.logical_or.reduce(masks)


def threshold_blocks(parameters: ThresholdParameters, pixel_size: float) -> list[int]:
    """Windows of the local threshold in pixels: odd, at least 1.25 diameters and at least ``threshold_block_px``."""
    smallest = odd_at_least(parameters.threshold_block_px)
    if parameters.threshold_scale == "published":
        return [smallest]
    diameters = [parameters.particle_diameter, parameters.large_body_diameter]
    blocks = [max(smallest, odd_at_least(SCALE_FACTOR * diameter / pixel_size)) for diameter in diameters if diameter > 0]
    return sorted(set(blocks))


def odd_at_least(value: float) -> int:
    """The smallest odd number that is not below ``value``."""
    whole = math.ceil(value - 1e-9)
    return whole if whole % 2 else whole + 1


def blurred(canvas: np.ndarray) -> np.ndarray:
    """Gaussian of sigma 1.5 pixels cut to 7 x 7, on 8-bit grey, as float32 (Uddin26 1.7)."""
    grey = np.clip(np.rint(canvas), 0, 255).astype(np.float32)
    return np.rint(ndimage.gaussian_filter(grey, BLUR_SIGMA_PX, mode="mirror", radius=BLUR_RADIUS_PX))


def darker_than_surroundings(grey: np.ndarray, block: int, offset: float) -> np.ndarray:
    """Pixels not brighter than the Gaussian-weighted mean of their ``block`` x ``block`` window minus ``offset``.

    The window's Gaussian has sigma 0.3 ((block - 1) / 2 - 1) + 0.8, the rule of the library the paper used.
    """
    reach = (block - 1) // 2
    sigma = 0.3 * ((block - 1) * 0.5 - 1) + 0.8
    surroundings = np.rint(ndimage.gaussian_filter(grey, sigma, mode="nearest", radius=reach))
    return grey <= surroundings - offset
