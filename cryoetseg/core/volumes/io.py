"""The one door to volume files: every format in, every format out, by the suffix of the name.

Reading checks first and answers bad files with one :class:`InputError`; writing appears whole or not at all.
"""
from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..runtime.errors import InputError, MemoryLimitError, OutputError, is_out_of_memory
from .checks import SUPPORTED_TYPES, check_values, whole_numbers
from .header import Shape, Triple, VolumeHeader
from .names import volume_suffix
from .streaming import read_slabs, release_pages, z_slabs

logger = logging.getLogger(__name__)

FORMATS = {".mrc": "mrc", ".rec": "mrc", ".map": "mrc", ".st": "mrc", ".mrcs": "mrc", ".ali": "mrc", ".em": "em",
           ".tif": "tiff", ".tiff": "tiff", ".zarr": "zarr_ngff", ".hdf": "eman_hdf", ".mrc.gz": "compressed", ".mrc.bz2": "compressed",
          ".map.gz": "compressed", ".map.bz2": "compressed", ".rec.gz": "compressed", ".rec.bz2": "compressed"}
READ_ONLY = ("eman_hdf", "compressed")
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Volume:
    """An open volume: ``data`` is array-like (z, y, x), read from disk when sliced, in the type of the file."""

    data: Any
    header: VolumeHeader


def read_header(path: PathLike, voxel_size: float | None = None) -> VolumeHeader:
    """Shape, type, voxel size and origin of a volume file, checked, without reading its voxels.

    ``voxel_size`` (Angstrom) replaces the one in the file, for files that do not know theirs. Tolerated oddities are logged and
    kept in ``header.warnings``. Raises :class:`InputError` naming file and field.
    """
    header = _header_of(Path(path), voxel_size)
    if header.is_stack_of_images:
        raise InputError(f"{path}: ispg: 0 with mz = 1 marks a stack of {header.shape[0]} images", "one volume",
                         "give the reconstructed tomogram, not its tilt series; if it is a volume, set mz to nz in its header")
    return header


def _header_of(path: Path, voxel_size: float | None) -> VolumeHeader:
    header = _reading(path, lambda: _format_of(path).read_header(path, voxel_size))
    for warning in header.warnings:
        logger.warning(warning)
    return header


def open_volume(path: PathLike, voxel_size: float | None = None) -> Volume:
    """Open a volume without holding it in memory; looks through its values once.

    Raises :class:`InputError` as :func:`read_header` does, and for constant volumes and more than 1 % invalid voxels; fewer are
    filled with the median of their neighbours.
    """
    header = read_header(path, voxel_size)
    return Volume(_reading(header.path, lambda: check_values(header.path, _open_data(header))), header)


def read_volume(path: PathLike, voxel_size: float | None = None) -> tuple[np.ndarray, VolumeHeader]:
    """Read a whole volume as float32 (z, y, x), with the checks of :func:`open_volume`."""
    volume = open_volume(path, voxel_size)
    array = np.empty(volume.header.shape, dtype=np.float32)
    for window in z_slabs(array.shape):
        array[window] = volume.data[window]
        release_pages(volume.data)
    return array, volume.header


def open_labels(path: PathLike, voxel_size: float | None = None) -> Volume:
    """Open a mask or label volume, which may well be constant, without holding it in memory.

    Nobody labels tilt images, so one whose header calls it a stack of images is a volume written by a careless program.
    """
    header = _header_of(Path(path), voxel_size)
    return Volume(_reading(header.path, lambda: _open_data(header)), header)


def read_labels(path: PathLike, voxel_size: float | None = None) -> tuple[np.ndarray, VolumeHeader]:
    """Read a mask or label volume as integers (z, y, x): the type of the file, or int32 for whole numbers stored as float.

    Raises :class:`InputError` when a value is not a whole number.
    """
    volume = open_labels(path, voxel_size)
    dtype = volume.header.dtype if volume.header.dtype.kind in "iu" else np.dtype(np.int32)
    labels = np.empty(volume.header.shape, dtype=dtype)
    for window, slab in zip(z_slabs(labels.shape, max(4, volume.data.dtype.itemsize)), read_slabs(volume.data)):
        labels[window] = whole_numbers(slab, path)
    return labels, volume.header


def _open_data(header: VolumeHeader) -> Any:
    module = _format_of(header.path)
    array = module.open_data(header.path, header.level) if header.level else module.open_data(header.path)
    if tuple(array.shape) != header.shape:
        raise InputError(f"{header.path}: shape: the data have {array.shape}, the header says {header.shape}", "both the same",
                         "the file is damaged: copy or make it again")
    return array


