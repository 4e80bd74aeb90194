"""Running averages of weights (EMA) on torch's AveragedModel, whose state is plain tensors."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from .task import Networks


def running_averages(networks: Networks, names: Sequence[str], decay: float) -> dict[str, AveragedModel]:
    """One average for each network named; none when ``decay`` is 0. Buffers (batch statistics) are copied, not averaged."""
    if decay == 0:
        return {}
    averages = {name: AveragedModel(networks[name], multi_avg_fn=_Decay(decay)) for name in names}
    for average in averages.values():
        average.requires_grad_(False).eval()
    return averages


class _Decay:
    """Moves the average towards the weights. Early on the decay is (1 + n) / (10 + n), as diffusers does, so that a short
    training is not dominated by its first weights."""

    def __init__(self, decay: float) -> None:
        self._decay = decay

    def __call__(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        steps = int(count)
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(averaged), list(current), 1 - decay)
