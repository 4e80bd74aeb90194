"""Segmenting the job's tomograms into classes: class maps, confidence, coordinates for each class."""
from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ...particles.formats import write_particles
from ...particles.table import ParticleTable
from ...runtime.errors import InputError
from ...runtime.job import InputFile, Job, MethodOutcome, Output
from ...runtime.names import file_stem, named_inputs
from ...runtime.params import parameters_from
from ...volumes.io import create_volume
from ...volumes.streaming import release_pages, temporary_volume
from ..scale import at_model_scale
from ..volumes import StudentVolume, open_student_volume
from .inference import STANDARD, ClassVolumes, segment_classes
from .network import SegmenterModel, load_segmenter
from .params import SegmentClassesParameters
from .particles import find_particles


def run(job: Job) -> MethodOutcome:
    """Segment the job's tomograms with the model folder given under the role ``model``."""
    parameters = parameters_from(SegmentClassesParameters, job.parameters)
    tomograms = named_inputs(job, "tomogram")
    model = load_segmenter(job.input_of("model").path)
    outcome = MethodOutcome()
    for item in tomograms:
        _segment_file(item, model, parameters, job, outcome)
    return outcome


def _segment_file(item: InputFile, model: SegmenterModel, parameters: SegmentClassesParameters, job: Job, outcome: MethodOutcome) -> None:
    volume = open_student_volume(item)
    if volume.is_constant:
        raise InputError(f"{item.path} is constant", "a tomogram")
    folder, header = Path(job.output_folder), volume.header
    files = _files(file_stem(volume.name), model, parameters)
    with ExitStack() as stack:
        written = [stack.enter_context(create_volume(folder / name, header.shape, np.int8, header.voxel_size, header.origin))
                   for _, name in files]
        table, counts, warning = _segment(volume, model, ClassVolumes(written[0], written[1], written[2:]), parameters, job.device)
    if table is not None:
        files.append(("particles", f"{file_stem(volume.name)}_particles.star"))
        write_particles(table, folder / files[-1][1])
    outcome.warnings += [*volume.warnings, *([warning] if warning else [])]
    outcome.outputs += [Output(kind=kind, path=name, voxel_size=header.voxel_size, tilt_series_id=volume.name) for kind, name in files]
    outcome.metrics[volume.name] = {**_numbers(counts, table, model), "invalid_fraction": volume.invalid_share}


def _files(name: str, model: SegmenterModel, parameters: SegmentClassesParameters) -> list[tuple[str, str]]:
    """Kind and name of the volumes of one tomogram: classes, confidence, and probabilities where wanted."""
    files = [("class_mask", f"{name}_classes.mrc"), ("class_confidence", f"{name}_confidence.mrc")]
    if parameters.probabilities:
        files += [("class_probability", f"{name}_class{value}_probability.mrc") for value in range(model.classes + 1)]
    return files


def _segment(volume: StudentVolume, model: SegmenterModel, results: ClassVolumes, parameters: SegmentClassesParameters,
             device: str) -> tuple[ParticleTable | None, np.ndarray, str]:
    """Fill ``results``; returns the particles at the tomogram's voxel size, voxels of each class, and a warning when it was resampled."""
    scaled, warning = at_model_scale(volume, model.card.voxel_size) if parameters.resample else (volume, "")
    own = results if scaled is volume else _temporary(scaled.header.shape, len(results.probabilities))
    segment_classes(scaled.data, model.network, parameters, device, scaling=STANDARD, into=own)
    if own is results:
        _blank(volume, results)
    table = None
    if parameters.coordinates:
        table = find_particles(own.classes, own.confidence, model.object_voxels, parameters, scaled.header.voxel_size,
                               classes=model.classes, names=_particle_names(model), tilt_series_id=volume.name)
        table = table.at_voxel_size(volume.header.voxel_size)
    if own is not results:
        for source, target in zip(_all(own), _all(results)):
            nearest_into(source, target)
        _blank(volume, results)
        table = table.select(volume.valid_at(table.zyx)) if table is not None else None
    return table, _count(results.classes, model.classes), warning


def _blank(volume: StudentVolume, results: ClassVolumes) -> None:
    for target in _all(results):
        volume.blank(target)


def _temporary(shape: tuple[int, ...], probabilities: int) -> ClassVolumes:
    return ClassVolumes(temporary_volume(shape, np.int8), temporary_volume(shape, np.int8),
                        [temporary_volume(shape, np.int8) for _ in range(probabilities)])


def _all(volumes: ClassVolumes) -> list[Any]:
    return [volumes.classes, volumes.confidence, *volumes.probabilities]


def nearest_into(source: Any, target: Any) -> None:
    """Fill ``target`` (z, y, x) with the nearest voxels of ``source`` over the same box, plane by plane: classes cannot be interpolated."""
    z, y, x = (((np.arange(size) + 0.5) * own / size).astype(int) for size, own in zip(target.shape, source.shape))
    for plane, nearest in enumerate(z):
        target[plane] = source[nearest][y[:, None], x]
        if plane % 16 == 0:
            release_pages(source)
            release_pages(target)


def _count(class_map: Any, classes: int) -> np.ndarray:
    counts = np.zeros(classes + 1, np.int64)
    for plane in class_map:
        counts += np.bincount(plane.ravel(), minlength=classes + 1)
    release_pages(class_map)
    return counts


def _particle_names(model: SegmenterModel) -> dict[int, str]:
    return {value: name for value, name in model.card.classes.items() if value > 0}


def _numbers(counts: np.ndarray, table: ParticleTable | None, model: SegmenterModel) -> dict[str, Any]:
    """Per class: part of the volume and, where coordinates were wanted, the number of particles."""
    names = _particle_names(model)
    parts = {names.get(value, f"class {value}"): float(counts[value] / counts.sum()) for value in range(1, len(counts))}
    if table is None:
        return {"fraction": parts}
    return {"particles": {names.get(value, f"class {value}"): int((table.class_id == value).sum()) for value in range(1, len(counts))},
            "fraction": parts}
