"""Running averages of weights (EMA), kept on the device without reading anything back from it."""
from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .task import Networks


def running_averages(networks: Networks, names: Sequence[str], decay: float) -> dict[str, RunningAverage]:
    """One average for each network named; none when ``decay`` is 0."""
    return {name: RunningAverage(networks[name], decay) for name in names} if decay else {}


class RunningAverage:
    """``module`` is a network whose weights follow those of another; its buffers (batch statistics) are copied, not averaged.

    The first update copies the weights. Early on the decay is (1 + n) / (10 + n), as diffusers does, so that a short training is not
    dominated by its first weights; ``updates`` is n, a scalar on the device.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(network).requires_grad_(False).eval()
        self._least = 1 - decay
        self.updates = torch.zeros((), device=next(network.parameters()).device)
        # listed once: to walk through the modules takes longer than the update
        self._averaged: list[Tensor] = list(self.module.parameters())
        self._current: list[Tensor] = list(network.parameters())
        self._buffers = list(zip(self.module.buffers(), network.buffers()))

    @torch.no_grad()
    def update(self, moved: Tensor) -> None:
        """Move the average towards the network, or leave it where ``moved`` (a scalar of 0 or 1) says that the weights did not move."""
        share = moved * torch.where(self.updates == 0, 1.0, (9 / (10 + self.updates)).clamp_min(self._least))
        steps = list(torch._foreach_sub(self._current, self._averaged))
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(self._averaged, steps)
        for kept, buffer in self._buffers:
            kept.copy_(buffer)
        self.updates += moved
