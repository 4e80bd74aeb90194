"""What a job hands over, sorted by tomogram."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..particles.formats import read_particles, recognise
from ..particles.table import ParticleTable, concatenate
from ..runtime.errors import JobError
from ..runtime.job import InputFile, Job
from ..runtime.names import file_stem
from ..volumes.io import read_header
from ..volumes.names import volume_stem
from .relion_project import RelionTomograms, is_centred, names_in, plain_name, read_tomograms

WITHOUT_NUMBERS = ("copick", "portal")  # their lists name an object


@dataclass
class Material:
    """One tomogram with its masks, by what each shows, and its particles in voxels of the tomogram."""

    name: str
    tomogram: InputFile
    masks: dict[str, InputFile] = field(default_factory=dict)
    particles: ParticleTable | None = None


def gather(job: Job) -> list[Material]:
    """The job's inputs by tomogram, in the order of the tomograms (role ``tomogram``); roles ``mask`` and ``particles`` join them by
    tilt-series id. Raises :class:`JobError` without tomograms, for two of one name, and for what belongs to none.
    """
    found: dict[str, Material] = {}
    for item in job.inputs_of("tomogram"):
        name = item.tilt_series_id or volume_stem(item.path)
        if file_stem(name) in {file_stem(other) for other in found}:  # names are names of files, in which a/b is a_b
            raise JobError(f"two tomograms are called '{name}'", "one tomogram of each name", "give one of them another tilt-series id")
        found[name] = Material(name, item)
    if not found:
        raise JobError("no input has the role 'tomogram'", "at least one tomogram", "give the tomogram that the results belong to")
    for item in job.inputs_of("mask"):
        material = found[_owner(item, found)]
        material.masks[_subject(item, material.name)] = item
    _add_particles(job, found)
    return list(found.values())


def _owner(item: InputFile, found: dict[str, Material]) -> str:
    """The tomogram whose name the item bears, else the longest whose name its file begins with, else the only one."""
    if item.tilt_series_id in found:
        return item.tilt_series_id
    plain = [name for name in found if plain_name(name) == plain_name(item.tilt_series_id)]
    if len(plain) == 1:
        return plain[0]
    beginning = [name for name in found if volume_stem(item.path).startswith(name)]
    if beginning:
        return max(beginning, key=len)
    if len(found) == 1:
        return next(iter(found))
    raise JobError(f"{item.path} belongs to none of the tomograms {', '.join(found)}", "names that begin with a tomogram's name",
                   "rename it, or name its tilt series")


def _subject(item: InputFile, name: str) -> str:
    """What a mask shows: what its file's name adds to the tomogram's."""
    stem = volume_stem(item.path)
    return stem[len(name):].strip("_-. ") or "mask" if stem.startswith(name) else stem


def _add_particles(job: Job, found: dict[str, Material]) -> None:
    projects = [read_tomograms(Path(item.path)) for item in job.inputs_of("relion")]
    numbers: dict[str, int] = {}
    for item in job.inputs_of("particles"):
        table = _read_list(item, found, projects)
        if recognise(Path(item.path)) in WITHOUT_NUMBERS:
            table = _numbered_by_name(table, numbers)
        alone = len(found) == 1 and len(table.tilt_series_ids()) <= 1
        for name in table.tilt_series_ids():
            of_row = item.model_copy(update={"tilt_series_id": name})
            target = name if name in found else next(iter(found)) if alone else _owner(of_row, found)
            part = in_voxels_of(found[target].tomogram, table.of_tomogram(name))
            earlier = found[target].particles
            found[target].particles = part if earlier is None else concatenate([earlier, part])


def _read_list(item: InputFile, found: dict[str, Material], projects: list[RelionTomograms]) -> ParticleTable:
    """A particle list; centred coordinates of RELION 5 count from the centre that its project tells, else from the tomogram's own."""
    path = Path(item.path)
    if path.suffix.lower() != ".star" or not is_centred(path):
        return read_particles(path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id)
    headers = {name: read_header(material.tomogram.path, material.tomogram.voxel_size) for name, material in found.items()}
    sizes = {header.voxel_size for header in headers.values()}
    if len(sizes) > 1:
        raise JobError(f"{path} is in Angstrom from the centres of tomograms of {len(sizes)} voxel sizes", "tomograms of one voxel size",
                       "export them one by one")
    voxel_size, shapes = sizes.pop(), {}
    for name in names_in(path):
        material = next((item for item in found if plain_name(item) == plain_name(name)), None)
        if projects:
            shapes[name] = tuple((2 * projects[0].known(name).centre / voxel_size).tolist())
        elif material is not None:
            shapes[name] = headers[material].shape
    return read_particles(path, voxel_size=voxel_size, tomogram_shape=shapes)


def _numbered_by_name(table: ParticleTable, numbers: dict[str, int]) -> ParticleTable:
    """The list of one object with the number of its name in ``numbers``, to which the next is added for a name that is not there."""
    name = next(iter(table.class_names.values()), "")
    if not name:
        return table
    number = numbers.setdefault(name, len(numbers) + 1)
    return replace(table, class_id=np.full(len(table), number), class_names={number: name})


def in_voxels_of(tomogram: InputFile, table: ParticleTable) -> ParticleTable:
    """The list in voxels of its tomogram; one that does not know its voxel size is taken to be in them."""
    voxel_size = read_header(Path(tomogram.path), tomogram.voxel_size).voxel_size
    if not table.voxel_size_is_known:
        return ParticleTable(table.zyx, table.tilt_series_id, voxel_size, table.class_id, table.score, table.angles, table.diameters,
                             table.class_names)
    return table.at_voxel_size(voxel_size)
