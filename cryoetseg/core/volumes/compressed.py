"""MRC files packed by gzip or bzip2 (.mrc.gz, .map.gz, .rec.bz2): read only, by way of an unpacked copy in the folder for temporary files.

Voxels are needed in any order, which packed files cannot give. The copies of the last files are kept while the program runs.
"""
from __future__ import annotations

import bz2
import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..runtime.errors import InputError, OutputError
from . import mrc
from .checks import check_file
from .header import VolumeHeader
from .names import volume_stem

FORMAT = "mrc"
OPENERS: dict[str, Callable[[Path], gzip.GzipFile | bz2.BZ2File]] = {".gz": gzip.GzipFile, ".bz2": bz2.BZ2File}
KEPT_COPIES = 4
Answer = TypeVar("Answer")


def read_header(path: Path, voxel_size: float | None = None) -> VolumeHeader:
    """Read and check the header; ``voxel_size`` (Angstrom) replaces the one it states."""
    header = _of_unpacked(path, lambda copy: mrc.read_header(copy, voxel_size))
    return replace(header, path=path, warnings=tuple(text.replace(str(_unpacked(path)), str(path)) for text in header.warnings))


def open_data(path: Path) -> np.ndarray:
    """Memory-map the voxels of the unpacked copy as (z, y, x), read-only."""
    return _of_unpacked(path, mrc.open_data)


def _of_unpacked(path: Path, action: Callable[[Path], Answer]) -> Answer:
    """What ``action`` finds in the unpacked copy; its complaints name the file that the user knows."""
    copy = _unpacked(path)
    try:
        return action(copy)
    except InputError as error:
        raise InputError(error.got.replace(str(copy), str(path)), error.allowed, error.advice) from error


def _unpacked(path: Path) -> Path:
    length = check_file(path)
    return _copies(path.absolute(), length, path.stat().st_mtime_ns).file


class _Copy:
    """An unpacked file in a folder of its own, which goes when nobody holds the copy any more; memory maps of it stay valid."""

    def __init__(self, path: Path) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="cryoetseg_", ignore_cleanup_errors=True)
        self.file = Path(self.folder.name) / f"{volume_stem(path)}.mrc"


@lru_cache(maxsize=KEPT_COPIES)
def _copies(path: Path, length: int, changed: int) -> _Copy:
    copy = _Copy(path)
    try:
        with OPENERS[path.suffix.lower()](path) as source, copy.file.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 22)
    except (EOFError, zlib.error, ValueError) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is None:  # the unpackers' own complaints carry no number
            raise _damaged(path, error) from error
        raise OutputError(f"cannot unpack {path} into {copy.folder.name}: {error.strerror}", "a disk with room for the unpacked volume",
                          "name a folder on a larger disk in the environment variable TMPDIR, or unpack the file yourself") from error
    return copy


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} cannot be unpacked: {error}", "a complete file packed by gzip or bzip2", "copy or make the file again")
