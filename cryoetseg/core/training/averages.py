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

    @torch.no_grad()
    def update(self, network: nn.Module, moved: Tensor) -> None:
        """Move the average towards ``network``, or leave it where ``moved`` (a scalar of 0 or 1) says that the weights did not move."""
        share = moved * torch.where(self.updates == 0, 1.0, (9 / (10 + self.updates)).clamp_min(self._least))
        averaged: list[Tensor] = list(self.module.parameters())
        current: list[Tensor] = list(network.parameters())
        steps = list(torch._foreach_sub(current, averaged))
        torch._foreach_mul_(steps, share)
        torch._foreach_add_(averaged, steps)
        for kept, buffer in zip(self.module.buffers(), network.buffers()):
            kept.copy_(buffer)
        self.updates += moved
