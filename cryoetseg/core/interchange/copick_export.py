"""Results written into a copick project, a new one or one that exists: tomograms, picks by class, masks, meshes of masks."""
from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..particles.copick import write as write_picks
from ..particles.table import ParticleTable
from ..runtime.errors import InputError
from ..runtime.files import write_text, writing_by
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.ledger import write_also_below
from ..runtime.names import file_stem
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.io import open_labels, read_header
from ..volumes.streaming import read_slabs, release_pages, z_slabs
from ..volumes.zarr_ngff_writer import CHUNK, create
from .colours import class_colour, rgba
from .copick_project import MULTILABEL, PICKS, RUNS, Project, project_json, read_project, sanitised
from .material import Material, gather
from .mesh import write_mesh
from .params import ExportCopickParameters

logger = logging.getLogger(__name__)
CONFIG = "copick.json"
INSTANCE = "instance"


def run(job: Job) -> MethodOutcome:
    """Write the job's tomograms, masks and particles. Raises :class:`JobError` and :class:`InputError`."""
    parameters = parameters_from(ExportCopickParameters, job.parameters)
    project = open_or_new(Path(job.output_folder), parameters)
    write_also_below(project.roots[:1])  # a project keeps its data where its configuration says
    writer = Writer(project, parameters, Path(job.output_folder))
    for material in gather(job):
        writer.write(material)
    writer.finish()
    return writer.outcome


def open_or_new(folder: Path, parameters: ExportCopickParameters) -> Project:
    """The project of the parameter ``project``, else that of ``folder``, which is made when it is not there."""
    config = Path(parameters.project) if parameters.project else folder / CONFIG
    if parameters.project or config.is_file():
        return read_project(config)
    root = (folder / "data").absolute()
    content = {"config_type": "filesystem", "name": folder.name, "description": "written by cryoetseg", "version": "1.0.0",
               "user_id": sanitised(parameters.user), "session_id": sanitised(parameters.session), "pickable_objects": [],
               "overlay_root": f"local://{root}", "overlay_fs_args": {"auto_mkdir": True}}
    return Project(config, content, [root])


class Writer:
    """Writes into one project and keeps its list of objects."""

    def __init__(self, project: Project, parameters: ExportCopickParameters, folder: Path) -> None:
        self.project, self.parameters, self.folder = project, parameters, folder
        self.user, self.session = sanitised(parameters.user), sanitised(parameters.session)
        self.outcome = MethodOutcome()
        self._written: set[Path] = set()

    def finish(self) -> None:
        """Write the configuration with the objects that were added."""
        with writing_by(None):  # what a project's configuration says is kept
            write_text(self.project.file, project_json(self.project.content))
        self._made("copick", self.project.file, "")

    def write(self, material: Material) -> None:
        """Write one tomogram with what belongs to it."""
        run = self.project.run_folder(file_stem(material.name))
        if self.parameters.write_tomograms:
            self._write_tomogram(run, material)
        if material.particles is not None:  # first: their classes name the labels of masks
            self._write_picks(run, material.name, material.particles)
        for subject, mask in material.masks.items():
            self._write_mask(run, material, subject, mask)

    def _write_tomogram(self, run: Path, material: Material) -> None:
        """Write the tomogram unless the project has it. Raises :class:`InputError` where it has another one of this type."""
        source = material.tomogram
        voxel_size = read_header(source.path, source.voxel_size).voxel_size
        name = Path(f"VoxelSpacing{voxel_size:.3f}", f"{sanitised(self.parameters.tomogram_type)}.zarr")
        there = [root / RUNS / run.name / name for root in self.project.roots if (root / RUNS / run.name / name).exists()]
        known = bool(there) and is_same_volume(source, there[0])
        if there and not known and self.parameters.project:
            raise InputError(f"the project has another tomogram {there[0]} than {source.path}", "one tomogram of a type and voxel size",
                             "choose another tomogram type, or leave the tomograms out")
        target = self._target(there[0] if known else run / name)
        if not known:
            copy_volume(source, target)
        self._made("tomogram", target, material.name, voxel_size)

    def _target(self, path: Path) -> Path:
        """``path`` itself. Raises :class:`InputError` where something of this run is there already."""
        if path in self._written:
            raise InputError(f"two things would both be written as {path}",
                             "names that differ also with - for spaces, underscores and the like", "rename one of the classes or masks")
        self._written.add(path)
        return path

    def _write_picks(self, run: Path, name: str, table: ParticleTable) -> None:
        for number in sorted(set(table.class_id.tolist())):
            part = table.select(table.class_id == number)
            title = self._object(part.class_names.get(number, f"class{number}"), number, True, part)
            path = self._target(run / PICKS / f"{self.user}_{self.session}_{title}.json")
            one = ParticleTable(part.zyx, np.full(len(part), run.name, dtype=object), part.voxel_size, part.class_id, part.score,
                                part.angles, part.diameters, {number: title})
            write_picks(one, path, self.user, self.session)
            self._made("particles", path, name, part.voxel_size)

    def _write_mask(self, run: Path, material: Material, subject: str, mask: InputFile) -> None:
        header, values = read_header(mask.path, mask.voxel_size), labels_of(mask)
        title, names = sanitised(subject), material.particles.class_names if material.particles is not None else {}
        stem = f"{header.voxel_size:.3f}_{self.user}_{self.session}_"
        if INSTANCE in subject.lower():
            target, table = run / "InstanceSegmentations" / f"{stem}{self._object(title, 0, False)}.zarr", {}
        elif len(values) > 1:
            table = {value: self._label(names.get(value, f"{subject}-{value}"), value) for value in values}
            target = run / "Segmentations" / f"{stem}{title}{MULTILABEL}.zarr"
        else:
            table = dict.fromkeys(values, 1)
            target = run / "Segmentations" / f"{stem}{self._object(title, 0, False)}.zarr"
        copy_volume(mask, self._target(target), table)
        self._made("mask", target, material.name, header.voxel_size)
        if self.parameters.meshes and len(values) == 1:
            mesh = run / "Meshes" / f"{self.user}_{self.session}_{title}.glb"
            write_mesh(mask, mesh)
            self._made("mesh", mesh, material.name)

    def _label(self, name: str, wanted: int) -> int:
        title = self._object(name, wanted, False)
        return int(self.project.objects()[title]["label"])

    def _object(self, name: str, wanted: int, is_particle: bool, table: ParticleTable | None = None) -> str:
        """The project's object of this name, added with a free label, by preference ``wanted``, when it is missing."""
        title, objects = sanitised(name), self.project.objects()
        if title not in objects:
            used = {int(item.get("label") or 0) for item in objects.values()}
            label = wanted if wanted > 0 and wanted not in used else next(value for value in range(1, len(used) + 2) if value not in used)
            added: dict[str, Any] = {"name": title, "is_particle": is_particle, "label": label, "color": list(rgba(class_colour(label)))}
            known = table.diameters[np.isfinite(table.diameters)] if table is not None else np.zeros(0)
            if len(known):
                added["radius"] = float(known.mean() / 2)
            self.project.content["pickable_objects"].append(added)
        return title

    def _made(self, kind: str, path: Path, name: str, voxel_size: float | None = None) -> None:
        place = os.path.relpath(path, self.folder)
        self.outcome.outputs.append(Output(kind=kind, path=place, tilt_series_id=name, voxel_size=voxel_size))


