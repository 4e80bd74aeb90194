"""Which voxels of the target the teacher's answers are labels for, and how much each counts.

The paper keeps every voxel of which the teacher is sure. Where foreground is rare a teacher is sure of background alone, also inside
particles, and the student learns to call nothing. So voxels can be taken by rank instead, as many of foreground as the source tells, both
classes with equal weight (class-balanced self-training, Zou et al. 2018).
"""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .params import TrainVoxUdaParameters

SUREST = 0.5  # share of the expected foreground, the surest, that counts
BACKGROUND = 0.5  # share of all voxels, the least likely foreground, that counts as background


class PseudoLabels(NamedTuple):
    """Labels (0 or 1) and weights of voxels in the shape of the teacher's logits; a voxel of weight 0 does not count."""

    label: Tensor
    weight: Tensor


def pseudo_labels(logits: Tensor, parameters: TrainVoxUdaParameters, share: float) -> PseudoLabels:
    """Of the teacher's ``logits`` (batch, 1, z, y, x); ``share`` of all voxels is foreground in the source."""
    if parameters.pseudo_selection == "sure":
        probability = logits.sigmoid()
        sure = torch.maximum(probability, 1 - probability) >= parameters.pseudo_threshold
        # over all voxels, not over the kept ones (FixMatch): few sure voxels count little
        return PseudoLabels((probability > 0.5).float(), sure.float() / logits.numel())
    foreground = (logits > _quantile(logits, 1 - SUREST * share)).float()
    background = (logits <= _quantile(logits, BACKGROUND)).float()
    weight = (foreground / foreground.sum().clamp_min(1) + background / background.sum().clamp_min(1)) / 2
    return PseudoLabels(foreground, weight)


def _quantile(values: Tensor, share: float) -> Tensor:
    """The value that ``share`` of all values do not exceed; unlike ``torch.quantile`` of any number of them."""
    return values.flatten().kthvalue(max(1, round(share * values.numel()))).values
