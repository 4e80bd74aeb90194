"""The loss of the network of centres: penalty-reduced focal loss for the hills, and what is known of each particle at its centre."""
from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from .targets import BOUND, HEAT, WIDTH

FOCUS, FORGIVENESS = 2.0, 4.0  # alpha and beta of CenterNet (Zhou et al. 2019, eq. 1)
BOUND_WEIGHT, WIDTH_WEIGHT = 0.1, 0.3


def centre_loss(answer: Tensor, target: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Sum of the three losses for answers (n, 3, z, y, x); ``target`` holds the arrays of :class:`~.targets.CentreTargets`, batched.

    Returns the loss and its parts by name.
    """
    answer = answer.float()
    heat = focal_loss(answer[:, HEAT], target["heat"], target["centre"], target["weight"])
    graded = target["graded"] * target["weight"]
    count = graded.sum().clamp_min(1.0)
    bound = (functional.binary_cross_entropy_with_logits(answer[:, BOUND], target["bound"], reduction="none") * graded).sum() / count
    width = (functional.smooth_l1_loss(answer[:, WIDTH], target["width"], reduction="none", beta=0.25) * graded).sum() / count
    return heat + BOUND_WEIGHT * bound + WIDTH_WEIGHT * width, {"heat": heat.detach(), "bound": bound.detach(), "width": width.detach()}


def focal_loss(logits: Tensor, heat: Tensor, centre: Tensor, weight: Tensor) -> Tensor:
    """CenterNet's penalty-reduced focal loss over the number of centres (Zhou19 eq. 1); cells of weight 0 give no gradient.

    A cell with ``centre`` 1 should say 1; any other should say 0, and is forgiven by (1 - heat)^4 the nearer it lies to a centre.
    """
    probability = logits.sigmoid()
    found = (1 - probability) ** FOCUS * functional.logsigmoid(logits)
    rejected = (1 - heat) ** FORGIVENESS * probability**FOCUS * functional.logsigmoid(-logits)
    total = torch.where(centre > 0, found, rejected) * weight
    return -total.sum() / (centre * weight).sum().clamp_min(1.0)
