"""A network that turns a box about a particle into a point on a sphere: alike particles near each other, however they lie."""
from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .centre_unet3d import CHANNELS, STRIDE, Block
from .shapes import check_sides

SIDE = 32  # voxels of a box
SHELLS = (6, 4, 2, 1)  # rings about the centre over which the features of each level are averaged
DIVISOR = 16


class EmbeddingNetwork(nn.Module):
    """Boxes (batch, 1, z, y, x) to unit vectors (batch, size); sides are multiples of 16.

    The encoder is that of :class:`~.centre_unet3d.CentreUNet3d`. Its features are averaged over shells about the centre, which do not
    change when the particle turns, at every level.
    """

    def __init__(self, size: int = 32, side: int = SIDE, channels: Sequence[int] = CHANNELS) -> None:
        super().__init__()
        self.size, self.channels = size, tuple(channels)
        self.stem = nn.Conv3d(1, channels[0], 4, stride=STRIDE, padding=1)
        self.encoder = nn.ModuleList([Block(channels[0], channels[0])])
        self.encoder.extend(Block(fine, coarse) for fine, coarse in zip(channels, channels[1:]))
        self.pool = nn.MaxPool3d(2)
        for level, count in enumerate(SHELLS):
            self.register_buffer(f"shells{level}", shells(side // STRIDE // 2**level, count)[None], persistent=False)
        features = sum(number * count for number, count in zip(channels, SHELLS))
        self.head = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, 256), nn.ReLU(), nn.Linear(256, size))

    def forward(self, boxes: Tensor) -> Tensor:
        check_sides(boxes, DIVISOR)
        features = self.encoder[0](self.stem(boxes))
        pooled = [self._by_shell(features, 0)]
        for level, block in enumerate(list(self.encoder)[1:], start=1):
            features = block(self.pool(features))
            pooled.append(self._by_shell(features, level))
        return functional.normalize(self.head(torch.cat(pooled, dim=1)).float(), dim=1)

    def _by_shell(self, features: Tensor, level: int) -> Tensor:
        weights = getattr(self, f"shells{level}").to(features.dtype)
        return torch.einsum("nczyx,szyx->ncs", features, weights[0]).flatten(1)


def shells(side: int, count: int) -> Tensor:
    """Weights (count, side, side, side) of means over rings of equal width about the centre of a cube; they overlap by half a ring."""
    axis = torch.arange(side) - (side - 1) / 2
    radius = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()
    width = side / 2 / count
    places = (torch.arange(count) + 0.5) * width if count > 1 else torch.tensor([0.0])
    weights = (1 - (radius - places[:, None, None, None]).abs() / width).clamp_min(0) if count > 1 else (radius <= side / 2)[None].float()
    return weights / weights.sum(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
