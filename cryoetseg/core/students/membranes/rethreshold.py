"""Masks from stored probabilities at another threshold, without running the network again."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ...runtime.errors import InputError
from ...runtime.job import InputFile, Job, MethodOutcome, Output
from ...runtime.names import file_stem, named_inputs
from ...runtime.params import parameters_from
from ...volumes.io import create_volume, open_volume
from .components import without_small_components
from .params import ThresholdMembranesParameters


def run(job: Job) -> MethodOutcome:
    """Threshold the job's probabilities (role ``probability``) and drop small components; a mask for each."""
    parameters, outcome = parameters_from(ThresholdMembranesParameters, job.parameters), MethodOutcome()
    for item in named_inputs(job, "probability"):
        _threshold_file(item, parameters, Path(job.output_folder), outcome)
    return outcome


def _threshold_file(item: InputFile, parameters: ThresholdMembranesParameters, folder: Path, outcome: MethodOutcome) -> None:
    volume, name = open_volume(item.path, item.voxel_size), item.tilt_series_id or Path(item.path).stem
    if np.asarray(volume.data[:1]).dtype.kind != "f":
        raise InputError(f"{item.path} holds whole numbers", "probabilities from 0 to 1", "choose the probabilities, not the masks")
    header, path = volume.header, f"{file_stem(name)}_membranes.mrc"
    smallest = int(np.ceil(parameters.smallest_component / header.voxel_size**3))
    with create_volume(folder / path, header.shape, np.int8, header.voxel_size, header.origin) as target:
        voxels = without_small_components(volume.data, parameters.threshold, smallest, target)
    if not voxels:
        outcome.warnings.append(f"{name}: no voxel is left at this threshold")
    outcome.metrics[name] = {"membrane_fraction": voxels / float(np.prod(header.shape, dtype=np.int64))}
    outcome.outputs.append(Output(kind="membrane_mask", path=path, voxel_size=header.voxel_size, tilt_series_id=name))
