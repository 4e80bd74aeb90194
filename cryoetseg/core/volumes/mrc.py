"""MRC2014 files (.mrc .rec .map .st .mrcs): tolerant and checked reading, strict writing.

The header layout is mrcfile's. Its permissive mode hands out ``data = None`` for a quarter of damaged files (spec anchors E.2),
hence the checks here, before any voxel is touched. What the headers of IMOD and of older programs mean is in :mod:`.mrc_habits`.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from mrcfile.dtypes import HEADER_DTYPE

from ... import __version__
from ..runtime.errors import InputError
from ..runtime.files import atomic_path
from ..runtime.provenance import origin_of
from .checks import check_file, check_shape, check_voxel_size, result_statistics
from .header import Shape, Triple, VolumeHeader
from .mrc_habits import HEADER_BYTES, ShiftedBytes, extended_header_end, kind_of_bytes, origin_sign
from .streaming import reserve

FORMAT = "mrc"
STORED_AS = {"int8": "int8", "uint8": "uint16", "int16": "int16", "uint16": "uint16", "float16": "float16", "float32": "float32"}
MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}
OTHER_MODES = {3: "complex int16", 4: "complex float32", 16: "RGB", 101: "4-bit"}


@dataclass(frozen=True)
class _Layout:
    """How voxels lie in the file: type with byte order, first byte, (sections, rows, columns), and the file axis of z, y and x.

    Bytes that are ``shifted`` are stored with 128 subtracted; their dtype is that of the values.
    """

    dtype: np.dtype
    offset: int
    sizes: Shape
    axes: tuple[int, int, int]
    shifted: bool = False


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the header; ``voxel_size`` (Angstrom) replaces the one it states."""
    raw, layout, warnings = _parse(path)
    z_y_x = tuple(layout.sizes[axis] for axis in layout.axes)
    size = check_voxel_size(path, _stated_voxel_size(raw, z_y_x), voxel_size, "cell dimensions")
    shape = check_shape(path, z_y_x, "nz, ny, nx")
    dtype = layout.dtype.newbyteorder("=")
    return VolumeHeader(path, shape, dtype, size.value, _origin(raw, size.value, layout.axes), FORMAT, size.is_known,
                        (*warnings, *size.warnings), is_stack_of_images=_is_stack_of_images(raw, layout.sizes))


def open_data(path: Path) -> Any:
    """Memory-map the voxels as (z, y, x), read-only, in the type and byte order of the file."""
    _, layout, _ = _parse(path)
    stored = np.memmap(path, dtype=layout.dtype, mode="r", offset=layout.offset, shape=layout.sizes).transpose(layout.axes)
    return ShiftedBytes(stored) if layout.shifted else stored


def _parse(path: Path) -> tuple[np.ndarray, _Layout, list[str]]:
    length = check_file(path)
    with path.open("rb") as stream:
        block = stream.read(HEADER_BYTES)
    if len(block) < HEADER_BYTES:
        raise InputError(f"{path}: file length: {length} bytes, an MRC header alone has {HEADER_BYTES}", "a complete MRC file",
                         "the file is truncated or not MRC: copy or make it again")
    warnings: list[str] = []
    raw = _in_right_byte_order(path, block, length, warnings)
    sizes = _sizes(path, raw)
    offset = extended_header_end(path, raw, sizes, length, warnings)
    dtype, shifted = _voxel_type(path, raw, offset, warnings)
    layout = _Layout(dtype, offset, sizes, _axes(path, raw, warnings), shifted)
    _check_length(path, raw, layout, length, warnings)
    return raw, layout, warnings


def _in_right_byte_order(path: Path, block: bytes, length: int, warnings: list[str]) -> np.ndarray:
    """The machine stamp decides; where it is missing or contradicts the sizes, the order that fits the file's length does."""
    big = block[212] == 0x11
    orders = [">", "<"] if big else ["<", ">"]
    headers = [np.frombuffer(block, HEADER_DTYPE.newbyteorder(order))[0] for order in orders]
    fitting = [index for index, raw in enumerate(headers) if _fits(raw, length)]
    if fitting and fitting[0] == 1:
        warnings.append(f"{path}: machst: the machine stamp is wrong; the byte order that fits the file's length is used")
        return headers[1]
    return headers[0]


def _fits(raw: np.ndarray, length: int) -> bool:
    sizes = [int(raw[name]) for name in ("nx", "ny", "nz")]
    mode, extended = int(raw["mode"]), int(raw["nsymbt"])
    if min(sizes) < 1 or mode not in MODES or extended < 0:
        return False
    return HEADER_BYTES + extended + sizes[0] * sizes[1] * sizes[2] * np.dtype(MODES[mode]).itemsize <= length


def _voxel_type(path: Path, raw: np.ndarray, offset: int, warnings: list[str]) -> tuple[np.dtype, bool]:
    """Type of the values with byte order, and whether bytes are stored with 128 subtracted."""
    mode = int(raw["mode"])
    if mode not in MODES:
        raise InputError(f"{path}: mode: {mode} ({OTHER_MODES.get(mode, 'unknown')}) is not supported",
                         "0 (int8, uint8), 1 (int16), 2 (float32), 6 (uint16), 12 (float16)",
                         "convert the volume, for instance with newstack -mode 2; if it is no MRC file, give it its right suffix")
    if mode == 0:
        kind = kind_of_bytes(path, raw, offset, warnings)
        return np.dtype(np.int8 if kind == "signed" else np.uint8), kind == "shifted"
    return np.dtype(MODES[mode]).newbyteorder(raw.dtype["nx"].byteorder), False


