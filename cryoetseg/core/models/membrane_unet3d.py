"""A 3D U-Net that says where membranes are, voxel by voxel, working at half the resolution of its input."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .centre_unet3d import Block
from .shapes import check_sides

CHANNELS = (32, 64, 96, 128)
OUTPUTS, MEMBRANE_OUTPUT, FILAMENT_OUTPUT = 2, 0, 1
STRIDE = 2
DIVISOR = 16


class MembraneUNet3d(nn.Module):
    """Volumes (batch, 1, z, y, x) to logits (batch, outputs, z, y, x); sides are multiples of 16.

    Blocks of 2 x 2 x 2 voxels become channels at the entry and voxels again at the exit (sub-pixel convolution), so that the costly
    layers see an eighth of the voxels. There are no coordinate channels: the answer does not depend on where a tile begins.
    """

    def __init__(self, outputs: int, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.stem = nn.Conv3d(1, channels[0], 4, stride=STRIDE, padding=1)
        self.encoder = nn.ModuleList([Block(channels[0], channels[0])])
        self.encoder.extend(Block(fine, coarse) for fine, coarse in zip(channels, channels[1:]))
        self.pool = nn.MaxPool3d(2)
        pairs = list(zip(channels, channels[1:]))[::-1]
        self.rise = nn.ModuleList(nn.ConvTranspose3d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.decoder = nn.ModuleList(Block(2 * fine, fine) for fine, _ in pairs)
        self.head = nn.Conv3d(channels[0], outputs * STRIDE**3, 1)

    def forward(self, volumes: Tensor) -> Tensor:
        check_sides(volumes, DIVISOR)
        features = [self.encoder[0](self.stem(volumes))]
        for block in list(self.encoder)[1:]:
            features.append(block(self.pool(features[-1])))
        decoded = features.pop()
        for rise, block in zip(self.rise, self.decoder):
            decoded = block(torch.cat([features.pop(), rise(decoded)], dim=1))
        return voxels_from_channels(self.head(decoded))


def membrane_logit(answers: Tensor) -> Tensor:
    """(n, 1, z, y, x): logit of membrane in the softmax of background, membrane and filament, of the network's answers.

    A microtubule's wall looks like a membrane; where the network sees a filament as well, that one takes its share.
    """
    membrane, filament = answers[:, MEMBRANE_OUTPUT, None].float(), answers[:, FILAMENT_OUTPUT, None].float()
    return membrane - functional.softplus(filament)


def voxels_from_channels(cells: Tensor) -> Tensor:
    """(n, outputs * 8, z, y, x) to (n, outputs, 2 z, 2 y, 2 x): the eight channels of an output are the voxels of a cell, x fastest."""
    n, channels, z, y, x = cells.shape
    outputs = channels // STRIDE**3
    parts = cells.reshape(n, outputs, STRIDE, STRIDE, STRIDE, z, y, x)
    return parts.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, outputs, STRIDE * z, STRIDE * y, STRIDE * x)
