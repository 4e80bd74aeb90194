"""Writes checkpoints while the training goes on."""
from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from types import TracebackType

from .checkpoint import Checkpoint, write_checkpoint

SECONDS_BETWEEN_WRITES = 10.0  # what a kill may cost beside the steps since the last checkpoint


class CheckpointWriter:
    """Takes checkpoints, which are copies, and writes them in a thread of its own, at most one at a time.

    Of several that come within :data:`SECONDS_BETWEEN_WRITES` the last one alone is written; :meth:`finish` leaves the last one on disk.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._running: Future[None] | None = None
        self._waiting: tuple[Path, Checkpoint] | None = None
        self._written = -float("inf")

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._thread.shutdown(wait=True)
        if error is None:
            self.finish()

    def take(self, path: Path, checkpoint: Checkpoint) -> None:
        """Write ``checkpoint`` soon, in place of one that still waits. Raises ``OutputError`` when an earlier one could not be written."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            self._collect()
            # who may write is known to the context of a run, which a thread has not by itself
            self._running = self._thread.submit(copy_context().run, write_checkpoint, path, checkpoint)
            self._waiting, self._written = None, time.monotonic()
        else:
            self._waiting = path, checkpoint

    def finish(self) -> None:
        """Return when the last checkpoint is on disk; raises ``OutputError`` when it, or an earlier one, could not be written."""
        self._collect()
        if self._waiting is not None:
            write_checkpoint(*self._waiting)
            self._waiting, self._written = None, time.monotonic()

    def _collect(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()
