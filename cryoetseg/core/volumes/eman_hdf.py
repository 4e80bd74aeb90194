"""Volumes in EMAN2's HDF files (.hdf), which IMOD writes too: read only, with the optional package h5py.

One volume is the dataset MDF/images/0/image (z, y, x); its header are the attributes EMAN.* beside it. EMAN2 may store whole numbers of
``stored_renderbits`` bits that stand for the range ``stored_rendermin`` to ``stored_rendermax``.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from .checks import check_dtype, check_file, check_shape, check_voxel_size
from .header import VolumeHeader
from .streaming import release_pages, temporary_volume, z_slabs

FORMAT = "hdf"
IMAGES = "MDF/images"
CONVERT = "convert it: 'e2proc3d.py IN.hdf OUT.mrc' of EMAN2, or 'newstack IN.hdf OUT.mrc' of IMOD"
KEPT_COPIES = 4


@dataclass(frozen=True)
class _Rendering:
    """How stored whole numbers become values: value = number / ``top`` * (``high`` - ``low``) + ``low``."""

    top: float
    low: float
    high: float


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the attributes; ``voxel_size`` (Angstrom) replaces the one they state."""
    with _image(path) as (dataset, attributes):
        shape = check_shape(path, dataset.shape, "MDF/images/0/image")
        dtype = np.dtype(np.float32) if _rendering(attributes) else check_dtype(path, dataset.dtype, "MDF/images/0/image")
        stated = [float(attributes.get(f"apix_{axis}", 0)) for axis in "zyx"]
        origin = [float(attributes.get(f"origin_{axis}", 0)) for axis in "zyx"]
    size = check_voxel_size(path, stated, voxel_size, "EMAN.apix_x")
    return VolumeHeader(path, shape, dtype.newbyteorder("="), size.value, (origin[0], origin[1], origin[2]), FORMAT, size.is_known,
                        size.warnings)


def open_data(path: Path) -> np.ndarray:
    """The voxels as (z, y, x): a memory map of the file where it stores them plainly, else of a temporary copy."""
    path = path.absolute()
    return _open(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=KEPT_COPIES)
def _open(path: Path, changed: int) -> np.ndarray:
    with _image(path) as (dataset, attributes):
        rendering, offset = _rendering(attributes), dataset.id.get_offset()
        if rendering is None and offset is not None:
            return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)
        copy = temporary_volume(dataset.shape, np.float32 if rendering else dataset.dtype)
        for window in z_slabs(dataset.shape):
            slab = dataset[window]
            copy[window] = slab / rendering.top * (rendering.high - rendering.low) + rendering.low if rendering else slab
            release_pages(copy)
    return copy


@contextmanager
def _image(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The dataset and its attributes without their prefix; raises :class:`InputError` when there is not exactly one volume."""
    check_file(path)
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{path}: reading HDF needs the package h5py, which is not installed", "a volume in MRC",
                         f"install it (pip install h5py), or {CONVERT}") from error
    try:
        with h5py.File(path, "r") as file:
            images = file[IMAGES]
            if len(images) != 1:
                raise InputError(f"{path}: {len(images)} images in {IMAGES}", "one volume", "split the stack: e2proc3d.py --unstacking")
            node = next(iter(images.values()))
            yield node["image"], {name.removeprefix("EMAN."): _scalar(value) for name, value in node.attrs.items()}
    except (KeyError, OSError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is no readable HDF volume of EMAN2: {error}", f"a file with the group {IMAGES}", CONVERT) from error


def _scalar(value: Any) -> Any:
    """Attributes are stored as arrays of one."""
    return value.reshape(-1)[0] if isinstance(value, np.ndarray) and value.size == 1 else value


def _rendering(attributes: dict[str, Any]) -> _Rendering | None:
    """As HdfIO2::read_data of EMAN2 decides: bits and both ends of the range are told, also where they are one value."""
    bits = int(attributes.get("stored_renderbits", 0))
    if bits <= 0 or "stored_rendermin" not in attributes or "stored_rendermax" not in attributes:
        return None
    return _Rendering(float(2**bits - 1), float(attributes["stored_rendermin"]), float(attributes["stored_rendermax"]))
