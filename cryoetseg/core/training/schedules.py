"""Learning-rate schedules as plain functions of the position, so that a resumed training needs no scheduler state.

Each returns the factor of the learning rate at ``position`` of ``total`` (epochs or iterations, from 0).
"""
from __future__ import annotations

import math

from .params import TrainingParameters

# DeepETPicker (spec 2.4): one cycle from lr/30, warm-up over a tenth, end at a hundredth of the start.
ONE_CYCLE_START = 1 / 30
ONE_CYCLE_END = ONE_CYCLE_START / 100


def rate_factor(parameters: TrainingParameters, position: int, total: int) -> float:
    """Factor of the learning rate for the schedule that ``parameters`` name."""
    if parameters.schedule == "one_cycle":
        return one_cycle(position, total, parameters.warm_up)
    if parameters.schedule == "cosine":
        return cosine(position, total, parameters.warm_up)
    if parameters.schedule == "step":
        return step(position, parameters.step_every, parameters.step_factor)
    return 1.0


def one_cycle(position: int, total: int, warm_up: float = 0.1) -> float:
    """Half a cosine up from 1/30 to 1 and half a cosine down to 1/3000; as torch's OneCycleLR counts the steps."""
    top = warm_up * total - 1
    if position <= top:
        return _half_cosine(ONE_CYCLE_START, 1.0, position / top if top > 0 else 1.0)
    return _half_cosine(1.0, ONE_CYCLE_END, min((position - top) / max(total - 1 - top, 1), 1.0))


def cosine(position: int, total: int, warm_up: float = 0.1) -> float:
    """Linear rise over the first ``warm_up`` of the training, then half a cosine to 0; the first step is never 0."""
    rise = int(warm_up * total)
    if position < rise:
        return (position + 1) / (rise + 1)
    return _half_cosine(1.0, 0.0, min((position - rise) / max(total - rise, 1), 1.0))


def step(position: int, every: int, factor: float) -> float:
    """``factor`` to the number of whole intervals passed."""
    return factor ** (position // every)


def _half_cosine(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * part))
