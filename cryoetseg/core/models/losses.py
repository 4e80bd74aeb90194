"""Segmentation losses of the published methods, each MONAI's with the constants of its paper.

Logits are (batch, channels, ...); targets are (batch, 1, ...) class indices or, for one channel, the 0/1 mask.
"""
from __future__ import annotations

from monai.losses import DiceCELoss, DiceLoss, TverskyLoss


def picker_dice(outputs: int) -> DiceLoss:
    """DeepETPicker's loss (spec 2.4): 1 - mean over channels of (2 sum(p t) + 1) / (sum p + sum t + 1), sums over the batch.

    Sigmoid for one output; softmax, background included, for several.
    """
    several = outputs > 1
    return DiceLoss(sigmoid=not several, softmax=several, to_onehot_y=several, batch=True, smooth_nr=1.0, smooth_dr=1.0)


def membrane_dice_ce() -> DiceCELoss:
    """The membrane student's loss (spec 1.9): (cross-entropy + Dice) / 2, Dice over both classes per image with 1e-5 added."""
    return DiceCELoss(softmax=True, to_onehot_y=True, smooth_nr=1e-5, smooth_dr=1e-5, lambda_dice=0.5, lambda_ce=0.5)


def tversky() -> TverskyLoss:
    """DeepFinder's loss (spec C11): classes - sum of Tversky indices with alpha = beta = 0.5, sums over batch and space."""
    return TverskyLoss(softmax=True, to_onehot_y=True, alpha=0.5, beta=0.5, batch=True, reduction="sum")
