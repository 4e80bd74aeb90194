"""Applying a model to a tomogram of another voxel size: the tomogram is brought to the model's scale, the result back."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..volumes.resampling import resample_into, resampled_shape
from ..volumes.streaming import temporary_volume
from .volumes import StudentVolume

ALIKE = 0.05  # relative difference of voxel sizes up to which a network is applied as it is


def at_model_scale(volume: StudentVolume, voxel_size: float) -> tuple[StudentVolume, str]:
    """The volume at ``voxel_size`` (Angstrom) and a sentence that says so; itself and nothing when it differs by at most 5 %.

    The resampled voxels lie in a file that vanishes with the process, never in memory as a whole.
    """
    own = volume.header.voxel_size
    if abs(own / voxel_size - 1) <= ALIKE:
        return volume, ""
    z, y, x = resampled_shape(volume.header.shape, own, voxel_size)
    shape = (z, y, x)
    data = temporary_volume(shape, np.float32)
    resample_into(volume.data, own, voxel_size, data)
    header = replace(volume.header, shape=shape, voxel_size=voxel_size, dtype=np.dtype(np.float32))
    warning = (f"{volume.name} has voxels of {own:g} A, the model was trained on {voxel_size:g} A: the tomogram was resampled and the "
               "result brought back")
    return replace(volume, data=data, header=header, labels=None, particles=None, origin=volume), warning
