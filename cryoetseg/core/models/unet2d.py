"""The 2D U-Net of the Stable Diffusion method's membrane student (its released code; spec 1.9): 1,944,034 parameters."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from .shapes import check_sides

CHANNELS = (16, 32, 64, 128, 256)
DROPOUT = (0.05, 0.1, 0.2, 0.3, 0.5)
DIVISOR = 16


class UNet2d(nn.Module):
    """Images (batch, inputs, y, x) to logits (batch, classes, y, x); y and x are multiples of 16."""

    def __init__(self, inputs: int = 1, classes: int = 2) -> None:
        super().__init__()
        self.stem = ConvBlock(inputs, CHANNELS[0], DROPOUT[0])
        self.down = nn.ModuleList(nn.Sequential(nn.MaxPool2d(2), ConvBlock(fine, coarse, dropout))
                                  for fine, coarse, dropout in zip(CHANNELS, CHANNELS[1:], DROPOUT[1:]))
        self.up = nn.ModuleList(UpBlock(coarse, fine) for fine, coarse in reversed(list(zip(CHANNELS, CHANNELS[1:]))))
        self.head = nn.Conv2d(CHANNELS[0], classes, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        check_sides(images, DIVISOR)
        features = [self.stem(images)]
        for down in self.down:
            features.append(down(features[-1]))
        decoded = features.pop()
        for up in self.up:
            decoded = up(decoded, features.pop())
        return self.head(decoded)


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalisation and leaky ReLU (0.01); dropout after the first."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.01), nn.Dropout(dropout),
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.01))


class UpBlock(nn.Module):
    """Transposed convolution to the finer grid, the skip before it, and a block without dropout."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.raise_ = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.block = ConvBlock(2 * fine, fine, 0.0)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        return self.block(torch.cat([skip, self.raise_(coarse)], dim=1))