def _reading(path: Path, action: Any) -> Any:
    try:
        return action()
    except OSError as error:
        if is_out_of_memory(error):
            raise MemoryLimitError(f"out of memory while opening {path}", "a file that fits into the memory this program may use",
                                   "raise its limit (ulimit -v, the queue's), or run fewer jobs at once") from error
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "a file this user may read",
                         "check its permissions") from error


def _format_of(path: Path) -> ModuleType:
    name = FORMATS.get(volume_suffix(path))
    if name is None:
        raise InputError(f"{path}: suffix '{volume_suffix(path)}' names no volume format", " ".join(FORMATS), "rename or convert the file")
    return import_module(f".{name}", __package__)  # late: zarr alone takes half a second


def write_volume(path: PathLike, array: np.ndarray, voxel_size: float, origin: Triple = (0.0, 0.0, 0.0)) -> None:
    """Write a (z, y, x) array atomically; voxel size and origin (z, y, x) in Angstrom, format by suffix.

    bool becomes int8 and float64 float32; wider integers take the narrowest type that holds them; a type that a format lacks is
    widened without loss (uint8 becomes uint16 in MRC, which knows no unsigned bytes). Raises :class:`OutputError`.
    """
    array = np.asarray(array)
    with create_volume(path, array.shape, _narrow(array), voxel_size, origin) as target:
        for window in z_slabs(array.shape, max(4, array.itemsize)):
            target[window] = array[window]
            release_pages(target)


def _narrow(array: np.ndarray) -> np.dtype:
    """The type to ask for: wide integers shrink to what their values need; float32 is exact up to 2**24."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize <= 2 or array.size == 0:
        return array.dtype
    low, high = int(array.min()), int(array.max())
    for name in ("int8", "int16", "uint16"):
        if np.iinfo(name).min <= low and high <= np.iinfo(name).max:
            return np.dtype(name)
    if max(-low, high) > 2**24:
        raise OutputError(f"integer values {low} to {high} cannot be stored exactly", "-2**24 to 2**24", "renumber the labels")
    return np.dtype(np.float32)


@contextmanager
def create_volume(path: PathLike, shape: tuple[int, ...], dtype: Any, voxel_size: float,
                  origin: Triple = (0.0, 0.0, 0.0)) -> Iterator[Any]:
    """Give a writable array (z, y, x) on disk for results that do not fit into memory.

    The file takes its name only when the block ends without error; until then an earlier file of that name stays. The array's
    type can be wider than ``dtype`` (see :func:`write_volume`). Not usable after the block. Raises :class:`OutputError`, also for
    NaN or infinite results. Who fills it plane by plane calls :func:`.streaming.release_pages` now and then to keep memory low.
    """
    path = Path(path)
    module = _format_for_writing(path)
    checked = _checked_shape(path, shape)
    if not np.isfinite(voxel_size) or voxel_size <= 0:
        raise OutputError(f"cannot write {path}: voxel_size = {voxel_size}", "a positive number of Angstrom", "give the voxel size")
    with module.create(path, checked, _storage_type(path, np.dtype(dtype), module), float(voxel_size), tuple(map(float, origin))) as target:
        yield target


def _format_for_writing(path: Path) -> ModuleType:
    if FORMATS.get(volume_suffix(path), READ_ONLY[0]) in READ_ONLY:
        raise OutputError(f"cannot write {path}: suffix '{volume_suffix(path)}' names no volume format that is written",
                          " ".join(suffix for suffix, name in FORMATS.items() if name not in READ_ONLY), "choose one of these")
    return _format_of(path)


def _checked_shape(path: Path, shape: tuple[int, ...]) -> Shape:
    if len(shape) != 3 or min(shape) < 1:
        raise OutputError(f"cannot write {path}: shape {tuple(shape)}", "three positive sizes (z, y, x)")
    return int(shape[0]), int(shape[1]), int(shape[2])


def _storage_type(path: Path, dtype: np.dtype, module: ModuleType) -> np.dtype:
    name = dtype.name
    if name not in SUPPORTED_TYPES:
        name = {"b": "int8", "f": "float32", "i": "float32", "u": "float32"}.get(dtype.kind, "")
    if not name:
        raise OutputError(f"cannot write {path}: values of type {dtype.name}", ", ".join(SUPPORTED_TYPES))
    return np.dtype(module.STORED_AS[name])
