"""Whether particles are dark or bright, from the grey values themselves: what is denser than ice makes the longer tail."""
from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..runtime.errors import InputError
from .cleaning import GreyValues

SIGMA = 2.0  # voxels of the Gaussian that takes the noise away
LEAST_CUBES = 30_000  # averaged voxels below which the tail of a few particles says nothing
CLEAR_SKEWNESS = 0.4  # of ten volumes, real and simulated by others, none has less than 0.57
OPPOSITE = {"dark": "bright", "bright": "dark"}


def skewness(grey: GreyValues) -> float | None:
    """Skewness of the valid voxels after a Gaussian of two voxels, gold left out; None where there are too few to tell."""
    coarse = grey.coarse
    if coarse is None or not grey.deviation > 0:
        return None
    known = coarse.known()
    if known.sum() < LEAST_CUBES:
        return None
    box_variance = (coarse.side**2 - 1) / 12  # what averaging over the cube smoothed already
    weights = ndimage.gaussian_filter(known.astype(np.float32), np.sqrt(SIGMA**2 - box_variance) / coarse.side)
    smooth = ndimage.gaussian_filter(coarse.means(grey.mean) - np.float32(grey.mean), np.sqrt(SIGMA**2 - box_variance) / coarse.side)
    values = (smooth[known] / weights[known]).astype(np.float64)
    values -= values.mean()
    return float((values**3).mean() / max((values**2).mean(), 1e-30) ** 1.5)


def contrast_of(grey: GreyValues) -> str | None:
    """``dark`` or ``bright`` particles, or None where the grey values do not tell."""
    found = skewness(grey)
    if found is None or abs(found) < CLEAR_SKEWNESS:
        return None
    return "bright" if found > 0 else "dark"


def check_contrast(name: str, grey: GreyValues, contrast: str) -> None:
    """Raise :class:`InputError` when the grey values clearly contradict ``contrast``."""
    found = contrast_of(grey)
    if found == OPPOSITE[contrast]:
        raise InputError(f"{name}: particles are said to be {contrast}, but after a Gaussian of two voxels the {found} tail is the longer "
                            f"one (skewness {skewness(grey):.2f})", f"--contrast {found}",
                            "look at a slice: proteins are dark in what a microscope gives unless a program inverted it")
