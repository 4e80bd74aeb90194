"""When a result of a trained network is likely to be poor: said with the result, since it cannot be seen from it."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..volumes.cleaned import CleanedView
from ..volumes.sample import SampleRegion, find_sample
from .volumes import StudentVolume

ROUNDING = 1.02  # voxel sizes are rounded in headers; so much above a model's coarsest one is no other
MANY_IN_ICE = 0.2  # share of the picks beside the sample from which on it is told
ENOUGH_PICKS = 20  # of fewer a share says nothing


def sample_of(volume: StudentVolume) -> SampleRegion | None:
    """Where the sample is, or None where sample and ice cannot be told apart."""
    return find_sample(volume.data.grey) if isinstance(volume.data, CleanedView) else None


def too_coarse(volume: StudentVolume, coarsest: float) -> list[str]:
    """A sentence where the voxels are coarser than any that a model with voxels of up to ``coarsest`` Angstrom was taught with."""
    own = volume.header.voxel_size
    if own <= coarsest * ROUNDING:
        return []
    return [f"{volume.name}: voxels of {own:g} A are coarser than the {coarsest:g} A up to which the model was taught: expect a poor "
            "result. Take a tomogram that is binned less"]


def too_thin(volume: StudentVolume, region: SampleRegion | None, diameter: float) -> list[str]:
    """A sentence where the sample is lower than a particle of ``diameter`` Angstrom."""
    if region is None or not diameter > 0:
        return []
    height = (region.z_range[1] - region.z_range[0]) * volume.header.voxel_size
    if height >= diameter:
        return []
    return [f"{volume.name}: the sample is {height:.0f} A high, less than a particle of {diameter:.0f} A: picks are likely cut off or "
            "wrong. Is the voxel size right, and was the tomogram cropped along z?"]


def in_ice(volume: StudentVolume, region: SampleRegion | None, zyx: Sequence[Sequence[float]] | np.ndarray) -> list[str]:
    """A sentence where many of the picks (n, 3), voxels (z, y, x), lie beside the sample."""
    points = np.asarray(zyx, dtype=np.float64).reshape(-1, 3)
    if region is None or len(points) < ENOUGH_PICKS:
        return []
    cells = np.minimum((points + 0.5) // region.side, np.array(region.mask.shape) - 1).astype(np.int64)
    share = 1.0 - float(region.mask[tuple(cells.T)].mean())
    if share < MANY_IN_ICE:
        return []
    return [f"{volume.name}: {share:.0%} of the picks lie in ice or emptiness beside the sample, slices {region.z_range[0]} to "
            f"{region.z_range[1] - 1} in part of the field: raise the smallest probability, or leave them out"]
