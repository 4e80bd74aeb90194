"""Several processes as one: accelerate starts them and carries the sums between them.

On GPUs ``accelerate launch --num_processes N``. On processors accelerate starts N processes only with ``--multi_gpu`` added,
in spite of that option's name; without it one process runs, and :class:`Processes` says so.

The networks are not wrapped. The gradients of a turn are averaged by one call after its backward pass, which stays right
with any number of networks, turns, frozen parts and forward passes, where wrapped networks break; ours are small enough that
overlapping this call with the backward pass would gain little.
"""
from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast, reduce
from torch import Tensor, nn

from ..runtime.device import choose_device
from ..runtime.errors import ParameterError
from .shared_statistics import SharedBatchNorm

logger = logging.getLogger(__name__)
MOST_HELPERS = 8
# what accelerate's launcher leaves behind when it was asked for several processes
ASKED_FOR_SEVERAL = ("ACCELERATE_MIXED_PRECISION", "MASTER_PORT")


class Processes:
    """This process among all that train together."""

    def __init__(self, device: str) -> None:
        # without a GPU accelerate joins the processes only when told that processors are meant
        self._state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
        self.count: int = self._state.num_processes
        self.index: int = self._state.process_index
        # one process obeys the name it was given; of several, the launcher gives each its own GPU
        self.device: torch.device = choose_device(device) if self.count == 1 else self._state.device
        if self.count == 1 and all(name in os.environ for name in ASKED_FOR_SEVERAL):
            logger.warning("accelerate launch started one process only; on processors add --multi_gpu to start several")

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.index == 0

    def check_batch(self, batch_size: int, smallest: int = 1, parts: int = 1) -> None:
        """Raise :class:`ParameterError` unless the batch splits evenly, the mean of means being the mean, into ``smallest`` or more, over
        the processes and over ``parts`` in each."""
        if batch_size % (self.count * parts):
            among = f"{self.count} processes" + (f" with {parts} parts each" if parts > 1 else "")
            raise ParameterError(f"batch size {batch_size} does not split over {among}", f"multiples of {self.count * parts}")
        if batch_size // self.count < smallest:
            raise ParameterError(f"batch size {batch_size} over {self.count} process(es) with items this small: the normalisation of the "
                                 "network would see a single value", f"at least {smallest * self.count}",
                                 "take a larger batch or larger crops")

    def helpers(self) -> int:
        """Further processes that prepare the data of this one: what a GPU would else wait for. A processor has its cores in use."""
        if self.device.type != "cuda" or not hasattr(os, "sched_getaffinity"):
            return 0
        return max(0, min(MOST_HELPERS, len(os.sched_getaffinity(0)) // self.count - 1))

    def wait(self) -> None:
        """Wait until all processes are here."""
        self._state.wait_for_everyone()

    def share_weights(self, networks: Iterable[nn.Module]) -> None:
        """Give every process the weights and buffers of the first one."""
        if self.count == 1:
            return
        for network in networks:
            for tensor in [*network.parameters(), *network.buffers()]:
                with torch.no_grad():  # not through .data, which hides the change from those who keep what they made of the tensor
                    tensor.copy_(broadcast(tensor.detach().contiguous(), from_process=0))

    def average_gradients(self, weights: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the processes, all in one message."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if self.count == 1 or not gradients:
            return
        mean = reduce(torch.cat([gradient.reshape(-1) for gradient in gradients]), reduction="mean")
        for gradient, part in zip(gradients, mean.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(part.view(gradient.shape))  # in the order of memory that the gradient has

    def average(self, values: Tensor) -> Tensor:
        """Mean of a vector over the processes."""
        return reduce(values, reduction="mean") if self.count > 1 else values

    def whole(self, rows: Tensor) -> Tensor:
        """The rows (own, ...) of all processes, in the order of the batch; their gradient flows back to the process that made them."""
        if self.count == 1:
            return rows
        others = [torch.zeros_like(rows)] * self.count
        return self.sum(torch.cat([*others[:self.index], rows, *others[self.index + 1:]]))

    def sum(self, values: Tensor) -> Tensor:
        """Sum over the processes, through which gradients flow."""
        return SumOverProcesses.apply(values) if self.count > 1 else values

    def share_batch_statistics(self, network: nn.Module) -> nn.Module:
        """Batch normalisation over the whole batch: torch's on GPUs, the only place where it has one, ours on processors."""
        if self.count == 1:
            return network
        if self.device.type == "cuda":
            return nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return SharedBatchNorm.replace_in(network, lambda values: self.sum(values) / self.count, self.count)


class SumOverProcesses(torch.autograd.Function):
    """A sum whose gradient is the sum of the gradients that all processes have for it.

    Where all of them make the same loss of the sum, each adds the same gradient, and averaging the gradients of the weights divides by
    as many again.
    """

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:  # type: ignore[override]
        return reduce(values.contiguous(), reduction="sum")

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return reduce(gradient.contiguous(), reduction="sum")
