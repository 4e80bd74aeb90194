"""Tomograms as OME-Zarr images with a pyramid, their masks as labels of the same image."""
from __future__ import annotations

from pathlib import Path

from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.names import file_stem
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.io import open_labels
from ..volumes.streaming import release_pages, z_slabs
from ..volumes.zarr_ngff_writer import CHUNK, create, write_labels
from .material import Material, gather
from .params import ExportOmeZarrParameters


def run(job: Job) -> MethodOutcome:
    """Write NAME.zarr for each tomogram. Raises :class:`JobError` and :class:`InputError`."""
    version, outcome = parameters_from(ExportOmeZarrParameters, job.parameters).version, MethodOutcome()
    for material in gather(job):
        name = f"{file_stem(material.name)}.zarr"
        voxel_size = write_image(material, Path(job.output_folder) / name, version)
        outcome.outputs.append(Output(kind="tomogram", path=name, voxel_size=voxel_size, tilt_series_id=material.name))
        outcome.metrics[material.name] = {"labels": len(material.masks)}
    return outcome


def write_image(material: Material, path: Path, version: str) -> float:
    """Write one tomogram with its masks as labels; returns its voxel size in Angstrom."""
    volume = open_labels(material.tomogram.path, material.tomogram.voxel_size)  # as it is: invalid voxels are the reader's business
    header = volume.header
    with create(path, header.shape, header.dtype, header.voxel_size, header.origin, version) as target:
        layer = CHUNK * header.shape[1] * header.shape[2] * header.dtype.itemsize  # written whole, no chunk is packed twice
        for window in track(z_slabs(header.shape, header.dtype.itemsize, layer), f"write {path.name}"):
            target[window] = volume.data[window]
            release_pages(volume.data)
    for subject, mask in material.masks.items():
        labels = open_labels(mask.path, mask.voxel_size)
        write_labels(path, subject, labels.data, labels.header.voxel_size, labels.header.origin)
    return header.voxel_size

