"""The one training loop of all methods.

All randomness is a fixed function of seed and step, so a training that was killed and resumed gives, on a processor, the
weights of an uninterrupted one bit for bit. In ``output_folder``: ``last.safetensors`` (everything needed to go on),
``best.safetensors`` (weights at the best validation), ``metrics.csv`` and ``training_curve.png``.
"""
from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from accelerate.utils import send_to_device
from torch import Tensor

from ..runtime.errors import ParameterError
from ..runtime.progress import track
from ..runtime.seeds import numpy_generator, stream_seed
from ..runtime.temporary import remove_parts
from .checkpoint import load_weights, read_latest, write_checkpoint
from .data_record import DATA, check_same_data, current_data
from .interruption import Interruption
from .log import TrainingLog
from .params import FREE_ON_RESUME, TrainingParameters
from .precision import named, products_of
from .processes import Processes
from .sampling import BatchPlaces, EndlessOrder, batches
from .state import TrainingState
from .task import Networks, TrainingTask
from .update import Updater
from .writer import CheckpointWriter

logger = logging.getLogger(__name__)
LAST, BEST = "last.safetensors", "best.safetensors"
READ_EVERY = 10  # steps


class Unread(NamedTuple):
    """A step whose outcome is still on the device: ``values`` are whether it was finite, whether to stop, and the metrics."""

    number: int
    epoch: int
    learning_rate: float
    metrics: list[str]
    values: Tensor


@dataclass(frozen=True)
class TrainingOutcome:
    """How a training ended. ``best`` is ``last`` where nothing was validated; ``ended_by`` a time limit may be resumed."""

    folder: Path
    steps: int
    epochs: float
    ended_by: Literal["length", "time limit"]
    best_step: int
    best_value: float | None
    skipped_steps: int
    rows: list[dict[str, float]]
    arithmetic: str

    @property
    def last(self) -> Path:
        """The checkpoint from which training goes on."""
        return self.folder / LAST

    @property
    def best(self) -> Path:
        """The weights to use."""
        return self.folder / BEST if (self.folder / BEST).exists() else self.last

    def load_best(self, networks: Networks) -> None:
        """Put the best weights (running averages where kept) into ``networks``."""
        load_weights(self.best, networks)

    def record(self) -> dict[str, Any]:
        """What a model card says of the training."""
        latest = {name: value for row in self.rows for name, value in row.items()}
        return {"steps": self.steps, "epochs": round(self.epochs, 3), "ended_by": self.ended_by, "best_step": self.best_step,
                "best_value": self.best_value, "skipped_steps": self.skipped_steps, "arithmetic": self.arithmetic, "last_metrics": latest}


def reads_every(device: torch.device) -> int:
    """After how many steps ``device`` is asked what came out of them: a GPU asked at each would then wait to be told the next one."""
    return READ_EVERY if device.type == "cuda" else 1


def train(task: TrainingTask, parameters: TrainingParameters, output_folder: str | Path, seed: int = 0,
          device: str = "auto") -> TrainingOutcome:
    """Train ``task`` or go on with the training found in ``output_folder``.

    Raises ``ParameterError`` when the folder holds a training with other settings, ``TrainingError`` when the loss stays
    non-finite, ``OutputError`` when the folder cannot be written. SIGTERM and SIGINT end it after a checkpoint.
    Under ``accelerate launch`` every process calls this; the networks of all end equal, the first writes the files.
    """
    # dropout draws from torch's global stream, which is seeded for each step and given back as it was
    with torch.random.fork_rng(range(torch.cuda.device_count())), products_of(parameters.precision), \
            Interruption() as interruption, CheckpointWriter() as writer:
        return _Training(task, parameters, Path(output_folder), seed, Processes(device), interruption, writer).run()


