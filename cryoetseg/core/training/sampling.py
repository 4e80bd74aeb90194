"""Which items make up which batch: a fixed function of seed and step, so the position in the data needs no saving.

The epochs are laid end to end and cut into whole batches; a batch may straddle two epochs, none is smaller than asked for.
"""
from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from ..runtime.errors import InputError
from ..runtime.seeds import numpy_generator
from .task import TrainingTask

logger = logging.getLogger(__name__)
SHARED_MEMORY = Path("/dev/shm")  # through which workers hand over their items; containers give it 64 MB, some less
BATCHES_AHEAD = 2  # that torch lets each worker keep ready
OTHER_BYTES = 1024**2  # semaphores, and pages that are not filled


class Place(NamedTuple):
    """The ``position``-th item of an epoch."""

    epoch: int
    position: int
    item: int


class EndlessOrder:
    """The items of all epochs, end to end, in the task's order."""

    def __init__(self, task: TrainingTask, seed: int) -> None:
        self._task, self._seed = task, seed
        self.items = task.items()
        if self.items < 1:
            raise InputError("there are no training items", "at least one", "check the labels and the training region")
        self._orders: dict[int, np.ndarray] = {}

    def place(self, number: int) -> Place:
        """The ``number``-th item since the start of the training."""
        epoch, position = divmod(number, self.items)
        return Place(epoch, position, int(self._order(epoch)[position]))

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            order = np.asarray(self._task.order(epoch, numpy_generator(self._seed, "order", epoch)))
            if len(order) != self.items:
                raise ValueError(f"the order of an epoch has {len(order)} places for {self.items} items")
            self._orders = {key: value for key, value in self._orders.items() if key >= epoch - 1} | {epoch: order}
        return self._orders[epoch]


class BatchPlaces(Sampler[list[Place]]):
    """The places of this process's rows of each global batch, from step ``first`` on."""

    def __init__(self, order: EndlessOrder, batch_size: int, first: int, last: int, process: int, processes: int) -> None:
        self._order, self._batch_size = order, batch_size
        self._steps = range(first, last)
        own = batch_size // processes
        self._rows = range(process * own, (process + 1) * own)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Place]]:
        for step in self._steps:
            yield [self._order.place(step * self._batch_size + row) for row in self._rows]


class TaskItems(Dataset[Mapping[str, Any]]):
    """What the task draws for its items, by place; each gets its own generator, whichever process or worker makes it."""

    def __init__(self, task: TrainingTask, seed: int) -> None:
        self._task, self._seed = task, seed

    def __getitem__(self, place: Place) -> Mapping[str, Any]:
        return self._task.place(place.item, numpy_generator(self._seed, "item", place.epoch, place.position))


def batches(task: TrainingTask, seed: int, places: BatchPlaces, workers: int, pinned: bool = False) -> Iterator[Mapping[str, Any]]:
    """Stacked items, batch by batch; made by this process where shared memory has no room for those of ``workers``.

    In ``pinned`` memory they reach a GPU while it computes.
    """
    items = TaskItems(task, seed)
    if workers and not _have_room(items, places, workers):
        logger.warning("warning: %s is too small for %d worker processes; items are prepared without them. Give the container more "
                       "(docker --shm-size), or take --workers 0", SHARED_MEMORY, workers)
        workers = 0
    # the loader draws a base seed for its workers: from a generator of its own, not from the global stream
    loader = DataLoader(items, batch_sampler=places, num_workers=workers, pin_memory=pinned,
                        generator=torch.Generator().manual_seed(seed))
    return iter(loader)


def _have_room(items: TaskItems, places: BatchPlaces, workers: int) -> bool:
    """Whether the batches that workers keep ready fit into what shared memory has free; without room torch dies by a bus error."""
    batch = next(iter(places), [])
    if not batch or not SHARED_MEMORY.is_dir():
        return True
    item = sum(np.asarray(value).nbytes for value in items[batch[0]].values())
    return shutil.disk_usage(SHARED_MEMORY).free >= item * len(batch) * workers * BATCHES_AHEAD + OTHER_BYTES
