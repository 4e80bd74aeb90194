"""What a copick project holds as files of other formats: tomograms and segmentations as MRC, picks as one list a run."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..particles.copick import read as read_picks
from ..particles.formats import write_particles
from ..particles.options import ReadOptions
from ..particles.table import ParticleTable, concatenate
from ..runtime.errors import InputError
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.io import create_volume, open_labels
from ..volumes.streaming import release_pages, z_slabs
from .copick_project import Entry, Project, parse_pattern, read_project
from .params import ImportCopickParameters


def run(job: Job) -> MethodOutcome:
    """Read the project whose configuration has the role ``copick``. Raises :class:`InputError` when nothing in it fits."""
    parameters = parameters_from(ImportCopickParameters, job.parameters)
    project, folder = read_project(Path(job.input_of("copick").path)), Path(job.output_folder)
    tomograms = one_of_each_run(project, parameters)
    outcome, numbers = MethodOutcome(), class_numbers(project)
    for entry in tomograms:
        assert entry.voxel_size is not None
        outcome.outputs.append(_volume(entry, folder / f"{entry.run}.mrc", "tomogram"))
        picks = _picks_of(project, parameters, entry.run)
        if picks:
            table = read_run_picks(picks, entry.voxel_size, numbers)
            write_particles(table, folder / f"{entry.run}_particles.star")
            outcome.outputs.append(Output(kind="particles", path=f"{entry.run}_particles.star", voxel_size=entry.voxel_size,
                                          tilt_series_id=entry.run))
            outcome.metrics[entry.run] = {"particles": len(table)}
        masks = _masks_of(project, parameters, entry.run)
        fitting = {_mask_file(mask): mask for mask in masks if mask.voxel_size == entry.voxel_size}
        _refuse_one_file_for_two(masks, fitting)
        outcome.outputs += [_volume(mask, folder / name, "mask") for name, mask in fitting.items()]
        outcome.warnings += [f"{mask.uri} of {entry.run} is left out: its voxels are not those of the tomogram" for mask in masks
                             if mask.voxel_size != entry.voxel_size]
    return outcome


def files_read(job: Job) -> list[str]:
    """The volumes and lists that the import takes from the project: with another content they make another import."""
    parameters = parameters_from(ImportCopickParameters, job.parameters)
    project = read_project(Path(job.input_of("copick").path))
    entries = [[tomogram, *_picks_of(project, parameters, tomogram.run), *_masks_of(project, parameters, tomogram.run)]
               for tomogram in one_of_each_run(project, parameters)]
    return [str(entry.path) for of_run in entries for entry in of_run]


def _picks_of(project: Project, parameters: ImportCopickParameters, run: str) -> list[Entry]:
    return project.picks(parse_pattern(parameters.picks), run) if parameters.picks else []


def _masks_of(project: Project, parameters: ImportCopickParameters, run: str) -> list[Entry]:
    return project.segmentations(parse_pattern(parameters.segmentations), run) if parameters.segmentations else []


def _mask_file(mask: Entry) -> str:
    return f"{mask.run}_{mask.name}_{mask.user}_{mask.session}.mrc"


def _refuse_one_file_for_two(masks: list[Entry], written: dict[str, Entry]) -> None:
    for mask in masks:
        other = written.get(_mask_file(mask), mask)
        if other is not mask and other.voxel_size == mask.voxel_size:
            raise InputError(f"{mask.path.name} and {other.path.name} would both be written as {_mask_file(mask)}",
                             "segmentations that differ in name, user or session", "choose one of them, or rename one in the project")


def one_of_each_run(project: Project, parameters: ImportCopickParameters) -> list[Entry]:
    """The tomogram of each run: the first that fits, finest first. Raises :class:`InputError` when there is none."""
    found: dict[str, Entry] = {}
    for entry in project.tomograms(parse_pattern(parameters.tomogram), parameters.run_names):
        found.setdefault(entry.run, entry)
    if not found:
        there = dict.fromkeys(entry.uri for entry in project.tomograms(parse_pattern("")))
        raise InputError(f"{project.file} has no tomogram '{parameters.tomogram}' in runs '{parameters.run_names}'",
                         ", ".join(there) or "a project with tomograms", f"runs are: {', '.join(project.run_names()[:20])}")
    return list(found.values())


def class_numbers(project: Project) -> dict[str, int]:
    """The class of each object: its label in the project, else the next free number."""
    numbers: dict[str, int] = {}
    for name, item in project.objects().items():
        label = int(item.get("label") or 0)
        numbers[name] = label if label > 0 and label not in numbers.values() else max([0, *numbers.values()]) + 1
    return numbers


def read_run_picks(entries: list[Entry], voxel_size: float, numbers: dict[str, int]) -> ParticleTable:
    """Picks of one run as one list in voxels of ``voxel_size`` Angstrom, a class for each object."""
    tables = []
    for entry in entries:
        table = read_picks(entry.path, ReadOptions(voxel_size, entry.run))
        number = numbers.setdefault(entry.name, max([0, *numbers.values()]) + 1)
        tables.append(ParticleTable(table.zyx, np.full(len(table), entry.run, dtype=object), voxel_size, np.full(len(table), number),
                                    table.score, table.angles, table.diameters, {number: entry.name}))
    return concatenate(tables)


def _volume(entry: Entry, path: Path, kind: str) -> Output:
    """Copy a volume slab by slab into an MRC file; voxel size and run are the project's."""
    volume = open_labels(entry.path, entry.voxel_size)
    header = volume.header
    with create_volume(path, header.shape, header.dtype, header.voxel_size, header.origin) as target:
        for window in track(z_slabs(header.shape), f"copy {path.name}"):
            target[window] = volume.data[window]
            release_pages(target)
    return Output(kind=kind, path=path.name, voxel_size=entry.voxel_size, tilt_series_id=entry.run)
