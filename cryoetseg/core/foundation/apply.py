"""Slab segmentation as a job: a tomogram goes in, a membrane mask, particle candidates and eigenimages come out."""
from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.device import choose_device
from ..runtime.errors import InputError
from ..runtime.files import atomic_path, check_permit
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem, name_of
from ..runtime.params import parameters_from
from ..volumes.cleaned import CleanedView, checked_header, cleaned, open_cleaned, told
from ..volumes.header import VolumeHeader
from ..volumes.io import Volume, create_volume
from ..volumes.sample import slices_with_sample
from ..volumes.streaming import release_pages, temporary_volume
from ..volumes.views import ChangedView
from .backbone import load_backbone
from .canvases import CanvasPlan, SlabCanvas, gives_features, slab_canvases
from .door import Backbone
from .eigenimages import WHITE
from .frames import plan_frame
from .linking import Linked
from .params import SegmentSlabsParameters
from .pictures import Pictures
from .separation import separate
from .slabs import slab_indices
from .slices import separate_slices

logger = logging.getLogger(__name__)
SHOWN_SLABS = 5  # slabs whose eigenimages are kept for the viewer


class Segmentation(NamedTuple):
    """Membranes, bool (z, y, x), of all slices from the first slab to the last, particles with z counted from the first slab in voxels,
    and the slabs kept for viewing."""

    membranes: np.ndarray
    particles: Linked
    shown: list[SlabCanvas]


def run(job: Job) -> MethodOutcome:
    """Segment the slabs of the job's one tomogram and write the results into the output folder."""
    parameters = parameters_from(SegmentSlabsParameters, job.parameters)
    source = _only_tomogram(job)
    checked_header(source)
    data, header = open_cleaned(source.path, source.contrast, source.voxel_size, parameters.cleaning)
    volume = Volume(data, header)
    notes: list[str] = []
    if parameters.z_auto:
        (first, end), notes = slices_with_sample(data, name_of(source))
        parameters = parameters.model_copy(update={"z_start": first, "z_end": end})
    slabs = slab_indices(parameters, volume.header.shape[0])
    for file in _files(name_of(source)):
        check_permit(Path(job.output_folder) / file)
    device = choose_device(job.device)
    backbone = load_backbone(parameters.backbone, parameters.weights_folder, device, empty_prompt=parameters.empty_prompt,
                             noise_reach_nm=parameters.noise_reach / 10,
                             step_seed=job.seed if parameters.noise_step == "fixed" else None)
    segmentation = segment_slabs(volume, source.contrast, slabs, parameters, backbone, job.seed)
    name = name_of(source)
    outputs, particles = _write(Path(job.output_folder), name, volume.header, slabs, segmentation)
    metrics = {"slabs": len(slabs), "particles": particles, "membrane_fraction": float(segmentation.membranes.mean()),
               "invalid_fraction": data.grey.invalid_share, "slices": f"{slabs[0]}:{slabs[-1] + 1}"}
    warnings = [*header.warnings, *told(name, data.grey), *notes, *_warnings(segmentation)]
    return MethodOutcome(outputs=outputs, metrics=metrics, warnings=warnings)


def segment_slabs(
    volume: Volume, contrast: str, slabs: Sequence[int], parameters: SegmentSlabsParameters, backbone: Backbone, seed: int = 0
) -> Segmentation:
    """Segment ``slabs`` of a volume whose particles look as ``contrast`` says (bright in a cleaned one); a skipped slice takes part by
    what lies around it. Nothing is found where no sample is shown: the field ends where the sample does."""
    view = cleaned(volume.data, contrast, parameters.cleaning)
    window = view.sample_box(slabs)[1:]
    found = _segment_field(view.part((slice(None), *window)), volume.header.voxel_size, slabs, parameters, backbone, seed)
    return found if found.membranes.shape[1:] == view.shape[1:] else _placed(found, window, view.shape[1:])


