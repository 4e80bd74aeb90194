"""All that a training is at one moment: packed into a checkpoint and taken back from it."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .checkpoint import Checkpoint, grouped, load_optimiser, load_state, optimiser_state
from .log import TrainingLog
from .task import TrainingTask
from .update import Updater


class TrainingState:
    """Steps done, best validation so far, and the parts that have a state of their own."""

    def __init__(self, task: TrainingTask, updater: Updater, log: TrainingLog) -> None:
        self.task, self.updater, self.log = task, updater, log
        self.step = 0
        self.best_step = 0
        self.best_value: float | None = None

    def is_best(self, metrics: Mapping[str, float]) -> bool:
        """Whether these validation metrics are the best so far; remembers them if so."""
        name, direction = self.task.selection
        if name not in metrics:
            raise KeyError(f"the task selects by '{name}', its validation gives {sorted(metrics)}")
        value = float(metrics[name])
        first = self.best_value is None and math.isfinite(value)  # a NaN taken as the best would never be beaten
        better = first or (self.best_value is not None and (value < self.best_value if direction == "min" else value > self.best_value))
        if better:
            self.best_step, self.best_value = self.step, value
        return better

    def weights(self) -> Checkpoint:
        """The weights alone, averaged where averages are kept: what a user of the model needs."""
        averages = {name: average.module for name, average in self.updater.averages.items()}
        tensors: dict[str, Tensor] = {}
        for name, network in {**self.task.networks, **averages}.items():
            tensors.update(grouped(f"networks/{name}", network.state_dict()))
        return Checkpoint(tensors, {"step": self.step, "selection": list(self.task.selection), "value": self.best_value})

    def checkpoint(self, fingerprint: dict[str, Any]) -> Checkpoint:
        """Everything needed to go on as if nothing had happened."""
        updater = self.updater
        tensors = grouped("task", self.task.state())
        for name, network in self.task.networks.items():
            tensors.update(grouped(f"networks/{name}", network.state_dict()))
        for name, average in updater.averages.items():
            tensors.update(grouped(f"averages/{name}", average.module.state_dict()))
        optimisers = {}
        for name, optimiser in updater.optimisers.items():
            state, optimisers[name] = optimiser_state(f"optimisers/{name}", optimiser)
            tensors.update(state)
        counts = {name: int(average.updates) for name, average in updater.averages.items()}
        record = {"training": fingerprint, "step": self.step, "best_step": self.best_step, "best_value": self.best_value,
                  "optimisers": optimisers, "averaged": counts, "scaler": updater.scaler.state_dict(),
                  "guard": updater.guard.state(), "log": self.log.state()}
        return Checkpoint(tensors, record)

    def load(self, checkpoint: Checkpoint) -> None:
        """Take back what :meth:`checkpoint` gave; raises ``WeightsError`` when the networks have changed."""
        record, updater = checkpoint.record, self.updater
        for name, network in self.task.networks.items():
            load_state(network, checkpoint.group(f"networks/{name}"), "the checkpoint")
        for name, average in updater.averages.items():
            load_state(average.module, checkpoint.group(f"averages/{name}"), "the checkpoint")
            average.updates.fill_(record["averaged"][name])
        for name, optimiser in updater.optimisers.items():
            load_optimiser(optimiser, checkpoint.group(f"optimisers/{name}"), record["optimisers"][name])
        self.task.restore(checkpoint.group("task"))
        updater.scaler.load_state_dict(record["scaler"])
        updater.guard.load(record["guard"])
        self.step, self.best_step, self.best_value = record["step"], record["best_step"], record["best_value"]
        self.log.load(record["log"], self.step)
