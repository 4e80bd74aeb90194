"""IMOD models (.mod), the binary chunk format of IMOD's manual "IMOD Binary File Format", version 1.2; numbers are big-endian.

Model coordinates put the left and lower edge of the first pixel at x = y = 0, but the middle of the first section at z = 0, so
voxel = (x - 0.5, y - 0.5, z).
"""
from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from ..runtime.provenance import origin_of
from .options import ReadOptions, positive
from .table import UNKNOWN, ParticleTable

HALF_PIXEL = np.array([0.5, 0.5, 0.0])
MAGIC = b"IMODV1.2"
HEADER_BYTES, OBJECT_BYTES = 232, 176  # after the eight bytes of the magic, and after the four of OBJT
ANGSTROM_PER_UNIT = {3: 1e13, 1: 1e10, -2: 1e8, -3: 1e7, -6: 1e4, -9: 10.0, -10: 1.0, -12: 0.01}  # powers of ten of a metre; km is 3
SCATTERED = 1 << 9  # points are not joined by lines
NANOMETRE = -9


@dataclass(frozen=True)
class ImodModel:
    """``contours``: of each object a list of (n, 3) model coordinates (x, y, z). ``pixel_size`` in Angstrom, NaN when the model does
    not tell. ``mesh_vertices``: number of vertices of surfaces, which are not points."""

    contours: list[list[np.ndarray]]
    pixel_size: float
    mesh_vertices: int


def model_to_voxels(xyz: np.ndarray) -> np.ndarray:
    """0-based voxel coordinates (x, y, z) from model coordinates."""
    return np.asarray(xyz, dtype=np.float64) - HALF_PIXEL


def voxels_to_model(xyz: np.ndarray) -> np.ndarray:
    """Model coordinates from 0-based voxel coordinates (x, y, z)."""
    return np.asarray(xyz, dtype=np.float64) + HALF_PIXEL


def read_model(path: Path) -> ImodModel:
    """Read all contours of all objects. Raises :class:`InputError` when the file is no model or ends early."""
    data = path.read_bytes()
    if data[:5] != b"IMODV":
        raise InputError(f"{path} starts with {data[:8]!r}", "an IMOD model, which starts with IMODV1.2")
    try:
        pixel_size, units = struct.unpack_from(">fi", data, 8 + 128 + 80)
        contours: list[list[np.ndarray]] = []
        vertices = 0
        for name, body in _chunks(data):
            if name == b"OBJT":
                contours.append([])
            elif name == b"CONT":
                contours[-1].append(np.frombuffer(body[16:], dtype=">f4").reshape(-1, 3).astype(np.float64))
            elif name == b"MESH":
                vertices += struct.unpack_from(">i", body)[0]
    except (struct.error, ValueError, IndexError) as error:
        raise InputError(f"{path} is damaged: {error}", "a complete IMOD model", "copy or save the model again") from error
    if units != 0 and units not in ANGSTROM_PER_UNIT:
        raise InputError(f"{path} is damaged: its pixel size has the unit code {units}", "0 and " + ", ".join(map(str, ANGSTROM_PER_UNIT)),
                         "copy or save the model again")
    known = units != 0 and pixel_size > 0
    return ImodModel(contours, positive(pixel_size * ANGSTROM_PER_UNIT[units], "the pixel size", path) if known else UNKNOWN, vertices)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and body of each chunk after the header."""
    position = 8 + HEADER_BYTES
    while position < len(data):
        name = data[position:position + 4]
        if name == b"IEOF":
            return
        length, start = _body(data, name, position + 4)
        if length < 0 or start + length > len(data):
            raise ValueError(f"chunk {name!r} at byte {position} needs {length} bytes")
        yield name, data[start:start + length]
        position = start + length


def _body(data: bytes, name: bytes, position: int) -> tuple[int, int]:
    """Length of a chunk's body and where it starts; the three oldest chunks state counts instead of a length."""
    if name == b"OBJT":
        return OBJECT_BYTES, position
    if name == b"CONT":
        return 16 + 12 * struct.unpack_from(">i", data, position)[0], position
    if name == b"MESH":
        vertices, indices = struct.unpack_from(">2i", data, position)
        return 16 + 12 * vertices + 4 * indices, position
    return struct.unpack_from(">i", data, position)[0], position + 4


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """All points of all contours; the object's number becomes the class. Raises :class:`InputError` when there is none."""
    try:
        model = read_model(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}", "an IMOD model") from error
    points = [np.concatenate(contours) if contours else np.zeros((0, 3)) for contours in model.contours]
    if sum(map(len, points)) == 0 and model.mesh_vertices:
        raise InputError(f"{path} holds no points, only a surface of {model.mesh_vertices} vertices", "a model with picked points",
                         "use imodmop to turn the surface into a mask")
    xyz = np.concatenate([*points, np.zeros((0, 3))])
    class_id = np.repeat(np.arange(1, len(points) + 1), [len(item) for item in points])
    return ParticleTable.from_points(model_to_voxels(xyz)[:, ::-1], voxel_size=options.voxel_size or model.pixel_size,
                                     tilt_series_id=options.tilt_series_id, class_id=class_id)


def write(table: ParticleTable, path: Path) -> None:
    """Write a model of scattered points, one object a class."""
    classes = sorted(set(table.class_id.tolist()))
    if classes and (classes[0] < 1 or classes[-1] > 10000):
        raise InputError(f"cannot write {path}: class numbers {classes[0]} to {classes[-1]}", "1 to 10000, the objects of an IMOD model")
    model = voxels_to_model(table.zyx[:, ::-1])
    numbers = range(1, (classes[-1] if classes else 0) + 1)
    body = b"".join(_object_chunk(model[table.class_id == number], table.class_names.get(number, "")) for number in numbers)
    size = np.ceil(model.max(axis=0)) + 1 if len(table) else np.ones(3)
    with atomic_path(path) as part:
        part.write_bytes(_header(len(numbers), size, table, path) + body + b"IEOF")


def _header(objects: int, size: np.ndarray, table: ParticleTable, path: Path) -> bytes:
    pixel, units = (table.voxel_size / 10, NANOMETRE) if table.voxel_size_is_known else (1.0, 0)
    view = struct.pack(">9i", *(int(value) for value in size), objects, 0, 1, 2, 0, 255)
    frame = struct.pack(">6f5i", 0, 0, 0, 1, 1, 1, 0, 0, 0, 3, 128)
    name = (origin_of(path) or "cryoetseg").encode("ascii", "replace")[:127]
    return MAGIC + name.ljust(128, b"\0") + view + frame + struct.pack(">fii3f", pixel, units, 0, 0, 0, 0)


def _object_chunk(points: np.ndarray, name: str) -> bytes:
    contours = 1 if len(points) else 0
    numbers = struct.pack(">iIii3fi8B2i", contours, SCATTERED, 0, 1, 0, 1, 0, 3, 1, 3, 1, 1, 0, 0, 0, 0, 0, 0)
    head = b"OBJT" + name.encode("ascii", "replace")[:63].ljust(64, b"\0") + bytes(64) + numbers
    if not contours:
        return head
    return head + b"CONT" + struct.pack(">iIii", len(points), 0, 0, 0) + points.astype(">f4").tobytes()
