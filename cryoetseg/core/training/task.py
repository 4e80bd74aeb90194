"""What a method gives to the training loop: its networks, its items, its loss."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from .optimisers import adamw
from .params import TrainingParameters

Networks = Mapping[str, nn.Module]
Metrics = Mapping[str, "Tensor | float"]


class Turn(NamedTuple):
    """One update inside a step: only the weights of ``networks`` move; adversarial methods take two turns a step."""

    name: str
    networks: Sequence[str]


class Selection(NamedTuple):
    """The validation metric that decides which weights are the best."""

    metric: str = "loss"
    direction: Literal["min", "max"] = "min"


def _alone(rows: Tensor) -> Tensor:
    """The rows of all processes where there is one."""
    return rows


@dataclass
class Step:
    """Where the training is, and the randomness of this turn.

    ``generator`` depends on nothing but seed, step and turn, so that a resumed training draws what an uninterrupted one
    draws. It is the same on all processes: :meth:`normal`, :meth:`uniform` and :meth:`integers` draw for the whole batch
    and return the rows of this process, which makes several processes equal to one. So does a loss that is no mean over its
    rows when it is made of those that :meth:`whole` brings together.
    """

    number: int
    epoch: int
    turn: str
    generator: torch.Generator
    averages: Networks
    process: int = 0
    processes: int = 1
    shared: dict[str, Any] = field(default_factory=dict)  # carries tensors from one turn of a step to the next
    gathered: Callable[[Tensor], Tensor] = _alone

    def whole(self, rows: Tensor) -> Tensor:
        """These rows with those of all processes, in the order of the batch; gradients flow back to where the rows come from.

        Raises ``ValueError`` where a batch passes in parts, which do not see each other.
        """
        whole = self.gathered(rows)
        if len(whole) != len(rows) * self.processes:
            raise ValueError(f"one of {self.processes} parts of a batch has {len(rows)} rows, the batch {len(whole)}")
        return whole

    def own(self, whole: Tensor) -> Tensor:
        """The rows of this process among those of all."""
        return whole.chunk(self.processes)[self.process]

    def for_all(self) -> Step:
        """The same step as one process would take it, for what all do alike with the whole batch."""
        return replace(self, process=0, processes=1, gathered=_alone)

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal values in the shape, type and device of ``like`` (batch first)."""
        return self.own(torch.randn(self._whole(like), generator=self.generator, device=self.generator.device)).to(like)

    def uniform(self, like: Tensor) -> Tensor:
        """Values uniform in [0, 1) in the shape, type and device of ``like`` (batch first)."""
        return self.own(torch.rand(self._whole(like), generator=self.generator, device=self.generator.device)).to(like)

    def integers(self, high: int, like: Tensor) -> Tensor:
        """One int64 in [0, high) for each row of ``like``, on its device."""
        rows = (like.shape[0] * self.processes,)
        drawn = torch.randint(high, rows, generator=self.generator, device=self.generator.device)
        return self.own(drawn).to(like.device)

    def _whole(self, like: Tensor) -> tuple[int, ...]:
        return (like.shape[0] * self.processes, *like.shape[1:])


class TrainingTask(ABC):
    """A method as the loop sees it. ``networks`` are moved to the device and trained in place."""

    networks: dict[str, nn.Module]
    selection: Selection = Selection()
    smallest_batch: int = 1  # items a process needs at once: 2 where a normalisation over the batch would see one value of one
    parts: int = 1  # equal parts in which a batch passes the networks one after another: less memory, the same update
    origin: str = ""  # what the first weights come from when they are not drawn: a training goes on from the same one only

    @abstractmethod
    def items(self) -> int:
        """Number of items in one epoch."""

    @abstractmethod
    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, Any]:
        """Tensors or arrays of item ``index``; ``generator`` is a fixed function of seed, epoch and place in the epoch."""

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, Any]:
        """What is drawn for item ``index``, from which :meth:`gather` makes it on the device. Default: the item itself."""
        return self.item(index, generator)

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The batch of these places, stacked and on the device; reads nothing back. Default: as they are."""
        return places

    @abstractmethod
    def loss(self, networks: Networks, batch: Mapping[str, Tensor], step: Step) -> tuple[Tensor, Metrics]:
        """Loss of this turn (a scalar, the mean over the batch) and what to log beside it, from a batch of stacked items.

        Reads nothing back from the device: no ``item``, ``float`` or ``tolist`` of a tensor, no selection by a bool one.
        """

    def order(self, epoch: int, generator: np.random.Generator) -> np.ndarray:
        """Indices of the items in the order of this epoch; override to balance classes. Length: :meth:`items`."""
        return generator.permutation(self.items())

    def turns(self) -> Sequence[Turn]:
        """The updates of one step, in order. Default: all networks at once."""
        return [Turn("all", tuple(self.networks))]

    def optimiser(self, turn: str, weights: list[nn.Parameter], parameters: TrainingParameters) -> torch.optim.Optimizer:
        """Optimiser of one turn; the schedule multiplies the learning rates it starts with. Default: AdamW."""
        return adamw(weights, lr=parameters.learning_rate, weight_decay=parameters.weight_decay)

    def averaged(self) -> Sequence[str]:
        """Networks whose running average is kept when ``ema_decay`` is above 0. Default: all."""
        return tuple(self.networks)

    def noted(self, metrics: Mapping[str, float]) -> None:  # noqa: B027 (a method without state has nothing to do)
        """Take note of the metrics of one step, all steps in order, when they have been read: at once, or some steps later on a GPU."""

    def validate(self, networks: Networks, generator: np.random.Generator) -> Mapping[str, float]:
        """Metrics on held-out items (networks in evaluation mode, averaged where averages exist). Default: none."""
        return {}

    def state(self) -> Mapping[str, Tensor]:
        """Tensors of the method's own that a checkpoint must hold, for example a replay pool. Default: none."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027 (a method without state has nothing to do)
        """Take back what :meth:`state` gave."""
