"""A tomogram as the membrane student sees it: smoothed in the plane and standardised, cut where it is asked for."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from ...volumes.normalisation import mean_and_deviation
from ..volumes import StudentVolume

REACH = 3.0  # standard deviations of the Gaussian that are summed
SAMPLED_SLICES = 16  # slices that tell the grey values of a smoothed volume


class Preparation(NamedTuple):
    """What is done to the grey values: standardised by ``volume`` or by ``slice``, after a Gaussian of ``smoothing_px`` voxels."""

    normalisation: str
    smoothing_px: float


@dataclass(frozen=True)
class SliceView:
    """Crops of a student volume. ``scales`` (z, 2) are the offset and the factor that standardise each smoothed slice."""

    volume: StudentVolume
    smoothing_px: float
    scales: np.ndarray

    @classmethod
    def of(cls, volume: StudentVolume, preparation: Preparation) -> SliceView:
        """Look through the slices for their mean and deviation."""
        depth = volume.header.shape[0]
        plain = cls(volume, preparation.smoothing_px, np.tile(np.array([0, 1], dtype=np.float32), (depth, 1)))
        by_slice = preparation.normalisation == "slice"  # Uddin26 1.9
        looked_at = np.arange(depth) if by_slice else np.unique(np.linspace(0, depth - 1, SAMPLED_SLICES).round().astype(int))
        if not by_slice:  # a padded slice says nothing of the others
            looked_at = np.array([z for z in looked_at if volume.valid_plane(int(z)).any()] or looked_at)
        found = np.array([mean_and_deviation(plain.sample_of(int(z))) for z in looked_at])
        means, deviations = found.T
        if not by_slice:
            means, deviations = np.full(depth, means.mean()), np.full(depth, np.sqrt((deviations**2).mean() + means.var()))
        factors = np.divide(1, deviations, out=np.zeros(depth), where=deviations > 0)
        return cls(volume, preparation.smoothing_px, np.stack([means, factors], axis=1).astype(np.float32))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x) of the volume."""
        return self.volume.header.shape

    def sample_of(self, z: int) -> np.ndarray:
        """Voxels (n,) of a slice that show sample; all of them where none does."""
        plane = self.crop((z, 0, 0), (1, *self.shape[1:]))[0]
        valid = self.volume.valid_plane(z)
        return plane[valid] if valid.any() else plane.ravel()

    def crop(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> np.ndarray:
        """Float32 voxels from ``start_zyx`` on; the slices must lie inside the volume."""
        z, y, x = start_zyx
        depth, height, width = shape_zyx
        halo = math.ceil(REACH * self.smoothing_px)
        block = self.volume.crop((z, y - halo, x - halo), (depth, height + 2 * halo, width + 2 * halo))
        if halo:
            block = ndimage.gaussian_filter(block, (0, self.smoothing_px, self.smoothing_px), truncate=REACH)[:, halo:-halo, halo:-halo]
        scales = self.scales[z:z + depth]
        return (block - scales[:, 0, None, None]) * scales[:, 1, None, None]
