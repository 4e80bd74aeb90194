"""DeepETPicker's 3D residual U-Net with coordinate channels and image pyramid (spec 2.3): 2,429,845 parameters for one output."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .shapes import check_sides

CHANNELS = (24, 48, 72, 108)
COORDINATES = 3
DIVISOR = 8


class ResidualUNet3d(nn.Module):
    """Volumes (batch, 1, z, y, x) to logits (batch, outputs, z, y, x); sides are multiples of 8.

    ``maps`` are the feature maps of the four levels, finest first. ``outputs`` is 1 for one particle class (sigmoid) or n + 1 with
    background first (softmax): see :meth:`probabilities`.
    """

    def __init__(self, outputs: int = 1, maps: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        image = 1
        joined = [image, *(channels + image for channels in maps[:-1])]
        self.encoder = nn.ModuleList(ResidualBlock(inputs, channels) for inputs, channels in zip(joined, maps))
        pairs = list(zip(maps, maps[1:]))[::-1]
        self.raise_ = nn.ModuleList(nn.ConvTranspose3d(coarse, fine, 3, stride=2, padding=1) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(ResidualBlock(fine, fine) for fine, _ in pairs)
        self.head = nn.Conv3d(maps[0], outputs, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        check_sides(volumes, DIVISOR)
        features = [self.encoder[0](volumes)]
        pyramid = volumes
        for block in list(self.encoder)[1:]:
            pyramid = F.avg_pool3d(pyramid, 2)
            features.append(block(torch.cat([F.avg_pool3d(features[-1], 2), pyramid], dim=1)))
        decoded = features.pop()
        for raise_, block in zip(self.raise_, self.decoder):
            skip = features.pop()
            decoded = block(raise_(decoded, output_size=skip.shape[2:]) + skip)
        return self.head(decoded)

    @staticmethod
    def probabilities(logits: Tensor) -> Tensor:
        """Sigmoid for one output, softmax over the channels (background first) for several."""
        return logits.sigmoid() if logits.shape[1] == 1 else logits.softmax(dim=1)


class ResidualBlock(nn.Module):
    """Coordinate channels joined, then three convolutions; the first one's output is added to the third's."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = _convolution(inputs + COORDINATES, outputs)
        self.rest = nn.Sequential(_convolution(outputs, outputs), _convolution(outputs, outputs))

    def forward(self, features: Tensor) -> Tensor:
        residual = self.first(torch.cat([features, coordinates(features)], dim=1))
        # the published ELU after this sum changes nothing: both addends are at least 0; kept to follow the network as published
        return F.elu(self.rest(residual) + residual)


def coordinates(features: Tensor) -> Tensor:
    """Channels x, y, z, each from -1 to 1 over the grid, for every volume of the batch: (batch, 3, z, y, x)."""
    axes = [torch.linspace(-1, 1, side, dtype=features.dtype, device=features.device) for side in features.shape[2:]]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z]).expand(features.shape[0], COORDINATES, *features.shape[2:])


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1), nn.BatchNorm3d(outputs), nn.ReLU())
