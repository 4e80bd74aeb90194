"""The losses to choose from."""
from __future__ import annotations

from typing import Literal

import torch
from monai.losses import DiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from ...models.losses import tversky

BACKGROUND_WEIGHT = 0.1  # of a background voxel in the cross-entropy: objects fill a few per cent of a patch


def segmenter_loss(name: Literal["dice_ce", "tversky"]) -> nn.Module:
    """Loss of logits (batch, classes, z, y, x) against class numbers (batch, 1, z, y, x); ``tversky`` is the published one (DUAL C11)."""
    return tversky() if name == "tversky" else BalancedDiceCE()


class BalancedDiceCE(nn.Module):
    """Dice over the batch plus a cross-entropy in which background weighs little.

    Overlap of rare classes alone is nearly flat while the network answers background everywhere, and so is a plain cross-entropy: both
    keep a short training there.
    """

    def __init__(self) -> None:
        super().__init__()
        self._dice = DiceLoss(softmax=True, to_onehot_y=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        weights = torch.ones(logits.shape[1], device=logits.device)
        weights[0] = BACKGROUND_WEIGHT
        return self._dice(logits, labels) + F.cross_entropy(logits, labels[:, 0], weights)
