"""EM files (TOM, PyTom, Dynamo): 512-byte header, then voxels with x fastest.

The field table is emfile's; its reader trusts the header, hence the checks here. The format has no origin and keeps the voxel size
as whole picometre, so the writer repeats both exactly in the comment.
"""
from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import emfile
import numpy as np
from emfile.specs import header_spec

from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from ..runtime.provenance import origin_of
from .checks import check_file, check_shape, check_voxel_size, result_statistics
from .header import Shape, Triple, VolumeHeader
from .streaming import reserve

HEADER_BYTES = 512
FORMAT = "em"
STORED_AS = {"int8": "int8", "uint8": "int16", "int16": "int16", "uint16": "float32", "float16": "float32", "float32": "float32"}
TYPES = {1: "int8", 2: "int16", 5: "float32"}
PICOMETRE = 0.01  # Angstrom
LITTLE_ENDIAN_MACHINE = 6
_COMMENT = re.compile(r"cryoetseg voxel_size=(\S+) origin=(\S+),(\S+),(\S+)")


@dataclass(frozen=True)
class _Fields:
    dtype: np.dtype
    shape: tuple[int, int, int]
    voxel_size: float
    origin: Triple


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the header; ``voxel_size`` (Angstrom) replaces the one it states."""
    fields = _parse(path)
    shape = check_shape(path, fields.shape, "zdim, ydim, xdim")
    size = check_voxel_size(path, (fields.voxel_size,) * 3, voxel_size, "object pixel size")
    return VolumeHeader(path, shape, fields.dtype.newbyteorder("="), size.value, fields.origin, FORMAT, size.is_known, size.warnings)


def open_data(path: Path) -> np.ndarray:
    """Memory-map the voxels as (z, y, x), read-only."""
    fields = _parse(path)
    return np.memmap(path, fields.dtype, "r", HEADER_BYTES, fields.shape)


def _parse(path: Path) -> _Fields:
    length = check_file(path)
    with path.open("rb") as stream:
        block = stream.read(HEADER_BYTES)
    if len(block) < HEADER_BYTES:
        raise InputError(f"{path}: file length: {length} bytes, an EM header alone has {HEADER_BYTES}", "a complete EM file",
                         "the file is truncated or not EM: copy or make it again")
    little, big = (_unpack(block, order) for order in "<>")
    # byte 0 names the machine, but many writers leave it unset: the order whose sizes fit the file decides
    is_big = _promised(big) == length and _promised(little) != length
    values = big if is_big else little
    if values["dtype"] not in TYPES:
        raise InputError(f"{path}: data type: code {values['dtype']} is not supported", "1 (int8), 2 (int16), 5 (float32)",
                         "convert the volume to float32; if it is no EM file, give it its right suffix")
    shape = (values["zdim"], values["ydim"], values["xdim"])
    if min(shape) < 1:
        check_shape(path, shape, "zdim, ydim, xdim")
    if length != _promised(values):
        raise InputError(f"{path}: file length: {length} bytes, but the sizes {shape[::-1]} (x, y, z) and the data type promise "
                         f"{_promised(values)}", f"a file of {_promised(values)} bytes", "copy or make the file again")
    voxel_size, origin = _geometry(values)
    return _Fields(np.dtype(TYPES[values["dtype"]]).newbyteorder(">" if is_big else "<"), shape, voxel_size, origin)


def _unpack(block: bytes, order: str) -> dict:
    return dict(zip(header_spec, struct.unpack(order + "".join(header_spec.values()), block)))


def _promised(values: dict) -> int:
    itemsize = np.dtype(TYPES.get(values["dtype"], "int8")).itemsize
    return HEADER_BYTES + values["xdim"] * values["ydim"] * values["zdim"] * itemsize


def _geometry(values: dict) -> tuple[float, Triple]:
    comment = _COMMENT.match(values["comment"].decode("ascii", "replace"))
    if comment:
        try:
            voxel_size, z, y, x = (float(part.rstrip("\0")) for part in comment.groups())
        except ValueError:
            return values["OBJ"] * PICOMETRE, (0.0, 0.0, 0.0)
        if np.isfinite([voxel_size, z, y, x]).all():
            return voxel_size, (z, y, x)
    return values["OBJ"] * PICOMETRE, (0.0, 0.0, 0.0)


@contextmanager
def create(path: Path, shape: Shape, dtype: np.dtype, voxel_size: float, origin: Triple) -> Iterator[np.ndarray]:
    """Give a writable memory map; the file is renamed into place when the block ends."""
    comment = f"cryoetseg voxel_size={voxel_size:.7g} origin=" + ",".join(f"{value:.7g}" for value in origin)
    header = full_header(path, shape, dtype, OBJ=round(voxel_size / PICOMETRE), comment=comment)
    with atomic_path(path) as part:
        emfile.write(part, np.zeros((1, 1, shape[2]), dtype.newbyteorder("<")), header, overwrite=True)
        reserve(part, HEADER_BYTES + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize)
        data = np.memmap(part, dtype.newbyteorder("<"), "r+", HEADER_BYTES, shape)
        yield data
        result_statistics(path, data)
        data.flush()


def full_header(path: Path, shape: Shape, dtype: np.dtype, **more: str | int) -> dict[str, str | int]:
    """All fields for emfile, which writes them in the order in which they are given; the user's data tell what the file was made from."""
    known = {"machine": LITTLE_ENDIAN_MACHINE, "dtype": next(code for code, name in TYPES.items() if name == dtype.name),
             "xdim": shape[2], "ydim": shape[1], "zdim": shape[0], "userdata": origin_of(path), **more}
    return {name: known.get(name, "" if form.endswith("s") else 0) for name, form in header_spec.items()}
