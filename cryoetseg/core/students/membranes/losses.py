"""The membrane student's loss with a weight for every pixel, so that uncertain labels count less or not at all."""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ...training.task import Step

SMOOTHING = 1e-5  # Uddin26 1.9


def shared_loss(logits: Tensor, labels: Tensor, weights: Tensor, step: Step) -> Tensor:
    """:func:`weighted_dice_ce` of the batch of all processes: a mean over as many pixels as count in all of them."""
    return weighted_dice_ce(step.whole(logits), step.whole(labels), step.whole(weights))


def weighted_dice_ce(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """(cross-entropy + Dice) / 2 as ``models.losses.membrane_dice_ce``, over pixels by their weight; equal to it where all weigh 1.

    ``logits`` (n, 2, y, x), ``labels`` (n, 1, y, x) of 0 and 1, ``weights`` (n, 1, y, x) of at least 0. A pixel of weight 0 gives no
    gradient; an image without any weight gives 0.
    """
    logits, weights = logits.float(), weights.float()
    entropy = F.cross_entropy(logits, labels[:, 0].long(), reduction="none")
    cross_entropy = (weights[:, 0] * entropy).sum() / weights.sum().clamp_min(SMOOTHING)
    truth = torch.cat([1 - labels, labels], dim=1).to(logits.dtype) * weights
    predicted = logits.softmax(dim=1) * weights
    # Uddin26 1.9: Dice of both classes, for each image, then the mean. Weights enter once, as the number of pixels would.
    both = (predicted * (truth > 0)).sum(dim=(2, 3))
    dice = (2 * both + SMOOTHING) / (predicted.sum(dim=(2, 3)) + truth.sum(dim=(2, 3)) + SMOOTHING)
    return (cross_entropy + (1 - dice).mean()) / 2
