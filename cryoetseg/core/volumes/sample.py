"""Where in a tomogram the sample is: between the faces of the ice and in which part of the field, by its local variance."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from .cleaned import CleanedView
from .cleaning import GreyValues, examine

FINE, WIDE = 1.0, 4.0  # averaged voxels: Gaussians whose difference is the band that structure fills
NEIGHBOURHOOD = (1.0, 6.0, 6.0)  # averaged voxels (z, y, x) over which its power is averaged
LEAST_FILLED = 0.3  # share of sample in a slice, of that in the fullest slices, from which on the slice belongs to it
FACE = 2  # averaged voxels at each face, where filters mirror the noise: they are taken for what lies next to them
CLEAR_RATIO = 2.2  # between the power of sample and of ice, below which the two cannot be told apart


@dataclass(frozen=True, eq=False)
class SampleRegion:
    """``z_range``: first slice of the sample and the one after its last. ``mask``, bool (z, y, x), tells of cubes of ``side`` voxels."""

    z_range: tuple[int, int]
    mask: np.ndarray
    side: int

    @property
    def share(self) -> float:
        """Share of the volume that is sample."""
        return float(self.mask.mean())


def find_sample(grey: GreyValues) -> SampleRegion | None:
    """The sample in an examined volume; None where its power differs nowhere from the rest: all may be sample, or all ice."""
    coarse = grey.coarse
    if coarse is None or min(coarse.total.shape) < 2 * WIDE:
        return None
    known = coarse.known()
    volume = coarse.means(grey.mean) - np.float32(grey.mean)
    band = ndimage.gaussian_filter(volume, FINE) - ndimage.gaussian_filter(volume, WIDE)
    band[~known] = 0
    weight = ndimage.gaussian_filter(known.astype(np.float32), NEIGHBOURHOOD)
    power = ndimage.gaussian_filter(band**2, NEIGHBOURHOOD) / np.maximum(weight, 1e-3)
    inside = tuple(slice(FACE, -FACE) for _ in range(3))
    power, known = (np.pad(values[inside], FACE, mode="edge") for values in (power, known))
    low, high = np.percentile(power[known], (5, 95)) if known.any() else (1.0, 1.0)
    if not high > CLEAR_RATIO * low:
        return None
    mask = (power > np.sqrt(low * high)) & known
    shares = mask.mean(axis=(1, 2))
    filled = np.flatnonzero(shares > LEAST_FILLED * np.percentile(shares, 95))
    if not filled.size:
        return None
    return SampleRegion(_fine((int(filled[0]), int(filled[-1]) + 1), coarse.side, grey.shape[0]), mask, coarse.side)


def slices_with_sample(view: CleanedView, name: str) -> tuple[tuple[int, int], list[str]]:
    """First slice with sample and the one behind the last; where sample and ice cannot be told apart, of all slices that show
    anything, and a warning about the tomogram ``name``."""
    region = find_sample(view.grey if view.grey.coarse is not None else examine(view.volume))
    if region is not None:
        return region.z_range, []
    shown = [z for z in range(len(view)) if view.valid(z).any()] or [0, len(view) - 1]
    first, last = shown[0], shown[-1] + 1
    return (first, last), [f"{name}: sample and ice could not be told apart, so all slices that show anything were taken, {first}:{last}; "
                           "give the slices yourself where it should be fewer"]


def _fine(z_range: tuple[int, int], side: int, depth: int) -> tuple[int, int]:
    first, last = z_range[0] * side, z_range[1] * side
    return first, depth if depth - last < side else last
