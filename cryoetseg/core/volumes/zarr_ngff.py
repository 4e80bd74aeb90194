"""OME-Zarr (NGFF) images: read versions 0.4 (zarr format 2) and 0.5 (zarr format 3), with or without a pyramid of coarser levels.

The scale of the coordinate transformations carries the voxel size, the translation the origin. Reading starts at the finest level, or at
the level whose voxel size was asked for. :mod:`.zarr_ngff_writer` writes.
"""
from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..runtime.errors import InputError
from .checks import check_dtype, check_shape, check_voxel_size
from .header import Triple, VolumeHeader
from .zarr_ngff_writer import FORMAT, STORED_AS, create

__all__ = ["FORMAT", "STORED_AS", "create", "open_data", "read_header"]
logger = logging.getLogger(__name__)

SAME_VOXEL_SIZE = 0.01  # relative; programs round the voxel sizes of their levels
ANGSTROM_PER = {"angstrom": 1.0, "nanometer": 10.0, "micrometer": 1e4, "picometer": 0.01, "millimeter": 1e7, "meter": 1e10}


@dataclass(frozen=True)
class _Level:
    """One resolution: its name in the group, voxel size (None when not stated) and origin (z, y, x) in Angstrom."""

    name: str
    scale: Triple | None
    origin: Triple


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the metadata of a level: the one whose voxel size is ``voxel_size`` (Angstrom), else the finest.

    A voxel size that no level has replaces the one that the file states for the finest.
    """
    node, levels = _parse(path)
    level = next((item for item in levels if _has_size(item, voxel_size)), levels[0])
    array = _array(path, node, level)
    shape = check_shape(path, array.shape, "shape")
    dtype = check_dtype(path, np.dtype(array.dtype), "dtype")
    size = check_voxel_size(path, level.scale, voxel_size, "coordinateTransformations")
    return VolumeHeader(path, shape, dtype.newbyteorder("="), size.value, level.origin, FORMAT, size.is_known, size.warnings, level.name)


def open_data(path: Path, level: str = "") -> Any:
    """One level, by default the finest, as an array (z, y, x) whose chunks are read when it is sliced.

    Slicing raises :class:`InputError` where a chunk is damaged. Chunks that are not there hold the fill value by the format's rule, and
    so does a copy that broke off: how many is logged.
    """
    node, levels = _parse(path)
    array = _array(path, node, next((item for item in levels if item.name == level), levels[0]))
    _tell_missing(path, array)
    return _Chunks(path, array)


def _tell_missing(path: Path, array: zarr.Array) -> None:
    try:
        missing = array.nchunks - array.nchunks_initialized
    except Exception as error:  # chunk sizes of 0 and names that no chunk has
        raise InputError(f"{path}: chunks: {type(error).__name__}: {error}", "an undamaged OME-Zarr image",
                         "copy the whole folder again") from error
    if missing:
        logger.warning("%s: %d of %d chunks are not there and read as %s: check that the whole folder was copied", path, missing,
                       array.nchunks, array.fill_value)


class _Chunks:
    """A zarr array whose damaged chunks are told by a typed error, at whatever time they are met."""

    ndim = 3

    def __init__(self, path: Path, array: zarr.Array) -> None:
        self._path, self._array = path, array
        self.shape, self.dtype = tuple(array.shape), np.dtype(array.dtype)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, window: Any) -> np.ndarray:
        try:
            return np.asarray(self._array[window])
        except IndexError:
            raise
        except Exception as error:  # the codecs raise a dozen kinds, from RuntimeError to zlib.error
            raise InputError(f"{self._path}: a chunk cannot be read: {type(error).__name__}: {error}", "an undamaged OME-Zarr image",
                             "copy the whole folder again") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def _has_size(level: _Level, voxel_size: float | None) -> bool:
    return voxel_size is not None and level.scale is not None and abs(level.scale[2] - voxel_size) <= SAME_VOXEL_SIZE * voxel_size


def _parse(path: Path) -> tuple[Any, list[_Level]]:
    try:
        node: Any = zarr.open(str(path), mode="r")
        if isinstance(node, zarr.Array):
            return node, [_Level("", None, (0.0, 0.0, 0.0))]
        attributes: dict[str, Any] = dict(node.attrs)
        image = dict(attributes.get("ome", attributes))["multiscales"][0]
        axes = _spatial_axes(path, image)
        levels = [_Level(str(item["path"]), *_geometry(image, item, axes)) for item in image["datasets"]]
        levels[0]  # an image without levels is damaged
        return node, levels
    except InputError:
        raise
    except Exception as error:  # damaged metadata surfaces as KeyError, TypeError, JSONDecodeError, zarr's own errors and more
        raise InputError(f"{path}: multiscales metadata: {type(error).__name__}: {error}", "an OME-Zarr image, version 0.4 or 0.5",
                         "check that the whole folder was copied") from error


def _array(path: Path, node: Any, level: _Level) -> zarr.Array:
    if not level.name:
        return node
    try:
        array = node[level.name]
    except Exception as error:  # as above
        raise InputError(f"{path}: multiscales metadata: level '{level.name}': {type(error).__name__}: {error}",
                         "an OME-Zarr image, version 0.4 or 0.5", "check that the whole folder was copied") from error
    if not isinstance(array, zarr.Array):
        raise InputError(f"{path}: multiscales: '{level.name}' is not an array", "an OME-Zarr image, version 0.4 or 0.5")
    return array


def _spatial_axes(path: Path, image: dict[str, Any]) -> list[dict[str, str]]:
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in image.get("axes", ["z", "y", "x"])]
    names = [axis["name"].lower() for axis in axes]
    if names != ["z", "y", "x"]:
        raise InputError(f"{path}: axes: {names}", "z, y, x", "save one channel and time point with its axes in this order")
    return axes


def _geometry(image: dict[str, Any], level: dict[str, Any], axes: list[dict[str, str]]) -> tuple[Triple | None, Triple]:
    """Voxel size and origin (z, y, x) in Angstrom: the level's transformations, then the image's. An axis without unit is Angstrom."""
    scale, origin, stated = np.ones(3), np.zeros(3), False
    for step in [*level.get("coordinateTransformations", []), *image.get("coordinateTransformations", [])]:
        if step["type"] == "scale":
            factor = np.asarray(step["scale"], dtype=np.float64)
            scale, origin, stated = scale * factor, origin * factor, True
        elif step["type"] == "translation":
            origin = origin + np.asarray(step["translation"], dtype=np.float64)
    angstrom = np.array([ANGSTROM_PER.get(axis.get("unit", "angstrom"), np.nan) for axis in axes])
    z, y, x = (float(value) for value in origin * angstrom)
    sz, sy, sx = (float(value) for value in scale * angstrom)
    return ((sz, sy, sx) if stated else None), (z, y, x)
