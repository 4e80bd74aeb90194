"""Particles of one tomogram that are known already, from lists that may name many."""
from __future__ import annotations

from collections.abc import Sequence

from ..particles.belonging import particles_of
from ..particles.formats import read_particles
from ..particles.table import ParticleTable, concatenate
from ..runtime.job import InputFile
from ..runtime.names import name_of
from ..volumes.header import VolumeHeader


def known_particles(lists: Sequence[InputFile], tomogram: InputFile, names: Sequence[str], header: VolumeHeader) -> ParticleTable:
    """Those of ``lists`` that lie in ``tomogram``, one of those called ``names``, in its voxels; an empty table where there are none."""
    name = name_of(tomogram)
    tables = [read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id,
                             tomogram_voxel_size=header.voxel_size, tomogram_shape={name: header.shape}) for item in lists]
    parts = [particles_of(table, name, names, header.voxel_size) for table in tables]
    return concatenate(parts) if parts else ParticleTable.from_points([], voxel_size=header.voxel_size)
