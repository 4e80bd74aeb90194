"""Tomograms as OME-Zarr images with a pyramid, their masks as labels of the same image."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.io import Volume, open_labels
from ..volumes.streaming import read_slabs, release_pages, z_slabs
from ..volumes.zarr_ngff_writer import CHUNK, create, write_labels
from .material import gather
from .params import ExportOmeZarrParameters


def run(job: Job) -> MethodOutcome:
    """Write NAME.zarr for each tomogram, and NAME_SUBJECT.zarr for each map of probabilities, which labels cannot be.

    Raises :class:`JobError` and :class:`InputError`.
    """
    version, outcome, folder = parameters_from(ExportOmeZarrParameters, job.parameters).version, MethodOutcome(), Path(job.output_folder)
    for material in gather(job):
        name = file_stem(material.name)
        voxel_size = write_image(material.tomogram, folder / f"{name}.zarr", version)
        outcome.outputs.append(Output(kind="tomogram", path=f"{name}.zarr", voxel_size=voxel_size, tilt_series_id=material.name))
        for subject, mask in material.masks.items():
            labels = open_labels(mask.path, mask.voxel_size)
            if labels.header.dtype.kind != "f" or _are_whole(labels):
                write_labels(folder / f"{name}.zarr", subject, labels.data, labels.header.voxel_size, labels.header.origin)
                continue
            own = f"{name}_{file_stem(subject)}.zarr"
            write_image(mask, folder / own, version)
            outcome.outputs.append(Output(kind="probability", path=own, voxel_size=voxel_size, tilt_series_id=material.name))
        outcome.metrics[material.name] = {"labels": len(material.masks)}
    return outcome


def _are_whole(labels: Volume) -> bool:
    return all(np.array_equal(slab, np.rint(slab)) for slab in read_slabs(labels.data))


def write_image(source: InputFile, path: Path, version: str) -> float:
    """Write a volume as it is; returns its voxel size in Angstrom."""
    volume = open_labels(source.path, source.voxel_size)  # invalid voxels are the reader's business
    header = volume.header
    with create(path, header.shape, header.dtype, header.voxel_size, header.origin, version) as target:
        layer = CHUNK * header.shape[1] * header.shape[2] * header.dtype.itemsize  # written whole, no chunk is packed twice
        for window in track(z_slabs(header.shape, header.dtype.itemsize, layer), f"write {path.name}"):
            target[window] = volume.data[window]
            release_pages(volume.data)
    return header.voxel_size
