"""Some classes of a particle list, as a job."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..runtime.errors import InputError, ParameterError
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from .formats import read_particles, write_particles
from .params import SelectParticlesParameters
from .table import concatenate


def run(job: Job) -> MethodOutcome:
    """Write ``selected.star`` with the particles of the wanted classes. Raises :class:`InputError` where none is left."""
    p = parameters_from(SelectParticlesParameters, job.parameters)
    table = concatenate([read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id)
                         for item in job.inputs_of("particles")])
    wanted = class_numbers(p.clusters)
    kept = ~(table.score < p.lowest_score)
    if wanted:
        kept &= np.isin(table.class_id, wanted)
    if not kept.any():
        raise InputError(f"no particle of the classes {p.clusters or 'given'} scores {p.lowest_score:g} or more",
                         f"classes {', '.join(map(str, np.unique(table.class_id)))}")
    write_particles(table.select(kept), Path(job.output_folder) / "selected.star")
    return MethodOutcome(outputs=[Output(kind="particles", path="selected.star", voxel_size=table.voxel_size)],
                         metrics={"kept": int(kept.sum()), "of": len(table)})


def class_numbers(text: str) -> list[int]:
    """``2,5`` as numbers; raises :class:`ParameterError`."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ParameterError(f"clusters = '{text}'", "whole numbers with commas between them", "for example 2,5") from error
