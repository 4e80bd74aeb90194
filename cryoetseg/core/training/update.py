"""One step of the training: its turns, each with forward and backward pass, finite check and update; and the validation."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from ..runtime.seeds import torch_generator
from .averages import running_averages
from .compiled import as_called
from .finite import FiniteGuard
from .optimisers import step_if
from .params import TrainingParameters
from .precision import arithmetic
from .processes import Processes
from .schedules import rate_factor
from .task import Metrics, Networks, Step, TrainingTask, Turn


class Updater:
    """Networks, optimisers, averages and precision of a training."""

    def __init__(self, task: TrainingTask, parameters: TrainingParameters, seed: int, processes: Processes) -> None:
        self.task, self.parameters, self.seed, self.processes = task, parameters, seed, processes
        for name, network in task.networks.items():
            task.networks[name] = processes.share_batch_statistics(network.to(processes.device)).train()
        self._called = as_called(task.networks, parameters.compiled)
        self.turns = list(task.turns())
        self._trainable = {name: [weight for weight in network.parameters() if weight.requires_grad]
                           for name, network in task.networks.items()}
        self.optimisers = {turn.name: task.optimiser(turn.name, self._weights(turn), parameters) for turn in self.turns}
        self._first_rates = {name: [group["lr"] for group in optimiser.param_groups] for name, optimiser in self.optimisers.items()}
        self.averages = running_averages(task.networks, task.averaged(), parameters.ema_decay)
        self.guard = FiniteGuard(parameters.max_skips)
        self._dtype = arithmetic(parameters.precision, processes.device)
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=self._dtype == torch.float16)
        self.learning_rate = parameters.learning_rate

    def set_rates(self, position: int, total: int) -> None:
        """Set the learning rates for ``position`` of ``total`` (epochs or iterations)."""
        factor = rate_factor(self.parameters, position, total) * self.guard.rate_scale
        self.learning_rate = self.parameters.learning_rate * factor
        for name, optimiser in self.optimisers.items():
            for group, first in zip(optimiser.param_groups, self._first_rates[name]):
                group["lr"] = first * factor

    def step(self, batch: Mapping[str, Tensor], number: int, epoch: int) -> tuple[dict[str, Tensor], Tensor]:
        """Take all turns on one batch; returns the metrics of this process and whether all was finite, scalars on the device.

        Nothing is read back: a turn whose loss or gradient is not finite leaves its weights as they were, which the device decides.
        """
        shared: list[dict[str, object]] = [{} for _ in range(self.task.parts)]
        metrics: dict[str, Tensor] = {}
        finite = torch.ones((), dtype=torch.bool, device=self.processes.device)
        for turn in self.turns:
            steps = [self._step_of(turn, number, epoch, part, shared) for part in range(self.task.parts)]
            turn_metrics, turn_finite = self._take(turn, batch, steps)
            metrics.update(turn_metrics)
            finite = finite & turn_finite
        self.scaler.update()
        for average in self.averages.values():
            average.update(finite.float())
        return metrics, finite

    def validate(self, generator: np.random.Generator) -> dict[str, float]:
        """The task's validation with the averaged networks where there are any, without touching the training's randomness."""
        networks = {**self.task.networks, **self._averaged()}
        with torch.no_grad(), self._autocast(), _evaluating(self.task.networks):
            return dict(self.task.validate(networks, generator))

    def is_sound(self) -> bool:
        """Whether the weights are finite and no skipped step is pending."""
        finite = all(bool(torch.isfinite(weight).all()) for weights in self._trainable.values() for weight in weights)
        return finite and self.guard.skipped_in_a_row == 0

    def _step_of(self, turn: Turn, number: int, epoch: int, part: int, shared: Sequence[dict[str, object]]) -> Step:
        """One part of a batch draws its rows of what the whole batch draws, as if it were a process of its own."""
        processes, parts = self.processes, self.task.parts
        generator = torch_generator(self.seed, "step", number, turn.name, device=str(processes.device))
        return Step(number, epoch, turn.name, generator, self._averaged(), processes.index * parts + part, processes.count * parts,
                    shared[part], processes.whole)

    def _take(self, turn: Turn, batch: Mapping[str, Tensor], steps: Sequence[Step]) -> tuple[dict[str, Tensor], Tensor]:
        optimiser, weights = self.optimisers[turn.name], self._weights(turn)
        self._open_only(turn)
        values = []
        for part, step in enumerate(steps):
            rows = {name: whole.chunk(len(steps))[part] for name, whole in batch.items()}
            with self._autocast():
                part_loss, part_metrics = self.task.loss(self._called, rows, step)
            self.scaler.scale(part_loss / len(steps)).backward()  # the mean of means of equal parts is the mean
            values.append(self._values(turn, part_loss, part_metrics))
        metrics = {name: torch.stack([value[name] for value in values]).mean() for name in values[0]}
        loss = metrics[self._loss_name(turn)]
        self.processes.average_gradients(weights)
        self.scaler.unscale_(optimiser)
        finite = torch.isfinite(self._clip(weights)) & torch.isfinite(self.processes.average(loss))
        step_if(finite, optimiser)
        optimiser.zero_grad(set_to_none=True)
        return metrics, finite

    def _clip(self, weights: list[nn.Parameter]) -> Tensor:
        """Clip the gradient where asked; returns the norm that it had. One that is not finite stays so."""
        norm = get_total_norm([weight.grad for weight in weights if weight.grad is not None])
        if self.parameters.gradient_clip > 0:
            clip_grads_with_norm_(weights, self.parameters.gradient_clip, norm)
        return norm

    def _values(self, turn: Turn, loss: Tensor, metrics: Metrics) -> dict[str, Tensor]:
        """The loss, under the turn's name where there are several turns, and the metrics."""
        name = self._loss_name(turn)
        named = {name: loss, **{key: value for key, value in metrics.items() if key != name}}
        return {key: torch.as_tensor(value, dtype=torch.float32, device=loss.device).detach() for key, value in named.items()}

    def _loss_name(self, turn: Turn) -> str:
        return "loss" if len(self.turns) == 1 else f"{turn.name}_loss"

    def _open_only(self, turn: Turn) -> None:
        """Gradients only for the networks of this turn: a frozen judge saves its backward pass into the weights."""
        if len(self.turns) > 1:
            for name, weights in self._trainable.items():
                for weight in weights:
                    weight.requires_grad_(name in turn.networks)

    def _weights(self, turn: Turn) -> list[nn.Parameter]:
        return [weight for name in turn.networks for weight in self._trainable[name]]

    def _averaged(self) -> Networks:
        return {name: average.module for name, average in self.averages.items()}

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.processes.device.type, dtype=self._dtype, enabled=self._dtype != torch.float32)


@contextmanager
def _evaluating(networks: Networks) -> Iterator[None]:
    modes = {name: network.training for name, network in networks.items()}
    try:
        for network in networks.values():
            network.eval()
        yield
    finally:
        for name, network in networks.items():
            network.train(modes[name])
