"""Optimisers that take all weights in one call, and decide on the device whether a step is taken at all.

torch's fused optimisers leave everything as it was where ``found_inf`` is 1: nothing has to be read back to skip a step.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def adamw(weights: Iterable[Any], **settings: Any) -> torch.optim.AdamW:
    """AdamW of weights or of groups of them."""
    return torch.optim.AdamW(weights, fused=True, **settings)


def adam(weights: Iterable[Any], **settings: Any) -> torch.optim.Adam:
    """Adam of weights or of groups of them."""
    return torch.optim.Adam(weights, fused=True, **settings)


def sgd(weights: Iterable[Any], **settings: Any) -> torch.optim.SGD:
    """Gradient descent with momentum of weights or of groups of them."""
    optimiser = torch.optim.SGD(weights, fused=True, **settings)
    for group in optimiser.param_groups:
        for weight in group["params"]:  # a first step that is skipped would leave torch's momentum without values
            optimiser.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
    return optimiser


def step_if(taken: Tensor, optimiser: torch.optim.Optimizer) -> None:
    """Take a step where ``taken`` (a scalar bool on the device of the weights) is true. Only a fused optimiser does not wait for it."""
    if all(group.get("fused") for group in optimiser.param_groups):
        optimiser.grad_scale, optimiser.found_inf = None, (~taken).to(torch.float32)  # type: ignore[attr-defined]
        optimiser.step()
    elif taken:
        optimiser.step()