def _segment_field(
    view: CleanedView, voxel_size: float, slabs: Sequence[int], parameters: SegmentSlabsParameters, backbone: Backbone, seed: int
) -> Segmentation:
    """The same for a field that shows sample up to its sides."""
    _, height, width = view.shape
    frame = plan_frame((height, width), parameters, backbone.input_size_px, backbone.tokens)
    pictures = Pictures(view, frame, backbone, parameters)
    plan = CanvasPlan(pictures, frame, backbone, voxel_size, parameters, seed)
    if parameters.separation == "slices":
        stack = _stacked(slab_canvases(plan, pictures.showing(slabs)), slabs, slabs, view.shape, between=False)
        membranes, found = separate_slices(stack.canvases, slabs, plan.voxel_size, parameters)
        nearest = [round(index / parameters.z_step) for index in range(slabs[-1] - slabs[0] + 1)]
        found = replace(found, zyx=found.zyx * [parameters.z_step, 1, 1])
        return Segmentation(*_where_valid(membranes[nearest], found, view.valid(slice(slabs[0], slabs[-1] + 1))), stack.shown)
    wider = _with_neighbours(slabs, view.shape[0], voxel_size, parameters) if gives_features(backbone) else slabs
    stack = _stacked(slab_canvases(plan, pictures.showing(wider)), wider, slabs, view.shape)
    grey = view.part((slice(wider[0], wider[-1] + 1),))
    structure = ChangedView(stack.canvases, lambda values: WHITE - values)
    membranes, particles = separate(structure, grey, stack.densities, plan.voxel_size, parameters, grey.valid(slice(None)))
    inside = slice(slabs[0] - wider[0], slabs[-1] + 1 - wider[0])
    return Segmentation(membranes[inside], _cropped(particles, inside), stack.shown)


def _placed(found: Segmentation, window: tuple[slice, slice], field: tuple[int, ...]) -> Segmentation:
    """What was found in a ``window`` of a ``field`` (y, x), in the whole of it."""
    membranes = temporary_volume((len(found.membranes), *field), np.bool_)
    membranes[(slice(None), *window)] = found.membranes
    corner = np.array([0, *(part.start for part in window)])
    particles = replace(found.particles, zyx=found.particles.zyx + corner)
    sides = [(part.start, size - part.stop) for part, size in zip(window, field)]
    shown = [replace(slab, canvas=np.pad(slab.canvas, sides, constant_values=WHITE), density=np.pad(slab.density, sides))
             for slab in found.shown]
    return Segmentation(membranes, particles, shown)


class _Stack(NamedTuple):
    canvases: np.ndarray
    densities: np.ndarray
    shown: list[SlabCanvas]


def _stacked(
    made: Iterator[SlabCanvas], slabs: Sequence[int], asked: Sequence[int], shape: tuple[int, ...], between: bool = True
) -> _Stack:
    """Canvases and densities as volumes in files of their own, and a few of the ``asked`` slabs whole, for the viewer.

    ``between`` the slabs the slices that were skipped are interpolated, so that distances along z are voxels. Slabs that were not made,
    because they show no sample, look as those beside them, so that no filter sees a step.
    """
    kept = {asked[index] for index in np.linspace(0, len(asked) - 1, min(SHOWN_SLABS, len(asked))).round().astype(int)}
    depth = slabs[-1] - slabs[0] + 1 if between else len(slabs)
    stack = _Stack(temporary_volume((depth, *shape[1:]), np.float32), temporary_volume((depth, *shape[1:]), np.float32), [])
    place_of = {z: z - slabs[0] if between else index for index, z in enumerate(slabs)}
    before = -1
    for slab in made:
        place = place_of[slab.z]
        for volume, image in ((stack.canvases, slab.canvas.reshape(shape[1:])), (stack.densities, slab.density)):
            volume[place] = image
            _fill_between(volume, before if before >= 0 else place, place)
            volume[:place if before < 0 else 0] = image
            release_pages(volume)
        if slab.z in kept:
            stack.shown.append(slab)
        before = place
    for volume in (stack.canvases, stack.densities):
        volume[before + 1:] = volume[before]
    return stack


