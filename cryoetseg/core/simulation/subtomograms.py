"""The job that writes simulated subtomograms with their masks."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.files import write_json
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.io import write_volume
from .fourier import simulate_subtomograms
from .maps import load_templates
from .params import SubtomogramParameters


def run(job: Job) -> MethodOutcome:
    """Write ``count`` subtomograms, their masks (1 in every macromolecule), one particle list and the parameters.

    Inputs with the role ``template`` are added to the library. In the particle list the tilt-series id is the subtomogram's name and
    the coordinate is the target's centre in it.
    """
    p = parameters_from(SubtomogramParameters, job.parameters)
    folder, sign = Path(job.output_folder), np.float32(-1 if p.contrast == "dark" else 1)
    extra = load_templates(job.inputs_of("template"), p.voxel_size)
    outputs, made = [], []
    for number, item in enumerate(track(simulate_subtomograms(p, job.seed, extra), "subtomograms", p.count), start=1):
        stem = f"{p.name}_{number:06d}"
        write_volume(folder / f"{stem}.mrc", sign * item.image, p.voxel_size)
        write_volume(folder / f"{stem}_mask.mrc", item.mask, p.voxel_size)
        outputs += [Output(kind="subtomogram", path=f"{stem}.mrc", voxel_size=p.voxel_size, tilt_series_id=stem),
                    Output(kind="class_mask", path=f"{stem}_mask.mrc", voxel_size=p.voxel_size, tilt_series_id=stem)]
        made.append((stem, item.centre, item.angles, item.class_id, item.class_name))
    table = _table(made, p.voxel_size)
    write_particles(table, folder / f"{p.name}_particles.star")
    write_json(folder / f"{p.name}_parameters.json", {"parameters": p.model_dump(), "seed": job.seed, "contrast": p.contrast})
    outputs += [Output(kind="particles", path=f"{p.name}_particles.star", voxel_size=p.voxel_size),
                Output(kind="report", path=f"{p.name}_parameters.json")]
    return MethodOutcome(outputs=outputs, metrics={"subtomograms": len(made), "classes": len(table.class_names)})


def _table(made: list[tuple[str, np.ndarray, np.ndarray, int, str]], voxel_size: float) -> ParticleTable:
    stems, centres, angles, numbers, names = zip(*made)
    return ParticleTable.from_points(
        np.array(centres), voxel_size=voxel_size, tilt_series_id=np.array(stems, dtype=object), class_id=np.array(numbers),
        angles=np.array(angles), class_names=dict(zip(numbers, names)))
