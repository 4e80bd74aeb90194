"""Particle lists for other programs as a job: one file for all tomograms where the format names them in its rows, else one each."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..runtime.errors import JobError
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.names import distinct, file_stem, name_of
from ..runtime.params import parameters_from
from ..volumes.io import read_header
from .formats import read_particles, write_particles
from .options import Shape, tomogram_numbers
from .params import ExportParticlesParameters
from .table import ParticleTable, concatenate

SUFFIXES = {"relion5": ".star", "relion": ".star", "imod_model": ".mod", "dynamo": ".tbl", "em_motl": ".em", "coords": ".coords",
            "copick": ".json", "csv": ".csv"}
JOINED = ("relion5", "relion", "csv")  # their rows name the tomogram
NUMBERED_FROM_ONE = ("imod_model",)  # classes are objects, counted from 1


def run(job: Job) -> MethodOutcome:
    """Write the lists with the role ``particles`` in the wanted format; RELION 5 needs the tomograms, for their size.

    Raises :class:`JobError` without a list, and as the writers do.
    """
    p = parameters_from(ExportParticlesParameters, job.parameters)
    name = p.format
    lists = job.inputs_of("particles")
    if not lists:
        raise JobError("no input has the role 'particles'", "at least one particle list")
    tables = [read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id) for item in lists]
    warnings = []
    if name in NUMBERED_FROM_ONE and any((table.class_id < 1).any() for table in tables):
        tables = [_counted_from_one(table) for table in tables]
        warnings.append("particles without a class: object n + 1 of the models is class n")
    if name in JOINED:
        files = {"particles": concatenate(tables)}
    else:
        files = {file_stem(name_of(item)): table for item, table in zip(distinct(lists), tables)}
    numbers = tomogram_numbers([item.tilt_series_id for item in lists])
    outputs = []
    for stem, table in files.items():
        file_name = stem + SUFFIXES[name]
        write_particles(table, Path(job.output_folder) / file_name, format=name, tomogram_numbers=numbers,
                        tomogram_shape=_shapes(job) if name == "relion5" else None, tilt_series_pixel=p.tilt_series_pixel or None)
        outputs.append(Output(kind="particles", path=file_name, voxel_size=table.voxel_size))
    if name == "relion5" and not p.tilt_series_pixel:
        warnings.append(f"the optics group names {tables[0].voxel_size:g} A, the voxel size of the tomograms, as the pixel of the tilt "
                        "series, which is right only where the tomograms are not binned")
    return MethodOutcome(outputs=outputs, metrics={"particles": sum(map(len, tables)), "files": len(files)}, warnings=warnings)


def _shapes(job: Job) -> dict[str, Shape]:
    """Sizes (z, y, x) of the tomograms by tilt-series id."""
    return {item.tilt_series_id: read_header(item.path, item.voxel_size).shape for item in job.inputs_of("tomogram")}


def _counted_from_one(table: ParticleTable) -> ParticleTable:
    names = {number + 1: name for number, name in table.class_names.items()}
    return replace(table, class_id=table.class_id + 1, class_names=names)
