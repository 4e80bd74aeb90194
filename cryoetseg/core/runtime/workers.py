"""Doing many like tasks in several processes of this machine, each task by one core."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

import psutil
import torch

from .errors import JobError

Task = TypeVar("Task")
Answer = TypeVar("Answer")


def in_processes(function: Callable[[Task], Answer], tasks: Sequence[Task], processes: int) -> Iterator[Answer]:
    """What ``function`` gives for each of ``tasks``, in their order; with more than one of ``processes`` it must be importable.

    However many they are, each task is done by one thread, so that torch adds in one order and results do not depend on cores. An
    error ends it: what no process has begun is not begun any more. Raises :class:`JobError` when a process is killed.
    """
    if min(processes, len(tasks)) <= 1:
        for task in tasks:
            with _one_thread():
                answer = function(task)
            yield answer
        return
    # spawned: forked children of a threaded torch may hang
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=get_context("spawn"), initializer=_start) as pool:
        try:
            yield from pool.map(function, tasks)
        except BrokenProcessPool as error:
            raise JobError("a process of this run ended without a word: it was killed, perhaps because memory ran out",
                           "memory for all processes", "run it again with fewer --processes; what is done is kept") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def processes_that_fit(wanted: int, bytes_each: float) -> int:
    """``wanted`` processes, or with 0 as many as there are usable cores and free memory for, at ``bytes_each``."""
    if wanted:
        return wanted
    return max(1, min(usable_cores(), int(psutil.virtual_memory().available / bytes_each)))


def usable_cores() -> int:
    """Cores that this program may use: those that torch takes, which OMP_NUM_THREADS, a queue and Scipion's form limit."""
    return torch.get_num_threads()


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _start() -> None:
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for its next task for ever, or write beside the run that comes after."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
