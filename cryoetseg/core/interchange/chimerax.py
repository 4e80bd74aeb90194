"""A scene for ChimeraX: a command file (.cxc) that opens tomogram, masks as surfaces and particles as markers in their classes' colours.

Markers are ChimeraX's marker sets (.cmm), in Angstrom from where the tomogram's header has its origin; for ArtiaX each class also lies
there as a RELION list, which ArtiaX opens. Paths are relative to the command file.

Volumes in MRC are opened where they lie. All others are copied beside the command file: ChimeraX opens OME-Zarr only with a bundle of its
toolshed, refuses packed files, takes the bits of HDF for values and knows no origin of EM and TIFF (map_data and open_command of its
source).
"""
from __future__ import annotations

import os
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.files import write_text
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem
from ..runtime.params import parameters_from
from ..runtime.provenance import origin_of
from ..volumes.header import Triple, VolumeHeader
from ..volumes.io import FORMATS, create_volume, open_labels, read_header
from ..volumes.names import volume_suffix
from ..volumes.streaming import read_slabs, release_pages, z_slabs
from .colours import MEMBRANE_COLOUR, class_colour
from .material import Material, gather
from .params import ExportChimeraxParameters

MARKER_VOXELS = 8.0  # radius of a marker where no diameter is known
KINDS = {".star": "particles", ".cmm": "markers", ".mrc": "mask"}
MOST_SURFACES = 20  # labels of a mask that get a surface of their own


def run(job: Job) -> MethodOutcome:
    """Write NAME.cxc for each tomogram, with its markers beside. Raises :class:`JobError` and :class:`InputError`."""
    parameters = parameters_from(ExportChimeraxParameters, job.parameters)
    folder, outcome = Path(job.output_folder), MethodOutcome()
    for material in gather(job):
        written = write_scene(material, folder, parameters)
        outcome.outputs += [Output(kind="chimerax", path=written[0], tilt_series_id=material.name)]
        for name in written[1:]:
            kind = "tomogram" if name == f"{Path(written[0]).stem}.mrc" else KINDS[Path(name).suffix]
            outcome.outputs.append(Output(kind=kind, path=name, tilt_series_id=material.name))
        outcome.metrics[material.name] = {"particles": 0 if material.particles is None else len(material.particles),
                                          "masks": len(material.masks)}
    return outcome


