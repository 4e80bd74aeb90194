"""Membranes of masks as objects, as jobs: labels, a table, meshes; points with normals on them; distances of particles to them."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import find_objects

from ..particles.belonging import particles_of
from ..particles.export import SUFFIXES
from ..particles.formats import read_particles, write_particles
from ..particles.options import tomogram_numbers
from ..particles.table import ParticleTable, concatenate
from ..runtime.errors import InputError
from ..runtime.files import atomic_folder, write_text
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem, name_of, named_inputs, series_key
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..runtime.seeds import numpy_generator
from ..volumes.checks import whole_numbers
from ..volumes.io import open_labels, write_volume
from ..volumes.streaming import release_pages, z_slabs
from .instances import membrane_instances
from .measure import Membrane, measured, with_distances
from .midsurface import Surface
from .params import MeasureMembranesParameters, MembraneDistanceParameters, MembraneParameters, MembranePointsParameters
from .points import MembranePoints, distances_to, points_on

POINT_FORMATS = {**SUFFIXES, "stopgap": ".star"}


class Measured(NamedTuple):
    """What is known of the membranes of one mask: ``surfaces`` in its voxels, of ``voxel_size`` Angstrom."""

    name: str
    labels: np.ndarray
    membranes: list[Membrane]
    surfaces: list[Surface]
    voxel_size: float


def run(job: Job) -> MethodOutcome:
    """Label and measure the membranes of each mask (role ``mask``)."""
    p, outcome = parameters_from(MeasureMembranesParameters, job.parameters), MethodOutcome()
    counts, areas = 0, 0.0
    for item in named_inputs(job, "mask"):
        found = measure_mask(item, p)
        _write(found, p, Path(job.output_folder), outcome)
        counts, areas = counts + len(found.membranes), areas + sum(row.area for row in found.membranes)
    outcome.metrics.update({"membranes": counts, "area_um2": areas * 1e-8})
    return outcome


def run_points(job: Job) -> MethodOutcome:
    """Spread points with normals over the membranes of each mask (role ``mask``)."""
    p, outcome = parameters_from(MembranePointsParameters, job.parameters), MethodOutcome()
    tables = []
    for item in named_inputs(job, "mask"):
        found = measure_mask(item, p)
        _write(found, p, Path(job.output_folder), outcome)
        rng = numpy_generator(job.seed, "points", found.name)
        parts = [points_on(surface, p, found.voxel_size, rng) for surface in found.surfaces]
        table = point_table(parts, [row.label for row in found.membranes], series_key(found.name), found.voxel_size)
        tables.append(table)
    numbers = tomogram_numbers([table.tilt_series_id[0] for table in tables if len(table)])
    for table, item in zip(tables, named_inputs(job, "mask")):
        path = f"{file_stem(name_of(item))}_points{POINT_FORMATS[p.format]}"
        write_particles(table, Path(job.output_folder) / path, format=p.format, tomogram_numbers=numbers)
        outcome.outputs.append(Output(kind="particles", path=path, voxel_size=table.voxel_size, tilt_series_id=series_key(name_of(item))))
    outcome.metrics["points"] = sum(map(len, tables))
    return outcome


def run_distances(job: Job) -> MethodOutcome:
    """Distance and side of particles (role ``particles``) to the nearest membrane of the masks (role ``mask``) of their tomograms."""
    p = parameters_from(MembraneDistanceParameters, job.parameters)
    masks = named_inputs(job, "mask")
    names = [series_key(name_of(item)) for item in masks]
    tables = [read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id)
              for item in job.inputs_of("particles")]
    rows, kept, near = [], [], 0
    for item, name in zip(masks, names):
        found = measure_mask(item, p)
        for table in tables:
            own = particles_of(table, name, names, found.voxel_size)
            distances = distances_to(found.surfaces, [row.label for row in found.membranes], own.zyx, found.voxel_size)
            close = np.abs(distances.distance) <= p.near
            near += int(close.sum())
            rows.append(pd.DataFrame({
                "tilt_series_id": own.tilt_series_id, "z": own.zyx[:, 0], "y": own.zyx[:, 1], "x": own.zyx[:, 2],
                "distance_A": distances.distance, "membrane": distances.membrane, "side": distances.side}))
            kept.append(own.select(close if p.keep == "near" else ~close if p.keep == "far" else np.ones(len(own), bool)))
    total = sum(map(len, rows))
    if not total:
        raise InputError(f"no particle belongs to {', '.join(names)}", "particles of the tomograms of these masks",
                         "check the names of the tilt series")
    folder = Path(job.output_folder)
    write_text(folder / "distances.csv", pd.concat(rows).to_csv(index=False, float_format="%.3f"))
    write_particles(concatenate(kept), folder / "particles.star")
    return MethodOutcome(
        outputs=[Output(kind="table", path="distances.csv"),
                 Output(kind="particles", path="particles.star", voxel_size=kept[0].voxel_size)],
        metrics={"particles": total, "near_membranes": near, "kept": sum(map(len, kept))})


def measure_mask(item: InputFile, p: MembraneParameters) -> Measured:
    """The membranes of a mask file. Raises :class:`InputError` without a voxel size and where nothing is left."""
    opened = open_labels(item.path, item.voxel_size)
    voxel_size = opened.header.voxel_size
    if not (opened.header.voxel_size_is_known or item.voxel_size):
        raise InputError(f"{item.path}: the voxel size is unknown", "a mask with a voxel size", "give it with --voxel-size")
    labels = membrane_instances(_as_mask(opened.data, item.path), p.smallest_component / voxel_size**3, p.split_angle if p.split else None)
    membranes, surfaces = [], []
    for label, box in enumerate(track(find_objects(labels), f"measure {name_of(item)}"), start=1):
        corner = [part.start for part in box]
        membrane, surface = measured(label, labels[box] == label, corner, labels.shape, voxel_size, p.mesh_smoothing)
        membranes.append(membrane)
        surfaces.append(surface)
    if not membranes:
        raise InputError(f"{item.path} holds no membrane of {p.smallest_component:g} A^3 or more", "a mask of membranes",
                         "lower --smallest-component, or look at the mask")
    return Measured(name_of(item), labels, with_distances(membranes, surfaces, voxel_size), surfaces, voxel_size)


def _as_mask(data: Any, path: str) -> np.ndarray:
    """Bool (z, y, x); raises :class:`InputError` for a probability map."""
    mask = np.empty(data.shape, dtype=np.bool_)
    for window in z_slabs(mask.shape):
        mask[window] = whole_numbers(np.asarray(data[window]), path) > 0
        release_pages(data)
    return mask


def _write(found: Measured, p: MeasureMembranesParameters, folder: Path, outcome: MethodOutcome) -> None:
    stem, series = file_stem(found.name), series_key(found.name)
    # whole numbers, as other programs want labels; MRC has none of four bytes
    labels = found.labels.astype(np.int16) if len(found.membranes) <= np.iinfo(np.int16).max else found.labels
    write_volume(folder / f"{stem}_instances.mrc", labels, found.voxel_size)
    write_text(folder / f"{stem}_measures.csv", pd.DataFrame(found.membranes).to_csv(index=False, float_format="%.6g"))
    outcome.outputs += [
        Output(kind="membrane_instances", path=f"{stem}_instances.mrc", voxel_size=found.voxel_size, tilt_series_id=series),
        Output(kind="table", path=f"{stem}_measures.csv", tilt_series_id=series)]
    if p.mesh == "none":
        return
    with atomic_folder(folder / f"{stem}_meshes") as part:
        for row, surface in zip(found.membranes, found.surfaces):
            for ending in ("ply", "obj") if p.mesh == "both" else (p.mesh,):
                write_mesh(Path(part) / f"membrane_{row.label:03d}.{ending}", surface, found.voxel_size)
    outcome.outputs.append(Output(kind="meshes", path=f"{stem}_meshes", tilt_series_id=series))


def write_mesh(path: Path, surface: Surface, voxel_size: float) -> None:
    """Write a mesh in Angstrom, x y z from the outer corner of the first voxel, as ``.ply`` or ``.obj``."""
    import trimesh

    points = (surface.vertices[:, ::-1] + 0.5) * voxel_size
    # the order of the corners turns over with that of the axes
    mesh = trimesh.Trimesh(points, surface.faces[:, ::-1], vertex_normals=surface.normals[:, ::-1], process=False)
    mesh.export(path, file_type=path.suffix[1:])


def point_table(parts: Sequence[MembranePoints], labels: Sequence[int], series: str, voxel_size: float) -> ParticleTable:
    """Points of all membranes as particles; the class is the number of the membrane."""
    return ParticleTable.from_points(
        np.concatenate([part.zyx for part in parts]), voxel_size=voxel_size, tilt_series_id=series,
        class_id=np.repeat(np.asarray(labels), [len(part.zyx) for part in parts]),
        angles=np.concatenate([part.angles for part in parts]), class_names={label: f"membrane {label}" for label in labels})
