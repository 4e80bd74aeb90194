"""Particle lists that a RELION 5 project takes as they are, and the optimisation set that joins them to its tomograms.

As RELION itself does where a list has no optics groups (ParticleSet::read), each tomogram is one, with the optics of its tilt series.
"""
from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from ..particles.star import write_blocks
from ..particles.table import ParticleTable
from ..runtime.errors import InputError, JobError
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from .material import gather
from .params import ExportRelionParameters
from .relion_project import RelionTomogram, RelionTomograms, read_tomograms

PARTICLES, SET = "particles.star", "optimisation_set.star"
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")


def run(job: Job) -> MethodOutcome:
    """Write the job's particles for the project whose tomograms.star has the role ``relion``. Raises :class:`JobError`."""
    parameters, folder = parameters_from(ExportRelionParameters, job.parameters), Path(job.output_folder)
    tomograms = read_tomograms(Path(job.input_of("relion").path))
    parts = [(tomograms.known(item.name), item.particles) for item in gather(job) if item.particles is not None and len(item.particles)]
    if not parts:
        raise JobError("no particles are in the tomograms given", "at least one particle list with the role 'particles'")
    write_particle_list(parts, folder / PARTICLES)
    outputs = [Output(kind="particles", path=PARTICLES)]
    if parameters.optimisation_set:
        write_optimisation_set(folder / SET, folder / PARTICLES, tomograms)
        outputs.append(Output(kind="optimisation_set", path=SET))
    counts = {tomogram.name: len(table) for tomogram, table in parts}
    return MethodOutcome(outputs=outputs, metrics={"particles": sum(counts.values()), "by_tomogram": counts})


def write_particle_list(parts: list[tuple[RelionTomogram, ParticleTable]], path: Path) -> None:
    """Write particles of several tomograms. Raises :class:`InputError` for one that lies outside its tomogram."""
    particles = [_rows(tomogram, table, number, path) for number, (tomogram, table) in enumerate(parts, start=1)]
    optics = [{"rlnOpticsGroup": number, "rlnOpticsGroupName": tomogram.name, **tomogram.optics}
              for number, (tomogram, _) in enumerate(parts, start=1)]
    write_blocks(path, {"optics": pd.DataFrame(optics), "particles": pd.concat(particles, ignore_index=True)})


def _rows(tomogram: RelionTomogram, table: ParticleTable, group: int, path: Path) -> pd.DataFrame:
    centred = table.zyx * table.voxel_size - tomogram.centre
    outside = np.abs(centred) > tomogram.centre + table.voxel_size
    if outside.any():
        row = int(np.flatnonzero(outside.any(axis=1))[0])
        place, size = centred[row][::-1].round(1).tolist(), (2 * tomogram.centre[::-1]).round(1).tolist()
        raise InputError(f"cannot write {path}: particle {row} of {tomogram.name} at {place} A from the centre lies outside the tomogram "
                         f"of {size} A",
                         "particles of the same tomogram at its own voxel size", "check the list's voxel size and the names")
    columns: dict[str, object] = {"rlnTomoName": [tomogram.name] * len(table),
                                  "rlnTomoParticleName": [f"{tomogram.name}/{number}" for number in range(1, len(table) + 1)]}
    columns.update({f"rlnCenteredCoordinate{axis}Angst": centred[:, 2 - place] for place, axis in enumerate("XYZ")})
    columns.update({name: table.angles[:, place] for place, name in enumerate(ANGLES)})
    columns["rlnOpticsGroup"] = np.full(len(table), group)
    columns["rlnClassNumber"] = table.class_id
    if np.isfinite(table.score).all():
        columns["rlnAutopickFigureOfMerit"] = table.score
    return pd.DataFrame(columns)


def write_optimisation_set(path: Path, particles: Path, tomograms: RelionTomograms) -> None:
    """Write the set with paths from the project's folder, in which RELION runs."""
    names = {"rlnTomoParticlesFile": os.path.relpath(particles, tomograms.root),
             "rlnTomoTomogramsFile": os.path.relpath(tomograms.file, tomograms.root)}
    write_blocks(path, {"optimisation_set": pd.DataFrame([names])})