def write_scene(material: Material, folder: Path, parameters: ExportChimeraxParameters) -> list[str]:
    """Write the scene of one tomogram into ``folder``; returns the names of the files, the command file first."""
    stem = file_stem(material.name)
    opened, written = _open("1", material.tomogram, material.name, folder, f"{stem}.mrc")
    planes = ",".join(str(size // 2) for size in read_header(material.tomogram.path, material.tomogram.voxel_size).shape[::-1])
    lines = [f"# {_in_one_line(material.name)}: open this file in ChimeraX", *opened,
             f"volume #1 style image colorMode l8 orthoplanes xyz positionPlanes {planes} imageMode orthoplanes step 1"]
    for number, (subject, mask) in enumerate(material.masks.items(), start=2):
        commands, files = _surface(number, subject, mask, folder, stem, parameters.surface_level)
        lines, written = lines + commands, written + files
    if material.particles is not None and len(material.particles):
        origin = read_header(material.tomogram.path, material.tomogram.voxel_size).origin
        commands, files = _markers(material, origin, folder, len(material.masks) + 2, parameters)
        lines, written = lines + commands, written + files
    made = origin_of(folder / f"{stem}.cxc")
    write_text(folder / f"{stem}.cxc", "\n".join([*([f"# {made}"] if made else []), *lines, "lighting soft", "view", ""]))
    return [f"{stem}.cxc", *written]


def _open(model: str, volume: InputFile, title: str, folder: Path, copy: str) -> tuple[list[str], list[str]]:
    """Commands that open a volume in its place, and the file ``copy`` if ChimeraX needs one."""
    opened = open_labels(volume.path, volume.voxel_size)
    if FORMATS[volume_suffix(volume.path)] == "mrc":
        return _commands(model, volume.path, title, folder, opened.header), []
    with create_volume(folder / copy, opened.header.shape, opened.header.dtype, opened.header.voxel_size, opened.header.origin) as target:
        for window in z_slabs(opened.header.shape):
            target[window] = opened.data[window]
            release_pages(target)
    return _commands(model, folder / copy, title, folder, opened.header), [copy]


def _commands(model: str, path: str | Path, title: str, folder: Path, header: VolumeHeader) -> list[str]:
    """Open an MRC file; size and place are said, because they may come from a project or by another sign than ChimeraX takes."""
    return [f"open {_path(path, folder)} format mrc id {model} name {_quoted(title)}",
            f"volume #{model} voxelSize {header.voxel_size:g} origin {_xyz(header.origin)}"]


def _xyz(origin: Triple) -> str:
    return ",".join(f"{value:g}" for value in origin[::-1])


def _path(path: str | Path, folder: Path) -> str:
    return _quoted(os.path.relpath(path, folder))


def _quoted(text: str) -> str:
    return '"' + _in_one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_one_line(text: str) -> str:
    """``text`` without line breaks and other control characters: what follows one in a command file would be a command."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _labels(mask: InputFile) -> list[int]:
    """The labels of a mask, empty for a map of probabilities."""
    volume = open_labels(mask.path, mask.voxel_size)
    if volume.header.dtype.kind == "f":
        return []
    return sorted(set().union(*(np.unique(slab).tolist() for slab in read_slabs(volume.data))) - {0})


def _surface(model: int, subject: str, mask: InputFile, folder: Path, name: str, level: float) -> tuple[list[str], list[str]]:
    """Commands of a mask or probability map as a surface, and files written: a mask of several labels becomes one of each."""
    labels = _labels(mask)
    if not 1 < len(labels) <= MOST_SURFACES:
        colour = MEMBRANE_COLOUR if "membrane" in subject or len(labels) != 1 else class_colour(labels[0])
        commands, written = _open(f"{model}", mask, subject, folder, f"{name}_{file_stem(subject)}.mrc")
        return [*commands, _shown(f"#{model}", level, colour)], written
    commands, written = [], []
    for place, label in enumerate(labels, start=1):
        written.append(f"{name}_{file_stem(subject)}_{label}.mrc")
        header = _write_label(mask, label, folder / written[-1])
        commands += [*_commands(f"{model}.{place}", folder / written[-1], f"{subject} {label}", folder, header),
                     _shown(f"#{model}.{place}", level, class_colour(label))]
    return commands, written


def _shown(model: str, level: float, colour: str) -> str:
    return f"volume {model} style surface level {level:g} color {colour} step 1"


def _write_label(mask: InputFile, label: int, target: Path) -> VolumeHeader:
    volume = open_labels(mask.path, mask.voxel_size)
    header = volume.header
    with create_volume(target, header.shape, np.int8, header.voxel_size, header.origin) as single:
        for window in z_slabs(header.shape):
            single[window] = np.asarray(volume.data[window]) == label
            release_pages(single)
    return header


def _markers(material: Material, origin: Triple, folder: Path, model: int,
             parameters: ExportChimeraxParameters) -> tuple[list[str], list[str]]:
    """Commands and files of the particles: markers, and a list for ArtiaX, one of each for a class."""
    table, commands, written = material.particles, [], []
    assert table is not None
    for place, number in enumerate(sorted(set(table.class_id.tolist()))):
        part = table.select(table.class_id == number)
        title, stem = table.class_names.get(number, f"class {number}"), f"{file_stem(material.name)}_class{number}"
        colour = class_colour(number)
        made = origin_of(folder / f"{stem}.cmm").replace("--", "-")  # two hyphens would end a comment of XML
        write_text(folder / f"{stem}.cmm", (f"<!-- {made} -->\n" if made else "")
                   + marker_set(title, part, origin, colour, _radius(part, parameters)))
        write_particles(part, folder / f"{stem}.star")
        commands += [f"open {_quoted(stem + '.cmm')} id {model + place} name {_quoted(title)}",
                     f"# with ArtiaX instead: {stem}.star as RELION STAR file, pixel size {part.voxel_size:g}"]
        written += [f"{stem}.cmm", f"{stem}.star"]
    return commands, written


def _radius(table: ParticleTable, parameters: ExportChimeraxParameters) -> float:
    if parameters.marker_radius:
        return parameters.marker_radius
    known = table.diameters[np.isfinite(table.diameters)]
    return float(known.mean() / 2) if len(known) else MARKER_VOXELS * table.voxel_size


def marker_set(title: str, table: ParticleTable, origin: Triple, colour: str, radius: float) -> str:
    """The particles as a marker set in XML; a score goes along as the marker's note."""
    red, green, blue = (f"{int(colour[at:at + 2], 16) / 255:.3f}" for at in (1, 3, 5))
    lines = [f"<marker_set name={quoteattr(_in_one_line(title))}>"]
    for number, (place, score) in enumerate(zip(table.zyx * table.voxel_size + np.asarray(origin), table.score), start=1):
        z, y, x = (f"{value:.3f}" for value in place)
        note = f' note="score {score:.4g}"' if np.isfinite(score) else ""
        lines.append(f'<marker id="{number}" x="{x}" y="{y}" z="{z}" r="{red}" g="{green}" b="{blue}" radius="{radius:g}"{note}/>')
    return "\n".join([*lines, "</marker_set>", ""])
