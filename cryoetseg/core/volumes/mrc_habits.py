"""What MRC headers mean in files of IMOD and of older programs, where the standard of 2014 alone would mislead.

IMOD (mrc_format.txt; libiimod/mrcfiles.c and libcfshr/b3dutil.c of its sources) stamps its files and keeps flags beside the stamp: 1,
bytes are stored with 128 subtracted; 4, the origin has the sign of the standard; 16, two voxels of four bits share a byte. Without flag
4 and without the standard's version in nversion its origin points from the first voxel to the origin of coordinates.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from .header import Shape

HEADER_BYTES = 1024
IMOD_STAMP = 1146047817
BYTES_SHIFTED, ORIGIN_OF_STANDARD, FOUR_BITS = 1, 4, 16
FIRST_STANDARD = 20140  # nversion is the year of the standard, times ten
SAMPLE_BYTES = 1 << 20
FEW_VALUES = 3  # masks of 0 and 255, or with one value between


class ShiftedBytes:
    """Unsigned bytes (z, y, x) that are stored with 128 subtracted, as a read-only view: corrected window by window."""

    ndim, dtype = 3, np.dtype(np.uint8)

    def __init__(self, stored: np.ndarray) -> None:
        self._stored, self.shape = stored, stored.shape
        self._mmap, self.mode = getattr(stored, "_mmap", None), getattr(stored, "mode", "c")  # lets release_pages reach the map

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, window: Any) -> np.ndarray:
        return np.asarray(self._stored[window]) ^ np.uint8(128)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)


def imod_flags(raw: np.ndarray) -> int | None:
    """IMOD's flags; None in files without its stamp."""
    stamp, flags = np.frombuffer(raw["extra2"].tobytes(), raw.dtype["nx"], count=2, offset=40)
    return int(flags) if stamp == IMOD_STAMP else None


def origin_sign(raw: np.ndarray) -> int:
    """-1 where the origin is stored with the sign of IMOD: from the first voxel to the origin of coordinates."""
    flags = imod_flags(raw)
    of_standard = flags is None or flags & ORIGIN_OF_STANDARD or int(raw["nversion"]) >= FIRST_STANDARD
    return 1 if of_standard else -1


def kind_of_bytes(path: Path, raw: np.ndarray, offset: int, warnings: list[str]) -> str:
    """Whether the bytes of mode 0 are ``signed`` (MRC2014), ``unsigned``, or ``shifted`` (IMOD: unsigned, stored with 128 subtracted).

    Without IMOD's stamp the statistics tell; where these are not set, the values do, and a warning is added.
    """
    flags = imod_flags(raw)
    low, high = float(raw["dmin"]), float(raw["dmax"])
    if flags is not None:
        if flags & FOUR_BITS:
            raise InputError(f"{path}: IMOD's flags: {flags} (16: two voxels of four bits in each byte) is not supported", "whole bytes",
                             "convert the volume, for instance with newstack -mode 0")
        if flags & BYTES_SHIFTED and _are_of_stored_bytes(low, high, path, offset):
            warnings.append(f"{path}: IMOD's flags: {flags} (1: 128 is added to bytes) contradicts dmin, dmax: {low:g} to {high:g}, which "
                            "are those of the bytes without it; taken without it, as after a program that kept IMOD's header")
            return "signed"
        return "shifted" if flags & BYTES_SHIFTED else "unsigned"
    if low < high:
        return "unsigned" if low >= 0 and 127 < high <= 255 else "signed"
    sample = _sample(path, offset)
    if sample.size and low == high == float(raw["dmean"]) and (sample == low).all():
        return "signed"  # a mask that holds nothing: its statistics are set, all the same
    kind = "unsigned" if _look_unsigned(sample) else "signed"
    warnings.append(f"{path}: dmin, dmax: not set, so that the header does not tell whether bytes are signed; by their values they are "
                    f"{kind}")
    return kind


def _sample(path: Path, offset: int) -> np.ndarray:
    """Bytes (n,) from the middle of the voxels, which begin at ``offset``."""
    with path.open("rb") as stream:
        length = stream.seek(0, 2)
        stream.seek(max(offset, (offset + length - SAMPLE_BYTES) // 2))
        return np.frombuffer(stream.read(SAMPLE_BYTES), np.uint8)


def _are_of_stored_bytes(low: float, high: float, path: Path, offset: int) -> bool:
    """Whether statistics hold for bytes as they are stored, none of them below 0, and so for none to which 128 is added."""
    if not 0 <= low < high <= 127:
        return False
    sample = _sample(path, offset).view(np.int8)
    return bool(sample.size) and low <= int(sample.min()) and int(sample.max()) <= high


def _look_unsigned(sample: np.ndarray) -> bool:
    """Whether bytes make sense as 0 to 255: masks of few values, or a narrower distribution than as -128 to 127."""
    if sample.size == 0 or sample.max() < 128:
        return False
    return len(np.unique(sample)) <= FEW_VALUES or bool(sample.std() < sample.view(np.int8).std())


def extended_header_end(path: Path, raw: np.ndarray, sizes: Shape, length: int, warnings: list[str]) -> int:
    """First byte of the voxels: after the extended header, unless the file has room for the voxels alone."""
    promised = int(raw["nsymbt"])
    if promised < 0:
        raise InputError(f"{path}: nsymbt: {promised} bytes of extended header", "0 or more",
                         "the header is damaged: copy or make the file again")
    itemsize = {0: 1, 1: 2, 2: 4, 6: 2, 12: 2}.get(int(raw["mode"]), 0)
    if promised and itemsize and length == HEADER_BYTES + sizes[0] * sizes[1] * sizes[2] * itemsize:
        warnings.append(f"{path}: nsymbt: the header promises {promised} bytes of extended header that the file does not have; ignored")
        return HEADER_BYTES
    return HEADER_BYTES + promised
