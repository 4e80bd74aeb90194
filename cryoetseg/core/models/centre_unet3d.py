"""A 3D U-Net that says where particles have their centres and how wide they are, at half the resolution of its input."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .shapes import check_sides

CHANNELS = (16, 32, 64, 96)
STRIDE = 2  # voxels of the input for one of the output: centres of bodies of five voxels and more need no finer grid
DIVISOR = 16


class CentreUNet3d(nn.Module):
    """Volumes (batch, 1, z, y, x) to (batch, outputs, z / 2, y / 2, x / 2); sides are multiples of 16.

    Cell i of the output has its centre at voxel 2 i + 0.5 of the input. There are no coordinate channels: the answer does not depend on
    where a tile begins.
    """

    def __init__(self, outputs: int, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.channels = tuple(channels)
        self.stem = nn.Conv3d(1, channels[0], 4, stride=STRIDE, padding=1)
        self.encoder = nn.ModuleList([Block(channels[0], channels[0])])
        self.encoder.extend(Block(fine, coarse) for fine, coarse in zip(channels, channels[1:]))
        self.pool = nn.MaxPool3d(2)
        pairs = list(zip(channels, channels[1:]))[::-1]
        self.rise = nn.ModuleList(nn.ConvTranspose3d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(Block(2 * fine, fine) for fine, _ in pairs)
        self.head = nn.Conv3d(channels[0], outputs, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        check_sides(volumes, DIVISOR)
        features = [self.encoder[0](self.stem(volumes))]
        for block in list(self.encoder)[1:]:
            features.append(block(self.pool(features[-1])))
        decoded = features.pop()
        for rise, block in zip(self.rise, self.decoder):
            decoded = block(torch.cat([features.pop(), rise(decoded)], dim=1))
        return self.head(decoded)


class Block(nn.Module):
    """Two convolutions with batch normalisation and ReLU; the first one's output is added to the second's."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv3d(inputs, outputs, 3, padding=1), nn.BatchNorm3d(outputs), nn.ReLU())
        self.second = nn.Sequential(nn.Conv3d(outputs, outputs, 3, padding=1), nn.BatchNorm3d(outputs))

    def forward(self, features: Tensor) -> Tensor:
        first = self.first(features)
        return torch.relu(first + self.second(first))