def _sizes(path: Path, raw: np.ndarray) -> Shape:
    sizes = (int(raw["nz"]), int(raw["ny"]), int(raw["nx"]))
    if min(sizes) < 1:
        check_shape(path, sizes, "nz, ny, nx")
    volumes_end = 401 <= int(raw["ispg"]) <= 630
    if volumes_end and int(raw["mz"]) != sizes[0]:
        raise InputError(f"{path}: ispg: {int(raw['ispg'])} with mz = {int(raw['mz'])} marks a stack of volumes (4D)",
                         "one volume", "split the stack into one file each")
    return sizes


def _is_stack_of_images(raw: np.ndarray, sizes: Shape) -> bool:
    return int(raw["ispg"]) == 0 and int(raw["mz"]) == 1 < sizes[0] and int(raw["mx"]) == sizes[2] > 1


def _axes(path: Path, raw: np.ndarray, warnings: list[str]) -> tuple[int, int, int]:
    """Which axis of (sections, rows, columns) runs along z, y and x."""
    runs_along = [int(raw[name]) for name in ("maps", "mapr", "mapc")]
    if runs_along == [0, 0, 0]:
        warnings.append(f"{path}: mapc, mapr, maps: not set; columns, rows and sections are taken as x, y and z")
        return 0, 1, 2
    if sorted(runs_along) != [1, 2, 3]:
        raise InputError(f"{path}: mapc, mapr, maps: {runs_along[::-1]}", "1, 2 and 3, each once",
                         "the header is damaged: copy or make the file again")
    return runs_along.index(3), runs_along.index(2), runs_along.index(1)


def _check_length(path: Path, raw: np.ndarray, layout: _Layout, length: int, warnings: list[str]) -> None:
    """The file must hold what the header promises; a little more is tolerated when nothing else is odd."""
    plane = layout.sizes[1] * layout.sizes[2] * layout.dtype.itemsize
    promised = layout.offset + layout.sizes[0] * plane
    if length < promised:
        what = "a header without data" if length <= layout.offset else "truncated"
        raise InputError(f"{path}: file length: {length} bytes, but nx, ny, nz = {layout.sizes[::-1]}, mode and nsymbt promise {promised}"
                         f" ({what})", f"a file of {promised} bytes", "copy or make the file again")
    sampling = tuple(int(raw[name]) for name in ("mz", "my", "mx"))
    agrees = sampling == tuple(layout.sizes[axis] for axis in layout.axes)
    if length - promised >= plane or (length > promised and not agrees):
        raise InputError(f"{path}: nx, ny, nz, mode: the file holds {length - promised} bytes more than {layout.sizes[::-1]} voxels need",
                         f"a file of {promised} bytes", "the header is damaged or the file was overwritten in part: make it again")
    if length > promised:
        warnings.append(f"{path}: file length: {length - promised} bytes after the last voxel are ignored")


def _stated_voxel_size(raw: np.ndarray, z_y_x: tuple[int, ...]) -> tuple[float, ...] | None:
    cell = np.array([raw["cella"][name] for name in "zyx"], dtype=np.float64)
    sampling = np.array([int(raw["m" + name]) for name in "zyx"])
    if not cell.any():
        return 0.0, 0.0, 0.0
    # programs that leave mx, my, mz unset mean the whole box
    return tuple(cell / np.where(sampling > 0, sampling, z_y_x))


def _origin(raw: np.ndarray, voxel_size: float, axes: tuple[int, int, int]) -> Triple:
    """MRC origin in Angstrom; where it is unset, the start indices of older programs give it."""
    stated = [float(raw["origin"][name]) for name in "zyx"]
    if np.isfinite(stated).all() and any(stated):
        sign = origin_sign(raw)
        return sign * stated[0], sign * stated[1], sign * stated[2]
    starts = [int(raw[name]) for name in ("nzstart", "nystart", "nxstart")]
    z, y, x = (starts[axis] * voxel_size for axis in axes)
    return z, y, x


@contextmanager
def create(path: Path, shape: Shape, dtype: np.dtype, voxel_size: float, origin: Triple) -> Iterator[np.ndarray]:
    """Give a writable memory map; header statistics are computed slab by slab when the block ends, then the file is renamed."""
    with atomic_path(path) as part:
        mode = next(number for number, name in MODES.items() if name == dtype.name)
        with mrcfile.new_mmap(part, shape, mrc_mode=mode, overwrite=True) as file:
            file.set_volume()
            file.voxel_size = voxel_size
            file.header.origin.z, file.header.origin.y, file.header.origin.x = origin
            # no date: the same job must give the same bytes
            origin_line = origin_of(path)
            file.header.label[0], file.header.label[1] = f"cryoetseg {__version__}", origin_line
            file.header.nlabl = 1 + bool(origin_line)
            reserve(part, HEADER_BYTES + file.data.nbytes)
            yield file.data
            found = result_statistics(path, file.data)
            file.header.dmin, file.header.dmax, file.header.dmean = found.low, found.high, found.mean
            # mrcfile's validator adds float16 values in float16, gets infinity and calls any rms wrong; negative means not determined
            file.header.rms = -1 if dtype == np.float16 else found.deviation