class _Training:
    def __init__(self, task: TrainingTask, parameters: TrainingParameters, folder: Path, seed: int, processes: Processes,
                 interruption: Interruption, writer: CheckpointWriter) -> None:
        processes.check_batch(parameters.batch_size, task.smallest_batch, task.parts)
        self.task, self.parameters, self.folder, self.seed = task, parameters, folder, seed
        self.processes, self.interruption, self.writer = processes, interruption, writer
        self.order = EndlessOrder(task, seed)
        self.updater = Updater(task, parameters, seed, processes)
        self.state = TrainingState(task, self.updater, TrainingLog(folder if processes.is_main else None, parameters.log_interval))
        self.started = time.monotonic()
        self.unread: list[Unread] = []
        self.stopping = False

    @property
    def total(self) -> int:
        """Steps of the whole training."""
        return self.parameters.iterations or math.ceil(self.parameters.epochs * self.order.items / self.parameters.batch_size)

    def run(self) -> TrainingOutcome:
        first = self._resume()
        ended_by: Literal["length", "time limit"] = "length"
        for _ in track(self._steps(), "training", total=self.total - self.state.step):
            done = self.state.step == self.total
            self._record(done)
            if self.stopping and not done:
                ended_by = "time limit"
                break
        if self.state.step > first:
            self._save()
            self.writer.finish()
            self.state.log.finish(self.state.step, self._epoch(self.state.step - 1), self.updater.learning_rate)
        self.processes.wait()
        return self._outcome(ended_by)

    def _steps(self) -> Iterator[None]:
        """Take steps until the end; after a return to the last checkpoint the data go back too."""
        while self.state.step < self.total:
            places = BatchPlaces(self.order, self.parameters.batch_size, self.state.step, self.total, self.processes.index,
                                 self.processes.count)
            workers = self.parameters.workers or self.processes.helpers()
            for batch in batches(self.task, self.seed, places, workers, pinned=self.processes.device.type == "cuda"):
                self._step(batch)
                if self._read() == "restore":
                    self._go_back()
                    break
                yield None

    def _step(self, batch: Mapping[str, Any]) -> None:
        step = self.state.step
        epoch = self._epoch(step)
        self.updater.set_rates(epoch if not self.parameters.iterations else step,
                               self.parameters.epochs if not self.parameters.iterations else self.total)
        torch.manual_seed(stream_seed(self.seed, "dropout", step, self.processes.index))
        gathered = self.task.gather(send_to_device(batch, self.processes.device, non_blocking=True))
        metrics, finite = self.updater.step(gathered, step, epoch)
        stop = torch.full((), float(self._wants_to_stop()), device=self.processes.device)
        values = self.processes.average(torch.stack([finite.float(), stop, *metrics.values()]))
        self.unread.append(Unread(step, epoch, self.updater.learning_rate, list(metrics), values))
        self.state.step += 1

    def _read(self) -> Literal["go on", "restore"]:
        """Read what came out of the steps since the last reading, where it is time, and judge them in their order."""
        if not self._time_to_read():
            return "go on"
        read, self.unread = self.unread, []
        rows = torch.cat([step.values for step in read]).tolist()
        for step in read:
            (finite, stop, *metrics), rows = rows[:len(step.values)], rows[len(step.values):]
            self.stopping = self.stopping or stop > 0  # the mean of all processes: all stop at the same step or none does
            if finite == 1:
                named = dict(zip(step.metrics, metrics))
                self.state.log.add(step.number + 1, step.epoch, step.learning_rate, named)
                self.task.noted(named)
            if self.updater.guard.judge(finite == 1, step.number) == "restore":
                return "restore"
        return "go on"

    def _time_to_read(self) -> bool:
        """Now and then, and always before something is made of the weights."""
        p = self.parameters
        used = self.state.step == self.total or self._due(p.validation_interval) or self._due(p.checkpoint_interval)
        return used or self.state.step % reads_every(self.processes.device) == 0

    def _record(self, done: bool) -> None:
        if done:
            self.state.log.flush(self.state.step, self._epoch(self.state.step - 1), self.updater.learning_rate)
        if done or self._due(self.parameters.validation_interval):
            self._validate()
        if self._due(self.parameters.checkpoint_interval) and not done:
            self._save()

    def _due(self, interval: int) -> bool:
        step = self.state.step
        return step % interval == 0 if interval else self._epoch(step) > self._epoch(step - 1)

    def _validate(self) -> None:
        step = self.state.step
        metrics = self.updater.validate(numpy_generator(self.seed, "validation", step))
        if metrics and self.state.is_best(metrics) and self.processes.is_main:
            write_checkpoint(self.folder / BEST, self.state.weights())
        if metrics:
            self.state.log.add_validation(step, self._epoch(step), metrics)

    def _save(self) -> None:
        # weights that are about to be given up must not replace the ones to go back to
        if self.processes.is_main and self.updater.is_sound():
            self.writer.take(self.folder / LAST, self.state.checkpoint(self._fingerprint()))

    def _resume(self) -> int:
        checkpoint = read_latest(self.folder / LAST)
        self.processes.wait()  # all have looked before the first one writes
        if self.processes.is_main:
            remove_parts(self.folder)
        if checkpoint is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._save()
            self.writer.finish()  # a folder that cannot be written is told at once
        else:
            self._check_same_training(checkpoint.record["training"])
            self.state.load(checkpoint)
            logger.info("going on with the training in %s at step %d", self.folder, self.state.step)
        self.processes.share_weights(self.task.networks.values())
        return self.state.step

    def _go_back(self) -> None:
        self.writer.finish()
        self.processes.wait()
        checkpoint = read_latest(self.folder / LAST)
        if checkpoint is not None:
            guard = self.updater.guard.state()
            self.state.load(checkpoint)
            self.updater.guard.load(guard)  # keeps the halved learning rate and the count of returns

    def _fingerprint(self) -> dict[str, Any]:
        """What must be equal for two runs to be one training."""
        settings = {name: value for name, value in self.parameters.model_dump().items() if name not in FREE_ON_RESUME}
        origin = {"start": self.task.origin} if self.task.origin else {}
        return {"task": type(self.task).__name__, "seed": self.seed, "items": self.order.items, DATA: current_data(), **origin, **settings}

    def _check_same_training(self, recorded: Mapping[str, Any]) -> None:
        now = self._fingerprint()
        changed = [f"{name} {recorded.get(name)!r} -> {now.get(name)!r}" for name in {**recorded, **now}
                   if name != DATA and recorded.get(name) != now.get(name)]
        if changed:
            raise ParameterError(f"{self.folder} holds a training with other settings ({'; '.join(changed)})",
                                 "the same settings, or an empty folder", "choose another output folder to start anew")
        check_same_data(self.folder, recorded.get(DATA), now[DATA])

    def _wants_to_stop(self) -> bool:
        """Whether this process has run out of time or been told to end."""
        limit = self.parameters.minutes
        late = limit > 0 and time.monotonic() - self.started > 60 * limit
        return late or self.interruption.received is not None

    def _epoch(self, step: int) -> int:
        return step * self.parameters.batch_size // self.order.items

    def _outcome(self, ended_by: Literal["length", "time limit"]) -> TrainingOutcome:
        state = self.state
        return TrainingOutcome(self.folder, state.step, state.step * self.parameters.batch_size / self.order.items, ended_by,
                               state.best_step if state.best_value is not None else state.step, state.best_value,
                               self.updater.guard.skipped, state.log.rows, named(self.parameters.precision, self.processes.device))
