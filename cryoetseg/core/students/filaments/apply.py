"""Segmenting the filaments of whole tomograms with a model that knows them, and tracing their axes, as a job."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...models.membrane_unet3d import filament_logit
from ...particles.angles import along_directions
from ...particles.formats import write_particles
from ...particles.table import ParticleTable
from ...runtime.device import choose_device
from ...runtime.errors import WeightsError
from ...runtime.files import write_text
from ...runtime.job import InputFile, Job, MethodOutcome, Output
from ...runtime.names import file_stem, named_inputs
from ...runtime.params import parameters_from
from ...runtime.seeds import numpy_generator
from ...volumes.io import create_volume
from ...volumes.streaming import release_pages, z_slabs
from ..membranes.apply import averaged_probability, slice_range
from ..membranes.network import MembraneModel, load_membrane_model
from ..volumes import StudentVolume, open_student_volume
from .params import SegmentFilamentsParameters
from .trace import Axis, near_axes, trace_axes


def run(job: Job) -> MethodOutcome:
    """Segment the filaments of the job's tomograms with the model folder given under the role ``model``."""
    p, model = parameters_from(SegmentFilamentsParameters, job.parameters), _load(job.input_of("model").path)
    tomograms, device = named_inputs(job, "tomogram"), choose_device(job.device)
    outcome = MethodOutcome(metrics={"filaments": 0})
    for item in tomograms:
        _segment_file(item, model, p, Path(job.output_folder), device, job.seed, outcome)
    return outcome


def _load(folder: str) -> MembraneModel:
    """The model, asked for filaments; raises :class:`WeightsError` for one that knows none."""
    model = load_membrane_model(folder)
    if not model.is_volumetric:
        raise WeightsError(f"the model '{model.card.name}' knows membranes only", "the general model, or one that goes on from it",
                           "name the model general")
    return model._replace(logit=filament_logit)


def _segment_file(
    item: InputFile, model: MembraneModel, p: SegmentFilamentsParameters, folder: Path, device: torch.device, seed: int,
    outcome: MethodOutcome,
) -> None:
    volume = open_student_volume(item)
    header, stem = volume.header, file_stem(volume.name)
    span, notes = slice_range(p, volume)
    names = {kind: f"{stem}_filaments{end}" for kind, end in (
        ("filament_mask", ".mrc"), ("filament_probability", "_probability.mrc"), ("particles", ".star"), ("table", ".csv"))}
    with create_volume(folder / names["filament_probability"], header.shape, np.float16, header.voxel_size, header.origin) as probability, \
            create_volume(folder / names["filament_mask"], header.shape, np.int8, header.voxel_size, header.origin) as mask:
        warnings = [*notes, *averaged_probability(volume, model, probability, span, p, device)]
        volume.blank(probability)
        axes = trace_axes(_Above(probability, p.threshold), header.voxel_size, p.largest_gap, p.smallest_length, p.spacing,
                          p.smallest_section)
        voxels = write_mask(probability, axes, p, header.voxel_size, mask)
    write_particles(axis_points(axes, volume, numpy_generator(seed, "filaments", volume.name)), folder / names["particles"])
    write_text(folder / names["table"], axis_table(axes, header.voxel_size).to_csv(index=False, float_format="%.4g"))
    outcome.warnings += [*volume.warnings, *warnings]
    if not axes:
        outcome.warnings.append(f"{volume.name}: no filament of {p.smallest_length:g} A was found: none may be there, or contrast or voxel "
                                "size are wrong")
    outcome.metrics["filaments"] += len(axes)
    outcome.metrics[volume.name] = {"filaments": len(axes), "length_um": sum(axis.length for axis in axes) * 1e-4,
                                    "filament_fraction": voxels / float(np.prod(header.shape, dtype=np.int64)),
                                    "invalid_fraction": volume.invalid_share, "slices": f"{span[0]}:{span[1]}"}
    outcome.outputs += [Output(kind=kind, path=path, voxel_size=header.voxel_size, tilt_series_id=volume.name)
                        for kind, path in names.items()]


class _Above:
    """The mask ``values >= threshold`` where it is sliced."""

    def __init__(self, values: Any, threshold: float) -> None:
        self._values, self._threshold, self.shape = values, threshold, tuple(values.shape)

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._values[window]) >= self._threshold


def write_mask(probability: Any, axes: Sequence[Axis], p: SegmentFilamentsParameters, voxel_size: float, target: Any) -> int:
    """Write what of ``probability`` (z, y, x) reaches the threshold about the axes into ``target``; returns the number of its voxels."""
    reach, count = max(p.largest_gap, p.spacing) / voxel_size, 0
    for window in z_slabs(probability.shape):
        kept = near_axes(np.asarray(probability[window]) >= p.threshold, axes, reach, window)
        target[window] = kept
        count += int(kept.sum())
        release_pages(probability)
        release_pages(target)
    return count


def axis_points(axes: Sequence[Axis], volume: StudentVolume, rng: np.random.Generator) -> ParticleTable:
    """Points on all axes; the class is the number of the filament, and the reference's z axis is turned along it.

    Which end is first is not known, and the turn about the axis is random.
    """
    zyx = np.concatenate([axis.zyx for axis in axes]) if axes else np.zeros((0, 3))
    along = np.concatenate([axis.tangents for axis in axes]) if axes else np.zeros((0, 3))
    numbers = np.repeat(np.arange(1, len(axes) + 1), [len(axis.zyx) for axis in axes])
    names = {number: f"filament {number}" for number in range(1, len(axes) + 1)}
    return ParticleTable.from_points(
        zyx, voxel_size=volume.header.voxel_size, tilt_series_id=volume.name, class_id=numbers if axes else 1, class_names=names,
        angles=along_directions(along, rng.uniform(-180, 180, len(along))))


def axis_table(axes: Sequence[Axis], voxel_size: float) -> pd.DataFrame:
    """One row a filament: its length, how it bends, its section, and its two ends in Angstrom from the first voxel's outer corner."""
    ends = {f"{name}_{end}_A": (place, column)
            for end, place in (("start", 0), ("end", -1)) for column, name in ((2, "x"), (1, "y"), (0, "z"))}
    rows = [{"filament": number, "length_A": axis.length, "mean_curvature_per_A": axis.bend, "section_A2": axis.section,
             "points": len(axis.zyx), **{name: float((axis.zyx[at] + 0.5) * voxel_size) for name, at in ends.items()}}
            for number, axis in enumerate(axes, start=1)]
    return pd.DataFrame(rows, columns=["filament", "length_A", "mean_curvature_per_A", "section_A2", "points", *ends])
