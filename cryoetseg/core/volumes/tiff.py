"""TIFF stacks: ImageJ and OME voxel sizes in, ImageJ hyperstacks out. Pages are z, in the order of the file.

IMOD's viewer shows TIFF with y turned upside down; the rows here are those of the file, first row first.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from ..runtime.provenance import origin_of
from .checks import check_dtype, check_file, check_shape, check_voxel_size, result_statistics
from .header import Shape, Triple, VolumeHeader
from .streaming import reserve

FORMAT = "tiff"
# what ImageJ can open; the wider type holds every value of the narrower one
STORED_AS = {"int8": "int16", "uint8": "uint8", "int16": "int16", "uint16": "uint16", "float16": "float32", "float32": "float32"}
ANGSTROM_PER = {"angstrom": 1.0, "a": 1.0, "å": 1.0, "\\u00c5": 1.0, "\\u00e5": 1.0, "nm": 10.0, "nanometer": 10.0, "um": 1e4,
                "µm": 1e4, "μm": 1e4, "\\u00b5m": 1e4, "micron": 1e4, "mm": 1e7, "m": 1e10, "pm": 0.01}
ORIGIN_KEY = "origin_zyx_angstrom"


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the tags; ``voxel_size`` (Angstrom) replaces the one they state."""
    with _opened(path) as file:
        series = file.series[0]
        if len(series.shape) == 3 and series.axes.endswith("S"):
            raise InputError(f"{path}: axes: {series.axes} is a colour image", "a stack of grey images", "convert it to grey values")
        shape = check_shape(path, series.shape, f"axes {series.axes}")
        dtype = check_dtype(path, series.dtype, "sample format")
        size = check_voxel_size(path, _stated_voxel_size(file), voxel_size, "resolution and spacing")
        origin = _stated_origin(file)
    return VolumeHeader(path, shape, dtype.newbyteorder("="), size.value, origin, FORMAT, size.is_known, size.warnings)


def open_data(path: Path) -> np.ndarray:
    """Memory-map the voxels as (z, y, x); a compressed stack is unpacked into memory."""
    with _opened(path) as file:
        series = file.series[0]
        if series.dataoffset is None:
            return series.asarray()
        dtype = series.dtype.newbyteorder(file.byteorder)
        end = series.dataoffset + math.prod(series.shape) * dtype.itemsize
        if end > path.stat().st_size:
            raise InputError(f"{path}: file length: {path.stat().st_size} bytes, but the tags promise {end} (truncated)",
                             f"a file of {end} bytes", "copy or make the file again")
        return np.memmap(path, dtype, "r", series.dataoffset, series.shape)


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    check_file(path)
    try:
        with tifffile.TiffFile(path) as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # tifffile lets a dozen kinds out of damaged files, down to struct.error and zlib.error
        raise InputError(f"{path}: TIFF structure: {type(error).__name__}: {error}", "a complete, readable TIFF stack",
                         "the file is damaged or truncated: copy or make it again") from error


def _stated_voxel_size(file: tifffile.TiffFile) -> Triple | None:
    """Voxel size (z, y, x) in Angstrom of ImageJ and OME files; bare resolution tags are print sizes and mean nothing."""
    if file.is_ome:
        return _ome_voxel_size(file)
    metadata = file.imagej_metadata or {}
    factor = ANGSTROM_PER.get(str(metadata.get("unit", "")).strip().lower())
    if not file.is_imagej or factor is None or "spacing" not in metadata:
        return None
    x, y = (_edge(file, name) for name in ("XResolution", "YResolution"))
    return float(metadata["spacing"]) * factor, y * factor, x * factor


def _edge(file: tifffile.TiffFile, name: str) -> float:
    tag = file.pages[0].tags.get(name)  # type: ignore[union-attr]
    if tag is None or 0 in tag.value:
        return 0.0
    pixels, units = tag.value
    return units / pixels


def _ome_voxel_size(file: tifffile.TiffFile) -> Triple | None:
    image = tifffile.xml2dict(file.ome_metadata or "")["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    edges = [_ome_edge(pixels, axis) for axis in "ZYX"]
    return (edges[0], edges[1], edges[2]) if all(edges) else None


def _ome_edge(pixels: dict[str, Any], axis: str) -> float:
    unit = str(pixels.get(f"PhysicalSize{axis}Unit", "um")).lower()
    return float(pixels.get(f"PhysicalSize{axis}", 0)) * ANGSTROM_PER.get(unit, 0.0)


def _stated_origin(file: tifffile.TiffFile) -> Triple:
    stated = str((file.imagej_metadata or {}).get(ORIGIN_KEY, "")).split(",")
    if len(stated) != 3:
        return 0.0, 0.0, 0.0
    z, y, x = (float(value) for value in stated)
    return z, y, x


@contextmanager
def create(path: Path, shape: Shape, dtype: np.dtype, voxel_size: float, origin: Triple) -> Iterator[np.ndarray]:
    """Give a writable memory map of an uncompressed ImageJ stack; the file is renamed into place when the block ends."""
    metadata = {"axes": "ZYX", "unit": "angstrom", "spacing": repr(voxel_size), ORIGIN_KEY: ",".join(map(repr, map(float, origin)))}
    if origin_of(path):
        metadata["made_by"] = origin_of(path)
    with atomic_path(path) as part:
        data = tifffile.memmap(part, shape=shape, dtype=dtype, imagej=True, metadata=metadata,
                               resolution=(1 / voxel_size, 1 / voxel_size))
        reserve(part, part.stat().st_size)
        yield data
        result_statistics(path, data)
        data.flush()
