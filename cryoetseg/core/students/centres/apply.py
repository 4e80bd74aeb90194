"""Picking whole tomograms with a network of centres: tile by tile at each scale, nothing but the picks is kept."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ...inference.mirrors import VIEWS, averaged_over_mirrors
from ...inference.network import network_function
from ...models.centre_unet3d import DIVISOR
from ...runtime.progress import track
from ...volumes.normalisation import RunningMoments
from ...volumes.streaming import release_pages, temporary_volume
from ...volumes.tiles import Tiling, fitted_edge, plan_tiles, read_tile
from ..volumes import StudentVolume
from .model import CentreModel
from .peaks import Centres, joined, tops, without_doubles

TILE, PADDING = 160, 16  # voxels, the largest side; what lies within the padding only serves as surroundings
FAINTEST = 0.05  # probability below which nothing is kept
SLAB = 16  # binned planes made at once


def find_centres(
    volume: StudentVolume, model: CentreModel, device: torch.device, *, smallest_probability: float = FAINTEST, distance: float = 0.0,
    views: int = 1,
) -> Centres:
    """Particles of a tomogram in its own voxels, best first; ``logit`` is that of their calibrated probability.

    ``distance`` in Angstrom is the smallest one between two picks; 0 takes half the larger diameter. ``views``: mirrored
    copies of each tile whose answers are averaged.
    """
    function = averaged_over_mirrors(network_function(model.network.to(device), device), VIEWS[views])
    volume, corner = volume.within_sample()
    # calibrated by the file's own voxel size: between the scales of one tomogram the heat alone decides
    voxel_size = volume.header.voxel_size
    lowest = model.calibration.heat_logit(smallest_probability, voxel_size)
    found = []
    for binning in model.binnings(voxel_size):
        for part in _tops_of(BinnedView(volume, binning), function, lowest, f"pick {volume.name}, {voxel_size * binning:.3g} A"):
            found.append(part.scaled(binning)._replace(logit=model.calibration.calibrated(part.logit, voxel_size)))
    centres = without_doubles(joined(found), distance / voxel_size) if found else _nothing()
    return centres._replace(zyx=centres.zyx + corner)


def _tops_of(source: BinnedView, function: Any, lowest: float, description: str) -> Iterator[Centres]:
    """The tops that lie in each tile's own voxels."""
    tiling = tiling_of(source.shape)
    for tile in track(plan_tiles(source.shape, tiling.edges, tiling.overlaps, "zero", tiling.align), description):
        centres = tops(function(read_tile(source, tile, "zero")[None])[0], lowest)
        own = np.all([(centres.zyx[:, axis] > part.start - 0.5) & (centres.zyx[:, axis] <= part.stop - 0.5)
                      for axis, part in enumerate(tile.inner)], axis=0)
        start = np.array([core.start - inner.start for core, inner in zip(tile.core, tile.inner)])
        yield centres.of(own)._replace(zyx=centres.zyx[own] + start)
        release_pages(source.data)


def tiling_of(shape: Sequence[int]) -> Tiling:
    """Tiles of a volume (z, y, x), no larger than it needs, with a rim of surroundings beyond its faces too."""
    z, y, x = (fitted_edge(size + 2 * PADDING, TILE, 2 * PADDING, DIVISOR) for size in shape)
    return Tiling((z, y, x), (2 * PADDING,) * 3, (DIVISOR,) * 3)


class BinnedView:
    """A tomogram, binned by summing cubes, as the network sees it: mean 0, deviation 1, bright particles; read where it is sliced."""

    def __init__(self, volume: StudentVolume, binning: int) -> None:
        self._volume, self._binning = volume, binning
        self.data = volume.data if binning == 1 else _binned(volume, binning)
        self.shape = tuple(self.data.shape)
        self._mean, self._deviation = (0.0, 1.0) if binning == 1 else _grey_values(volume, self.data, binning)

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        if self._binning == 1:
            return self._volume.crop([part.start for part in window], [part.stop - part.start for part in window])
        return (self.data[window] - np.float32(self._mean)) / np.float32(max(self._deviation, 1e-12))


def _binned(volume: StudentVolume, binning: int) -> np.ndarray:
    """Means over cubes of the standardised tomogram, in a file that vanishes with the process."""
    z, y, x = (max(1, side // binning) for side in volume.data.shape)
    target = temporary_volume((z, y, x), np.float32)
    for first in range(0, z, SLAB):
        planes = min(SLAB, z - first)
        block = volume.crop((first * binning, 0, 0), (planes * binning, y * binning, x * binning))
        target[first:first + planes] = block.reshape(planes, binning, y, binning, x, binning).mean(axis=(1, 3, 5))
        release_pages(volume.data)
    return target


def _grey_values(volume: StudentVolume, binned: np.ndarray, binning: int) -> tuple[float, float]:
    """Mean and deviation of the binned tomogram where it shows sample; what shows none is 0 and would narrow them."""
    found = RunningMoments()
    places = [np.minimum(np.arange(side) * binning + binning // 2, whole - 1) for side, whole in zip(binned.shape, volume.data.shape)]
    for z, plane in zip(places[0], binned):
        found.add(plane[volume.valid_plane(int(z))[np.ix_(*places[1:])]])
    return found.mean, found.deviation


def _nothing() -> Centres:
    return Centres(np.zeros((0, 3)), *(np.zeros(0) for _ in range(3)))
