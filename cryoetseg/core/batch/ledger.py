"""Who has which job of a batch: attempts as small files, so that any number of workers on any machines agree without a server.

An attempt begins by creating ``NUMBER.ATTEMPT.claim``, which the file system lets one process do only, and ends with
``NUMBER.ATTEMPT.<outcome>.json`` beside it. A claim is locked as long as its worker or the job's program lives: processes on the same
machine see at once when both are gone. From other machines it counts as lost when its time has not been renewed for a while.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

from ..runtime.errors import OutputError
from ..runtime.files import read_json, write_json

STATE_FOLDER, CANCELLED = "state", "cancelled"
DONE, FAILED, DIED, STOPPED = "done", "failed", "died", "stopped"
OUTCOMES = (DONE, FAILED, DIED, STOPPED)
CLAIM, AGAIN = "claim", "again"
BEAT_SECONDS, SILENT_SECONDS = 30.0, 300.0  # a claim is renewed so often; one that was not for so long is lost


@dataclass
class Attempts:
    """What is on disk about one job: its latest attempt and how that ended, and how many in a row lost their worker or program."""

    latest: int = 0
    outcome: Optional[str] = None  # of the latest attempt; None while it has none
    forgiven: int = 0  # attempts up to this one no longer count
    ended: dict[int, str] = field(default_factory=dict)

    @property
    def deaths(self) -> int:
        """Attempts that count and were neither ended by the job itself nor stopped from outside; the latest counts when it has ended."""
        last = self.latest if self.outcome else self.latest - 1
        return sum(self.ended.get(number, DIED) == DIED for number in range(self.forgiven + 1, last + 1))


class Claim:
    """One attempt of this process at a job; locked until :meth:`end` and all processes that inherit ``descriptor`` are gone."""

    def __init__(self, ledger: Ledger, number: int, attempt: int, descriptor: int) -> None:
        self.number, self.attempt, self.descriptor = number, attempt, descriptor
        self._ledger, self._renewed, self._ended = ledger, time.monotonic(), False

    def renew(self) -> None:
        """Tell other machines that this attempt lives; cheap enough to be called all the time."""
        if time.monotonic() - self._renewed > BEAT_SECONDS:
            os.utime(self._ledger.path(self.number, self.attempt, CLAIM))
            self._renewed = time.monotonic()

    def end(self, outcome: str, **details: Any) -> None:
        """Record how the attempt ended and give up the lock; what is told first stays."""
        if self._ended:
            return
        self._ended = True
        try:
            write_json(self._ledger.path(self.number, self.attempt, f"{outcome}.json"), {"outcome": outcome, **details})
        finally:
            os.close(self.descriptor)


class Ledger:
    """The attempts of a batch below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._batch = folder
        self._folder = folder / STATE_FOLDER

    def path(self, number: int, attempt: int, kind: str) -> Path:
        """The file that holds ``kind`` of an attempt."""
        return self._folder / f"{number:05d}.{attempt}.{kind}"

    def attempts(self) -> dict[int, Attempts]:
        """All jobs that anybody tried, from one look at the folder."""
        found: dict[int, Attempts] = defaultdict(Attempts)
        for number, attempt, kind in self._files():
            job = found[number]
            job.latest = max(job.latest, attempt)
            if kind == AGAIN:
                job.forgiven = max(job.forgiven, attempt)
            elif kind in OUTCOMES:
                job.ended[attempt] = kind
        for job in found.values():
            job.outcome = job.ended.get(job.latest)
        return found

    def _files(self) -> Iterator[tuple[int, int, str]]:
        if not self._folder.is_dir():
            return
        with os.scandir(self._folder) as entries:
            for entry in entries:
                number, _, rest = entry.name.partition(".")
                attempt, _, kind = rest.partition(".")
                if number.isdigit() and attempt.isdigit():
                    yield int(number), int(attempt), kind.removesuffix(".json")

    def claim(self, number: int, attempt: int) -> Optional[Claim]:
        """Take the attempt, or None when another worker has it. Raises :class:`OutputError` where nothing can be written."""
        path = self.path(number, attempt, CLAIM)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
            except FileExistsError:
                return None
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}", "a batch folder that can be written", "free space there") from error
        _lock(descriptor)
        # only now the file is not empty: who finds it unlocked before knows from this that it is new, not lost
        os.write(descriptor, json.dumps(_this_process()).encode())
        return Claim(self, number, attempt, descriptor)

    def is_lost(self, number: int, attempt: int) -> bool:
        """Whether the worker and the program of an attempt that has not ended are gone."""
        path = self.path(number, attempt, CLAIM)
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            owner = _owner(descriptor)
            same_machine = owner is not None and owner.get("machine") == machine()
            locked = _is_locked(descriptor) if same_machine else None
            if locked is None:
                locked = self._now() - os.fstat(descriptor).st_mtime <= SILENT_SECONDS
            return not locked and self._has_no_outcome(number, attempt)
        finally:
            os.close(descriptor)

    def _has_no_outcome(self, number: int, attempt: int) -> bool:
        """Looked up after the lock was found free: the outcome is written before it is given up."""
        return not any(self.path(number, attempt, f"{outcome}.json").exists() for outcome in OUTCOMES)

    def _now(self) -> float:
        """The time by the clock that stamps these files, which need not be this machine's."""
        probe = self._folder / f".clock.{os.getpid()}"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink(missing_ok=True)

    def owner(self, number: int, attempt: int) -> dict[str, Any]:
        """Host, process, queue job and start time of an attempt."""
        with self.path(number, attempt, CLAIM).open("rb") as stream:
            return _owner(stream.fileno()) or {}

    def outcome(self, number: int, attempt: int, outcome: str) -> dict[str, Any]:
        """How an attempt ended: exit code, seconds, last message."""
        return read_json(self.path(number, attempt, f"{outcome}.json"))

    def forgive(self, number: int, attempt: int) -> None:
        """Let the job be tried again, whatever happened up to this attempt."""
        write_json(self.path(number, attempt, AGAIN), {"time": time.time()})

    def cancel(self) -> None:
        """Tell all workers to stop what they do and take nothing more."""
        write_json(self._batch / CANCELLED, {"time": time.time()})

    def resume(self) -> None:
        """Take back :meth:`cancel`."""
        (self._batch / CANCELLED).unlink(missing_ok=True)

    def is_cancelled(self) -> bool:
        """Whether :meth:`cancel` was called last."""
        return (self._batch / CANCELLED).exists()


@lru_cache(maxsize=1)
def machine() -> str:
    """A name that two processes share only when they see the same locks: host, its start and the space of process numbers."""
    parts = [socket.gethostname()]
    for path, read in (("/proc/sys/kernel/random/boot_id", lambda p: Path(p).read_text().strip()), ("/proc/self/ns/pid", os.readlink)):
        try:
            parts.append(read(path))
        except OSError:  # no Linux
            continue
    return " ".join(parts)


def _this_process() -> dict[str, Any]:
    queue_job = next((os.environ[name] for name in ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID") if os.environ.get(name)), "")
    return {"machine": machine(), "host": socket.gethostname(), "pid": os.getpid(), "queue_job": queue_job, "time": time.time()}


def _owner(descriptor: int) -> Optional[dict[str, Any]]:
    content = os.pread(descriptor, 4096, 0)
    try:
        return dict(json.loads(content))
    except ValueError:  # created a moment ago, or the disk was full
        return None


def _lock(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a file system without locks: renewed times tell who lives
        return


def _is_locked(descriptor: int) -> Optional[bool]:
    """Whether another process holds the exclusive lock; None where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
