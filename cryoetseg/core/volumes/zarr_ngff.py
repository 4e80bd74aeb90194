"""OME-Zarr (NGFF) images: read versions 0.4 (zarr format 2) and 0.5 (zarr format 3), write 0.4, which most programs open.

The scale of the coordinate transformations carries the voxel size, the translation the origin.
"""
from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ... import __version__
from ..runtime.errors import InputError, OutputError
from .checks import check_dtype, check_shape, check_voxel_size, result_statistics
from .header import Shape, Triple, VolumeHeader

FORMAT = "zarr"
STORED_AS = {name: name for name in ("int8", "uint8", "int16", "uint16", "float16", "float32")}
CHUNK = 64
ANGSTROM_PER = {"angstrom": 1.0, "nanometer": 10.0, "micrometer": 1e4, "picometer": 0.01, "millimeter": 1e7, "meter": 1e10}


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the metadata of the finest level; ``voxel_size`` (Angstrom) replaces the one it states."""
    array, scale, origin = _finest(path)
    shape = check_shape(path, array.shape, "shape")
    dtype = check_dtype(path, np.dtype(array.dtype), "dtype")
    size = check_voxel_size(path, scale, voxel_size, "coordinateTransformations")
    return VolumeHeader(path, shape, dtype.newbyteorder("="), size.value, origin, FORMAT, size.is_known, size.warnings)


def open_data(path: Path) -> Any:
    """The finest level as a zarr array (z, y, x), whose chunks are read when it is sliced."""
    return _finest(path)[0]


def _finest(path: Path) -> tuple[zarr.Array, Triple | None, Triple]:
    try:
        node: Any = zarr.open(str(path), mode="r")
        if isinstance(node, zarr.Array):
            return node, None, (0.0, 0.0, 0.0)
        attributes: dict[str, Any] = dict(node.attrs)
        image = dict(attributes.get("ome", attributes))["multiscales"][0]
        level = image["datasets"][0]
        axes = _spatial_axes(path, image)
        scale, origin = _geometry(image, level, axes)
        array = node[level["path"]]
    except InputError:
        raise
    except Exception as error:  # damaged metadata surfaces as KeyError, TypeError, JSONDecodeError, zarr's own errors and more
        raise InputError(f"{path}: multiscales metadata: {type(error).__name__}: {error}", "an OME-Zarr image, version 0.4 or 0.5",
                         "check that the whole folder was copied") from error
    if not isinstance(array, zarr.Array):
        raise InputError(f"{path}: multiscales: '{level['path']}' is not an array", "an OME-Zarr image, version 0.4 or 0.5")
    return array, scale, origin


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


@contextmanager
def create(path: Path, shape: Shape, dtype: np.dtype, voxel_size: float, origin: Triple) -> Iterator[Any]:
    """Give a writable zarr array of one level; the folder is renamed into place when the block ends."""
    with _atomic_folder(path) as part:
        group = zarr.open_group(str(part), mode="w", zarr_format=2)
        transformations = [{"type": "scale", "scale": [float(voxel_size)] * 3},
                           {"type": "translation", "translation": [float(value) for value in origin]}]
        axes = [{"name": name, "type": "space", "unit": "angstrom"} for name in "zyx"]
        image: Any = {"version": "0.4", "name": path.stem, "axes": axes, "metadata": {"program": f"cryoetseg {__version__}"},
                      "datasets": [{"path": "0", "coordinateTransformations": transformations}]}
        group.attrs["multiscales"] = [image]
        chunks = tuple(min(size, CHUNK) for size in shape)
        data = group.create_array("0", shape=shape, dtype=dtype, chunks=chunks, chunk_key_encoding={"name": "v2", "separator": "/"})
        yield data
        result_statistics(path, data)


@contextmanager
def _atomic_folder(target: Path) -> Iterator[Path]:
    """As ``runtime.files.atomic_path``, for a folder: an earlier one steps aside until the new one is in place."""
    part = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    old = target.with_name(f".{target.stem}.{os.getpid()}.old{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if target.exists():
            os.replace(target, old)
        os.replace(part, target)
    except OSError as error:
        if old.exists():
            os.replace(old, target)
        raise OutputError(f"cannot write {target}: {error.strerror or error}", "a folder that can be written, with free space",
                          "choose another output folder or free space, then run again") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
