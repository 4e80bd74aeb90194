"""Which rows of a particle list belong to a tomogram."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..runtime.names import check_same_series, meant, series_key
from .table import ParticleTable


def particles_of(table: ParticleTable, name: str, names: Sequence[str], voxel_size: float) -> ParticleTable:
    """The particles of the tomogram called ``name``, one of ``names``, in its voxels of ``voxel_size`` Angstrom.

    Names may differ by what programs add. A list of one tilt series belongs to the only tomogram, whatever it is called; one that does not
    tell its voxel size counts in the tomogram's. Raises :class:`InputError` where that name speaks of another tilt series.
    """
    series = table.tilt_series_ids()
    alone = len(names) == 1 and len(series) == 1
    if alone:
        check_same_series(name, series[0], "particles of")
    keys = [series_key(other) for other in names]
    wanted = [own for own in series if alone or meant(own, names) == name or meant(series_key(own), keys) == series_key(name)]
    own = table.select(np.isin(table.tilt_series_id, wanted))
    return own.at_voxel_size(voxel_size) if own.voxel_size_is_known else replace(own, voxel_size=voxel_size)
