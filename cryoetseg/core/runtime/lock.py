"""One run a folder: a lock that a killed run does not leave behind, across processes and, by the file server, across machines."""
from __future__ import annotations

import errno
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import FolderBusyError
from .files import not_written
from .temporary import LOCK, LOCK_HOLDER, is_running

BEAT_SECONDS = 20.0  # how often a holder says that it lives, where the disk knows no locks
STALE_SECONDS = 180.0
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
_held: set[tuple[int, int]] = set()  # POSIX locks do not keep a process from locking twice


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder``, which is made when missing, and removed again when nothing came into it.

    Raises :class:`FolderBusyError` at once when another run holds it, ``OutputError`` when the folder cannot be written.
    """
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(folder / LOCK)
    except OSError as error:
        raise not_written(folder, error) from error
    try:
        yield
    finally:
        _release(folder / LOCK, descriptor)
        if new:
            with suppress(OSError):
                folder.rmdir()


def _opened(path: Path) -> int:
    """The locked file; tried again when its last holder removed it between opening and locking."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            identity = _identity(os.fstat(descriptor))
            if identity in _held:
                raise _busy(path, _holder(descriptor))
            _take(path, descriptor)
            if path.exists() and _identity(path.stat()) == identity:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
                _held.add(identity)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        _stop_beating(path)
        os.close(descriptor)


def _take(path: Path, descriptor: int) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise _busy(path, _holder(descriptor)) from error
        if error.errno not in NO_LOCKS:
            raise
        _take_by_name(path)


def _release(path: Path, descriptor: int) -> None:
    # removed while it is locked: who opened it meanwhile sees that the name is gone and opens anew
    identity = _identity(os.fstat(descriptor))
    _stop_beating(path)
    with suppress(OSError):
        if _identity(path.stat()) == identity:
            path.unlink()
    _held.discard(identity)
    os.close(descriptor)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _holder(descriptor: int) -> str:
    return os.pread(descriptor, 200, 0).decode(errors="replace").strip()


def _busy(path: Path, holder: str) -> FolderBusyError:
    machine, _, process = holder.partition(" ")
    who = f" (process {process} on {machine})" if process else ""
    return FolderBusyError(f"another run{who} is working in {path.parent}", "one run a folder at a time",
                           "wait for it to end, or choose another output folder")


# --------------------------- disks without locks ---------------------------
_beating: dict[Path, threading.Event] = {}


def _take_by_name(path: Path) -> None:
    """A second file that exists as long as its holder lives, touched by it now and then."""
    mark = path.with_name(LOCK_HOLDER)
    for _ in range(2):
        try:
            descriptor = os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o666)
        except FileExistsError:
            holder = mark.read_text(errors="replace").strip() if mark.exists() else ""
            if not _is_stale(path, mark, holder):
                raise _busy(path, holder) from None
            mark.unlink(missing_ok=True)
            continue
        os.write(descriptor, f"{socket.gethostname()} {os.getpid()}\n".encode())
        os.close(descriptor)
        _beat(path, mark)
        return
    raise _busy(path, "")


def _is_stale(path: Path, mark: Path, holder: str) -> bool:
    machine, _, process = holder.partition(" ")
    if machine == socket.gethostname() and process.isdigit():
        return not is_running(int(process))
    os.utime(path)  # the file server's clock, not ours, says how old the mark is
    return path.stat().st_mtime - mark.stat().st_mtime > STALE_SECONDS


def _beat(path: Path, mark: Path) -> None:
    end = _beating[path] = threading.Event()

    def touch() -> None:
        while not end.wait(BEAT_SECONDS):
            with suppress(OSError):
                os.utime(mark)

    threading.Thread(target=touch, daemon=True, name="folder lock").start()


def _stop_beating(path: Path) -> None:
    end = _beating.pop(path, None)
    if end is not None:
        end.set()
        with suppress(OSError):
            path.with_name(LOCK_HOLDER).unlink()
