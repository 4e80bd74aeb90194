"""Walking through arrays that do not fit into memory: slabs along z, giving mapped pages back, and room for them on disk."""
from __future__ import annotations

import errno
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import MemoryLimitError, OutputError, is_out_of_memory

SLAB_BYTES = 16 * 1024**2
GATHERED = 32  # planes of which rows are read before their pages are given back


def z_slabs(shape: Sequence[int], itemsize: int = 4, limit: int = SLAB_BYTES) -> list[slice]:
    """Slices along the first axis of about ``limit`` bytes each (at least one plane) that cover ``shape`` in order."""
    plane = max(1, int(np.prod(shape[1:], dtype=np.int64)) * itemsize)
    thickness = max(1, limit // plane)
    return [slice(first, min(first + thickness, shape[0])) for first in range(0, shape[0], thickness)]


def read_slabs(array: Any, limit: int = SLAB_BYTES) -> Iterator[np.ndarray]:
    """Yield ``array`` slab by slab along its first axis; pages of a memory map are given back after each slab."""
    for window in z_slabs(array.shape, max(4, array.dtype.itemsize), limit):
        yield np.asarray(array[window])
        release_pages(array)


def read_rows(array: Any, rows: slice) -> np.ndarray:
    """The rows ``array[:, rows]`` of all planes, copied a few planes at a time.

    The kernel maps up to 2 MiB of a file around each row that is touched, which for a thousand planes were more than a gigabyte.
    """
    parts = []
    for first in range(0, array.shape[0], GATHERED):
        parts.append(np.array(array[first:first + GATHERED, rows]))
        release_pages(array)
    return np.concatenate(parts)


def release_pages(array: Any) -> None:
    """Drop the resident pages of a shared memory map; does nothing for other arrays.

    The kernel keeps changed pages in its file cache, so no data are lost. Without this the whole file counts as memory of the
    process, and a batch system that limits resident memory kills it.
    """
    mapping = getattr(array, "_mmap", None)
    private = getattr(array, "mode", "c") == "c"
    if mapping is not None and not private and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def temporary_volume(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """A memory map of zeros whose file vanishes with the process; raises :class:`OutputError` when the disk has no room for it."""
    length, folder = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize, Path(tempfile.gettempdir())
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            _take(file.fileno(), folder, length)
            return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
    except OSError as error:
        if is_out_of_memory(error):
            raise MemoryLimitError(f"out of memory for a temporary volume of {length} bytes", "more memory that this program may use",
                                   "raise its limit (ulimit -v, the queue's), or run fewer jobs at once") from error
        raise OutputError(f"no room for a temporary volume of {length} bytes in {folder}: {error.strerror or error}",
                          "a disk with free space", "name a folder on a larger disk in the environment variable TMPDIR") from error


def reserve(file: Path, length: int) -> None:
    """Ask for the disk space at once: writing to a map of a sparse file on a full disk kills the process by a signal.

    Raises ``OSError``, which :func:`~cryoetseg.core.runtime.files.atomic_path` tells the user.
    """
    with file.open("r+b") as stream:
        _take(stream.fileno(), file.parent, length)


def _take(descriptor: int, folder: Path, length: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)
    elif shutil.disk_usage(folder).free < length:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
