"""Which labels and particle lists belong to which tomogram: by the usual rules of names, else in order."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..particles.formats import read_particles
from ..particles.table import ParticleTable
from ..runtime.errors import InputError
from ..runtime.job import InputFile
from ..runtime.names import check_same_series, matching, name_of
from ..volumes.header import Shape
from ..volumes.io import read_header


def paired(tomograms: Sequence[InputFile], files: Sequence[InputFile], needs: str) -> list[tuple[InputFile, ...]]:
    """The files of each tomogram, whose names differ. As many files as tomograms belong together in order where no name tells.

    Raises :class:`InputError` that lists all tomograms without any, or for a file whose name speaks of another tilt series.
    """
    if len(tomograms) == len(files) == 1:
        return _in_order(tomograms, files, needs)
    names = [name_of(item) for item in tomograms]
    shapes = {name_of(item): read_header(item.path, item.voxel_size).shape for item in tomograms}
    named = [_names_in(item, needs, shapes) for item in files]  # one file may serve several tomograms, named differently each time
    found = [tuple(item for item, own in zip(files, named) if _speaks_of(name, own, names)) for name in names]
    if not any(found) and len(files) == len(tomograms):
        return _in_order(tomograms, files, needs)
    missing = [name for name, own in zip(names, found) if not own]
    if missing:
        offered = sorted({name for own in named for name in own})
        raise InputError(f"no {needs} for the tomogram(s) {', '.join(missing)}", f"{needs} with the same tilt-series id (got: "
                         f"{', '.join(offered) or 'none'})", "give one file for each tomogram, or leave these tomograms out")
    several = [name for name, own in zip(names, found) if len(own) > 1 and needs == "labels"]
    if several:
        raise InputError(f"several label files for {', '.join(several)}", "one for each tomogram")
    return found


def _in_order(tomograms: Sequence[InputFile], files: Sequence[InputFile], needs: str) -> list[tuple[InputFile, ...]]:
    for tomogram, file in zip(tomograms, files):
        check_same_series(name_of(tomogram), name_of(file), needs)
    return [(item,) for item in files]


def _speaks_of(name: str, own: set[str], names: Sequence[str]) -> bool:
    """Whether a file that speaks of ``own`` speaks of the tomogram ``name``; what is the exact name of another one is that one's."""
    return bool(matching(name, sorted(own - (set(names) - {name}))))


def _names_in(item: InputFile, needs: str, shapes: Mapping[str, Shape]) -> set[str]:
    """The tilt series a file speaks of."""
    if needs != "particles":
        return {name_of(item)}
    # any voxel size will do: only the names are asked for
    table = read_particles(item.path, voxel_size=item.voxel_size or 1.0, tilt_series_id=name_of(item), tomogram_shape=shapes)
    return {name_of(item), *table.tilt_series_ids()}


def rows_of(table: ParticleTable, name: str, names: Sequence[str]) -> ParticleTable:
    """The rows of the tomogram ``name``, one of ``names``, under that name; all rows of a list that names one tomogram of no training.

    Raises :class:`InputError` when a list of one tomogram names another one of ``names``, or another tilt series.
    """
    listed = table.tilt_series_ids()
    own = matching(name, [other for other in listed if other == name or other not in names])
    if not own and len(listed) <= 1:
        if any(matching(other, listed) for other in names):
            raise InputError(f"the list given for the tomogram {name} names {listed[0]}, another one of this training",
                             "lists in the order of their tomograms", "give the lists in that order, or one list of all")
        for other in listed:
            check_same_series(name, other, "particles of")
        own = listed
    rows = table.select(np.isin(table.tilt_series_id, np.array(own, dtype=object)))
    return replace(rows, tilt_series_id=np.full(len(rows), name, dtype=object))
