"""DeepFinder's network for semantic classes, written from the published layer table (spec C11), not from its source."""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .shapes import check_sides

DIVISOR = 4


class DeepFinderNet(nn.Module):
    """Volumes (batch, 1, z, y, x) to logits (batch, classes, z, y, x), background first; sides are multiples of 4.

    Convolutions 3^3, 'same' padding, ReLU, no normalisation; up-sampling by repetition followed by a 2^3 convolution.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fine = _convolutions(1, 32, 32)
        self.middle = _convolutions(32, 48, 48)
        self.coarse = _convolutions(48, 64, 64, 64, 64)
        self.raise_middle = _even_convolution(64, 64)
        self.join_middle = _convolutions(64 + 48, 48, 48)
        self.raise_fine = _even_convolution(48, 48)
        self.join_fine = _convolutions(48 + 32, 32, 32)
        self.head = nn.Conv3d(32, classes, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        check_sides(volumes, DIVISOR)
        fine = self.fine(volumes)
        middle = self.middle(F.max_pool3d(fine, 2))
        coarse = self.coarse(F.max_pool3d(middle, 2))
        joined = self.join_middle(torch.cat([self.raise_middle(_twice(coarse)), middle], dim=1))
        joined = self.join_fine(torch.cat([self.raise_fine(_twice(joined)), fine], dim=1))
        return self.head(joined)

    @staticmethod
    def probabilities(logits: Tensor) -> Tensor:
        """Softmax over the classes."""
        return logits.softmax(dim=1)


def _twice(features: Tensor) -> Tensor:
    return F.interpolate(features, scale_factor=2, mode="nearest")


def _convolutions(*channels: int) -> nn.Sequential:
    return nn.Sequential(*(_convolution(inputs, outputs) for inputs, outputs in zip(channels, channels[1:])))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1), nn.ReLU())


def _even_convolution(inputs: int, outputs: int) -> nn.Sequential:
    # an even kernel cannot be centred: 'same' in the published framework pads at the far end of each axis only
    return nn.Sequential(nn.ConstantPad3d((0, 1, 0, 1, 0, 1), 0.0), nn.Conv3d(inputs, outputs, 2), nn.ReLU())
