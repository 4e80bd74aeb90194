"""Checksums of files and folders. That of a large one is kept in the user's cache for as long as the file stays as it is.

Imported by Scipion's own interpreter: valid Python 3.8.
"""
import hashlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Iterator, List, Tuple, Union

from .errors import InputError
from .temporary import is_passing, make_part

PathLike = Union[str, "os.PathLike[str]"]
LARGE = 16 * 1024**2  # bytes; below, reading the file is as quick as looking it up
SETTLED_SECONDS = 10.0  # a file changed later than this ago may change again within one tick of its time stamp
BLOCK = 4 * 1024**2
logger = logging.getLogger(__name__)


def sha256(path: PathLike, chunk: int = BLOCK) -> str:
    """SHA-256 of a file as hexadecimal text, read in chunks."""
    digest, block = hashlib.sha256(), bytearray(chunk)
    view = memoryview(block)
    with open(path, "rb", buffering=0) as stream:
        for count in iter(lambda: stream.readinto(block), 0):
            digest.update(view[:count])
    return digest.hexdigest()


def checksum(path: PathLike) -> str:
    """SHA-256 of a file, or of a folder: of the names, sizes and SHA-256 of all files in it.

    Raises :class:`InputError` when something cannot be read.
    """
    path = Path(path)
    try:
        files = _files_below(path) if path.is_dir() else [path]
        for file in files:
            check_regular(file)
        stamp = _stamp(path, files)
        known = _known(path, stamp)
        return known or _remember(path, stamp, _folder_checksum(path, files) if path.is_dir() else sha256(path))
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror or error}", "a file that this user may read",
                         "check the path and its permissions") from error


def check_regular(path: Path) -> None:
    """Devices and pipes have no end, and no content to come back to. Raises :class:`InputError` for them."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path} is a device or a pipe", "a regular file", "write it to a file first")


def total_bytes(path: PathLike) -> int:
    """Size of a file, or of all files in a folder."""
    path = Path(path)
    return sum(file.stat().st_size for file in (_files_below(path) if path.is_dir() else [path]))


def _files_below(folder: Path) -> List[Path]:
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for here, folders, files in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not is_passing(name)]
        yield from (Path(here, name) for name in files if not is_passing(name))


def _folder_checksum(folder: Path, files: List[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(b"%s\0%d\0%s\n" % (os.fsencode(file.relative_to(folder)), file.stat().st_size, sha256(file).encode()))
    return digest.hexdigest()


# --------------------------- the cache -------------------------------------
def _stamp(path: Path, files: List[Path]) -> Tuple[int, str]:
    """Bytes in all, and a digest of what the disk knows of the files; none while one of them is too fresh to be sure."""
    digest, total, latest = hashlib.sha256(os.fsencode(path.absolute())), 0, 0.0
    for file in files:
        status = file.stat()
        total, latest = total + status.st_size, max(latest, status.st_mtime, status.st_ctime)
        digest.update(f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}\n".encode())
    return total, digest.hexdigest() if time.time() - latest > SETTLED_SECONDS else ""


def _cache_file(path: Path) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base, "cryoetseg", "checksums", hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32] + ".json")


def _known(path: Path, stamp: Tuple[int, str]) -> str:
    if stamp[0] < LARGE or not stamp[1]:
        return ""
    try:
        content = json.loads(_cache_file(path).read_text(encoding="utf-8"))
        return str(content["sha256"]) if content["stamp"] == stamp[1] else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _remember(path: Path, stamp: Tuple[int, str], found: str) -> str:
    """Keep a checksum for the next time, unless the file was changed while it was read; a cache that cannot be written is no error."""
    if stamp[0] < LARGE or not stamp[1]:
        return found
    try:
        if _stamp(path, _files_below(path) if path.is_dir() else [path]) == stamp:
            target = _cache_file(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            part = make_part(target)
            part.write_text(json.dumps({"stamp": stamp[1], "sha256": found}), encoding="utf-8")
            os.replace(part, target)
    except OSError as error:
        logger.debug("checksum of %s is not kept: %s", path, error)
    return found