def _fill_between(volume: np.ndarray, first: int, last: int) -> None:
    """Interpolate the slices between two that are there."""
    for z in range(first + 1, last):
        share = (z - first) / (last - first)
        volume[z] = (1 - share) * volume[first] + share * volume[last]


def _with_neighbours(slabs: Sequence[int], depth: int, voxel_size: float, parameters: SegmentSlabsParameters) -> list[int]:
    """The slabs and those within half a particle of them, where a body at the range's end goes on."""
    reach = math.ceil(parameters.particle_diameter / voxel_size / 2)
    below = list(range(slabs[0] - parameters.z_step, max(-1, slabs[0] - reach - 1), -parameters.z_step))[::-1]
    above = list(range(slabs[-1] + parameters.z_step, min(depth, slabs[-1] + reach + 1), parameters.z_step))
    return [*below, *slabs, *above]


def _cropped(particles: Linked, inside: slice) -> Linked:
    kept = (particles.zyx[:, 0] >= inside.start) & (particles.zyx[:, 0] < inside.stop)
    return Linked(particles.zyx[kept] - [inside.start, 0, 0], particles.score[kept], particles.slabs[kept])


def _where_valid(membranes: np.ndarray, particles: Linked, valid: np.ndarray) -> tuple[np.ndarray, Linked]:
    kept = valid[tuple(np.rint(particles.zyx).astype(int).T)]
    return membranes & valid, Linked(particles.zyx[kept], particles.score[kept], particles.slabs[kept])


def _only_tomogram(job: Job) -> InputFile:
    tomograms = job.inputs_of("tomogram")
    if len(tomograms) != 1:
        raise InputError(f"{len(tomograms)} tomograms in one job", "exactly one", "make one job a tomogram")
    return tomograms[0]


def _files(name: str) -> list[str]:
    """Mask, particle list and eigenimages of a tomogram."""
    return [f"{file_stem(name)}_{ending}" for ending in ("membranes.mrc", "particles.star", "eigenimages.npz")]


def _write(folder: Path, name: str, header: VolumeHeader, slabs: Sequence[int], found: Segmentation) -> tuple[list[Output], int]:
    mask, star, images = _files(name)
    with create_volume(folder / mask, header.shape, np.int8, header.voxel_size, header.origin) as target:
        for z, membranes in enumerate(found.membranes, start=slabs[0]):
            target[z] = membranes
    table = _table(name, header, slabs, found.particles)
    write_particles(table, folder / star)
    _write_eigenimages(folder / images, found.shown)

    def output(kind: str, path: str) -> Output:
        return Output(kind=kind, path=path, voxel_size=header.voxel_size, tilt_series_id=name)

    return [output("membrane_mask", mask), output("particles", star), output("eigenimages", images)], len(table)


def _table(name: str, header: VolumeHeader, slabs: Sequence[int], particles: Linked) -> ParticleTable:
    zyx = particles.zyx + np.array([slabs[0], 0, 0])
    table = ParticleTable.from_points(zyx, voxel_size=header.voxel_size, tilt_series_id=name, score=particles.score)
    return table.sorted_by_score()


def _write_eigenimages(path: Path, shown: Sequence[SlabCanvas]) -> None:
    """Eigenimages (slabs, k, h, w), canvases (slabs, y, x) as uint8, their z, and what was merged and why as JSON text."""
    with atomic_path(path) as part:
        np.savez_compressed(
            part,
            z=np.array([slab.z for slab in shown]),
            eigenimages=np.stack([slab.eigenimages.astype(np.uint8) for slab in shown]),
            canvases=np.stack([np.clip(slab.canvas, 0, WHITE).astype(np.uint8) for slab in shown]),
            records=np.array(json.dumps([slab.record for slab in shown])),
        )


def _warnings(found: Segmentation) -> list[str]:
    warnings = []
    if not found.membranes.any():
        warnings.append("no membrane was found: lower membrane_threshold or membrane_extent")
    if len(found.particles.zyx) == 0:
        warnings.append("no particle was found: check particle_diameter and contrast, or lower particle_threshold")
    return warnings
