"""A 3D U-Net that says where membranes are, voxel by voxel, working at half the resolution of its input."""
from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from .centre_unet3d import STRIDE, CentreUNet3d

CHANNELS = (32, 64, 96, 128)
OUTPUTS, MEMBRANE_OUTPUT, FILAMENT_OUTPUT = 2, 0, 1


class MembraneUNet3d(CentreUNet3d):
    """Volumes (batch, 1, z, y, x) to logits (batch, outputs, z, y, x); sides are multiples of 16.

    The network of centres with eight channels for each output: the voxels of a cell (sub-pixel convolution), so that the costly layers see
    an eighth of the voxels.
    """

    def __init__(self, outputs: int, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__(outputs * STRIDE**3, channels)

    def forward(self, volumes: Tensor) -> Tensor:
        return voxels_from_channels(super().forward(volumes))

    @staticmethod
    def voxels_of(output: int) -> slice:
        """The channels of the last layer that are the voxels of an ``output``."""
        return slice(output * STRIDE**3, (output + 1) * STRIDE**3)


def membrane_logit(answers: Tensor) -> Tensor:
    """(n, 1, z, y, x): logit of membrane in the softmax of background, membrane and filament, of the network's answers.

    A microtubule's wall looks like a membrane; where the network sees a filament as well, that one takes its share.
    """
    membrane, filament = answers[:, MEMBRANE_OUTPUT, None].float(), answers[:, FILAMENT_OUTPUT, None].float()
    return membrane - functional.softplus(filament)


def filament_logit(answers: Tensor) -> Tensor:
    """(n, 1, z, y, x): logit of filament in the same softmax."""
    membrane, filament = answers[:, MEMBRANE_OUTPUT, None].float(), answers[:, FILAMENT_OUTPUT, None].float()
    return filament - functional.softplus(membrane)


def voxels_from_channels(cells: Tensor) -> Tensor:
    """(n, outputs * 8, z, y, x) to (n, outputs, 2 z, 2 y, 2 x): the eight channels of an output are the voxels of a cell, x fastest."""
    n, channels, z, y, x = cells.shape
    outputs = channels // STRIDE**3
    parts = cells.reshape(n, outputs, STRIDE, STRIDE, STRIDE, z, y, x)
    return parts.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(n, outputs, STRIDE * z, STRIDE * y, STRIDE * x)