def labels_of(mask: InputFile) -> list[int]:
    """The labels of a mask. Raises :class:`InputError` for a volume of other values, which copick does not take as a segmentation."""
    found: set[float] = set()
    for slab in read_slabs(open_labels(mask.path, mask.voxel_size).data):
        found.update(np.unique(slab).tolist())
        if any(value < 0 or value != int(value) for value in found):
            raise InputError(f"{mask.path} holds other values than labels", "a mask or label volume with whole numbers from 0",
                             "give the mask, not the map of probabilities")
    return [int(value) for value in sorted(found - {0})]


def is_same_volume(source: InputFile, path: Path) -> bool:
    """Whether the image at ``path`` has the voxels of ``source``, or is that file."""
    if path.absolute() == Path(source.path).absolute():
        return True
    one, other = open_labels(source.path, source.voxel_size), open_labels(path)
    if one.header.shape != other.header.shape:
        return False
    return all(np.array_equal(np.asarray(one.data[window]), np.asarray(other.data[window]), equal_nan=one.header.dtype.kind == "f")
               for window in track(z_slabs(one.header.shape), f"compare {path.name}"))


def copy_volume(source: InputFile, target: Path, table: dict[int, int] | None = None) -> None:
    """Write a volume as OME-Zarr 0.4 with a pyramid, as copick's library reads it; labels are renumbered by ``table``."""
    volume = open_labels(source.path, source.voxel_size)
    header = volume.header
    highest = max((table or {}).values(), default=0)
    dtype = header.dtype if not table else np.dtype(np.uint8 if highest < 256 else np.uint16)
    layer = CHUNK * header.shape[1] * header.shape[2] * header.dtype.itemsize
    # copick counts from the corner of the tomogram and knows no origin
    with create(target, header.shape, dtype, header.voxel_size, (0.0, 0.0, 0.0)) as data:
        for window in track(z_slabs(header.shape, header.dtype.itemsize, layer), f"write {target.name}"):
            slab = np.asarray(volume.data[window])
            data[window] = renumbered(slab, table, dtype) if table else slab
            release_pages(volume.data)


def renumbered(slab: np.ndarray, table: dict[int, int], dtype: np.dtype) -> np.ndarray:
    """Labels replaced by what ``table`` has for them; 0 stays."""
    result = np.zeros(slab.shape, dtype=dtype)
    for value, label in table.items():
        result[slab == value] = label
    return result
