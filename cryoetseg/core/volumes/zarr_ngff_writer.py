"""Writing OME-Zarr (NGFF): a pyramid of levels, each half as fine as the one before, in chunks for viewers; masks as labels of an image.

Version 0.4 (zarr format 2) is the default, which most programs open; 0.5 (zarr format 3) on request. Everything is streamed.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr

from ... import __version__
from ..runtime.errors import InputError, OutputError
from ..runtime.files import atomic_folder
from ..runtime.progress import track
from ..runtime.provenance import origin_of
from .checks import result_statistics
from .header import Shape, Triple

FORMAT = "zarr"
STORED_AS = {name: name for name in ("int8", "uint8", "int16", "uint16", "float16", "float32")}
CHUNK = 64
MOST_LEVELS = 6
ZARR_FORMATS: dict[str, Literal[2, 3]] = {"0.4": 2, "0.5": 3}
DEFAULT_VERSION = "0.4"
LABELS = "labels"


@contextmanager
def create(path: Path, shape: Shape, dtype: np.dtype, voxel_size: float, origin: Triple, version: str = DEFAULT_VERSION) -> Iterator[Any]:
    """Give the writable finest level (z, y, x); coarser levels are made and the folder is renamed into place when the block ends."""
    with atomic_folder(path) as part:
        group = zarr.open_group(str(part), mode="w", zarr_format=ZARR_FORMATS[version])
        data = _new_level(group, "0", shape, dtype)
        yield data
        result_statistics(path, data)
        levels = _write_pyramid(group, data, path.name)
        _describe(group, {"multiscales": [_multiscale(path, levels, voxel_size, origin, version)]}, version)


def write_labels(image: Path, name: str, labels: Any, voxel_size: float, origin: Triple = (0.0, 0.0, 0.0),
                 names: dict[int, str] | None = None) -> Path:
    """Write a mask or label volume (z, y, x) as ``labels/NAME`` of an OME-Zarr image, in that image's version; returns its folder.

    Values are whole numbers. ``names`` by value go along as properties. Raises :class:`InputError` when ``image`` is no OME-Zarr image, and
    :class:`OutputError` when it cannot be written.
    """
    version = _version_of(image)
    target = image / LABELS / name
    with atomic_folder(target) as part:
        group = zarr.open_group(str(part), mode="w", zarr_format=ZARR_FORMATS[version])
        dtype = np.dtype(labels.dtype if labels.dtype.kind in "iu" else np.uint16)  # the format wants integers
        data = _new_level(group, "0", tuple(labels.shape), dtype)
        found: set[int] = set()
        for window in track(_blocks(data.shape, CHUNK), f"write {name}"):
            given = np.asarray(labels[window])
            data[window] = block = given.astype(dtype)
            if not np.array_equal(block, given):
                raise OutputError(f"cannot write {target}: labels up to {given.max()}", "whole numbers from 0 to 65535", "renumber them")
            found.update(np.unique(block).tolist())
        levels = _write_pyramid(group, data, name)
        known = names or {}
        values = sorted((found | set(known)) - {0})
        properties = [{"label-value": value, **({"name": known[value]} if value in known else {})} for value in values]
        described = {"version": version, "source": {"image": "../../"}, "colors": list(map(_colour, values)), "properties": properties}
        _describe(group, {"multiscales": [_multiscale(target, levels, voxel_size, origin, version)], "image-label": described}, version)
    _list_labels(image, name, version)
    return target


def _version_of(image: Path) -> str:
    try:
        attributes = dict(zarr.open_group(str(image), mode="r").attrs)
    except Exception as error:  # zarr raises many kinds
        raise InputError(f"{image} is no OME-Zarr image: {error}", "an OME-Zarr image, version 0.4 or 0.5") from error
    return "0.5" if "ome" in attributes else "0.4"


def _list_labels(image: Path, name: str, version: str) -> None:
    group = zarr.open_group(str(image / LABELS), mode="a", zarr_format=ZARR_FORMATS[version])
    attributes: dict[str, Any] = dict(group.attrs)
    listed = list(attributes.get("ome", attributes).get(LABELS, []))
    _describe(group, {LABELS: [*listed, *([name] if name not in listed else [])]}, version)


def _describe(group: zarr.Group, attributes: dict[str, Any], version: str) -> None:
    """Version 0.5 keeps everything under ``ome``, and the version there instead of in each part."""
    if version == "0.5":
        for part in [*attributes.get("multiscales", []), attributes.get("image-label", {})]:
            part.pop("version", None)
        attributes = {"ome": {"version": version, **attributes}}
    group.attrs.update(attributes)


def _colour(value: int) -> dict[str, Any]:
    """A colour of its own for each value, the same in every file: hues a golden section apart."""
    hue = value * 0.618034 % 1.0
    rgb = [round(255 * (0.5 + 0.5 * np.cos(2 * np.pi * (hue - third / 3)))) for third in range(3)]
    return {"label-value": value, "rgba": [*rgb, 255]}


def _multiscale(path: Path, levels: list[zarr.Array], voxel_size: float, origin: Triple, version: str) -> dict[str, Any]:
    axes = [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"]
    datasets = []
    for number, level in enumerate(levels):
        # a coarse voxel is centred among the fine ones it covers
        shift = voxel_size * (2**number - 1) / 2
        steps = [{"type": "scale", "scale": [float(voxel_size * 2**number)] * 3},
                 {"type": "translation", "translation": [float(value + shift) for value in origin]}]
        datasets.append({"path": level.basename, "coordinateTransformations": steps})
    made = origin_of(path)
    metadata = {"program": f"cryoetseg {__version__}", **({"made_by": made} if made else {})}
    return {"version": version, "name": path.stem, "axes": axes, "type": "mean" if levels[0].dtype.kind == "f" else "median",
            "metadata": metadata, "datasets": datasets}


def _new_level(group: zarr.Group, name: str, shape: Shape, dtype: np.dtype) -> zarr.Array:
    encoding: Any = {"name": "v2", "separator": "/"} if group.metadata.zarr_format == 2 else {"name": "default", "separator": "/"}
    axes: Any = None if group.metadata.zarr_format == 2 else ("z", "y", "x")
    return group.create_array(name, shape=shape, dtype=dtype, chunks=tuple(min(size, CHUNK) for size in shape),
                              chunk_key_encoding=encoding, dimension_names=axes)


def _write_pyramid(group: zarr.Group, finest: zarr.Array, name: str) -> list[zarr.Array]:
    levels = [finest]
    while max(levels[-1].shape) > CHUNK and len(levels) < MOST_LEVELS:
        fine = levels[-1]
        z, y, x = (-(-size // 2) for size in fine.shape)
        coarse = _new_level(group, str(len(levels)), (z, y, x), np.dtype(fine.dtype))
        for window in track(_blocks(coarse.shape, CHUNK), f"level {len(levels)} of {name}"):
            coarse[window] = halved(np.asarray(fine[tuple(slice(2 * part.start, 2 * part.stop) for part in window)]))
        levels.append(coarse)
    return levels


def _blocks(shape: tuple[int, ...], size: int) -> list[tuple[slice, ...]]:
    axes = [[slice(start, min(start + size, length)) for start in range(0, length, size)] for length in shape]
    return list(product(*axes))


def halved(block: np.ndarray) -> np.ndarray:
    """A (z, y, x) block at half the size: means of 2 x 2 x 2 voxels, of whole numbers their upper median, which is one of the labels.

    At an odd end the last voxel counts twice.
    """
    padded = np.pad(block, [(0, size % 2) for size in block.shape], mode="edge")
    z, y, x = (size // 2 for size in padded.shape)
    groups = padded.reshape(z, 2, y, 2, x, 2).transpose(0, 2, 4, 1, 3, 5).reshape(z, y, x, 8)
    if block.dtype.kind == "f":
        return groups.mean(axis=3, dtype=np.float32).astype(block.dtype)
    return np.partition(groups, 4, axis=3)[..., 4]
