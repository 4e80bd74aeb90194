"""Temporary names: random, made exclusively, beside what they become; what killed writers left is told apart from what living ones write.

Imported by Scipion's own interpreter: valid Python 3.8.
"""
import ctypes
import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from functools import lru_cache
from pathlib import Path
from typing import Union

PathLike = Union[str, "os.PathLike[str]"]
LONGEST_STEM, LONGEST_SUFFIX = 80, 16  # bytes and characters, so that the whole stays below the 255 bytes of a file name
PART = re.compile(r"\.(?:([0-9a-f]{8})-)?(\d+)(?:-[0-9a-f]{8})?\.(part|old)(\.[^./]*)?$")
LOCK, LOCK_HOLDER = ".lock", ".lock.held"  # of a folder that a run works in
ABANDONED_SECONDS = 2 * 24 * 3600.0  # after which a writer on another machine is taken for dead
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def part_name(target: PathLike, kind: str = "part") -> Path:
    """A name beside ``target`` that nothing has: its beginning, machine, process, chance, and the suffix, by which writers go."""
    target = Path(target)
    stem = os.fsdecode(os.fsencode(target.stem)[:LONGEST_STEM])
    suffix = target.suffix if len(target.suffix) <= LONGEST_SUFFIX else ""
    return target.with_name(f".{stem}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.{kind}{suffix}")


def make_part(target: PathLike) -> Path:
    """An empty file under a new name beside ``target``, opened exclusively: nobody else's file and no link is ever written through."""
    part = part_name(target)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o666))
    return part


def is_part(name: str) -> bool:
    """Whether a file name is one of those given here."""
    return name.startswith(".") and PART.search(name) is not None


def is_passing(name: str) -> bool:
    """Whether a file is there only while someone works: temporary, or a lock."""
    return is_part(name) or name in (LOCK, LOCK_HOLDER)


def remove_parts(folder: PathLike, *, alone: bool = False, stop_at: str = "") -> None:
    """Remove what killed writers left below ``folder``; folders that they had set aside go back where nothing took their place.

    What a living process of this machine writes stays, and what another machine began within two days, unless the caller knows that
    nobody else writes there (``alone``). Folders that hold a file called ``stop_at`` are somebody else's and left out.
    """
    for here, folders, files in os.walk(folder):
        if stop_at and here != os.fspath(folder) and stop_at in files:
            folders[:] = []
            continue
        parts = [name for name in files + folders if is_part(name)]
        folders[:] = [name for name in folders if not is_part(name)]
        for name in parts:
            path = Path(here, name)
            if not _is_being_written(path, alone):
                recover(path) if path.is_dir() else path.unlink()


def recover(aside: Path) -> None:
    """A folder under a temporary name goes: back to its place if it was set aside and nothing took it, else away."""
    target = _set_aside_from(aside)
    if target is not None and not os.path.lexists(target):
        os.replace(aside, target)
    else:
        shutil.rmtree(aside, ignore_errors=True)


def restore(target: PathLike) -> None:
    """Put back a folder that a killed process had set aside for its successor; does nothing where ``target`` exists."""
    target = Path(target)
    if os.path.lexists(target) or not target.parent.is_dir():
        return
    for entry in sorted(target.parent.iterdir()):
        if _set_aside_from(entry) == target and not _is_being_written(entry, False):
            recover(entry)


def put_in_place(part: Path, target: Path) -> None:
    """Rename the folder ``part`` to ``target``; an earlier folder is exchanged in one step, so that no moment is without one.

    Where the disk cannot exchange, the earlier one steps aside under a name from which :func:`restore` finds it.
    """
    if not os.path.lexists(target):
        os.replace(part, target)
    elif _exchange(part, target):
        shutil.rmtree(part)
    else:
        aside = _aside_name(target)
        os.replace(target, aside)
        try:
            os.replace(part, target)
        except OSError:
            os.replace(aside, target)
            raise
        shutil.rmtree(aside)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names at once (Linux, most local disks); False where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if os.name == "posix" else None
    if rename is None or second.is_symlink():
        return False
    done = rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE)
    if done != 0 and ctypes.get_errno() not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done == 0


def _aside_name(target: Path) -> Path:
    """Unlike other temporary names it holds the whole name, which has to be found again; too long a name cannot step aside."""
    return target.with_name(f".{target.name}.{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.old")


def _set_aside_from(path: Path) -> "Path | None":
    found = PART.search(path.name)
    return path.with_name(path.name[1:found.start()]) if found and found.group(3) == "old" and path.name.startswith(".") else None


def _is_being_written(path: Path, alone: bool) -> bool:
    found = PART.search(path.name)
    machine, process = (found.group(1), int(found.group(2))) if found else (None, 0)
    if machine in (None, _machine()):
        return is_running(process)
    try:
        return not alone and time.time() - path.lstat().st_mtime < ABANDONED_SECONDS
    except OSError:  # it is gone already
        return True


def is_running(process: int) -> bool:
    """Whether a process of this number runs on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # someone else's
        return True
    return True


@lru_cache(maxsize=None)
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
