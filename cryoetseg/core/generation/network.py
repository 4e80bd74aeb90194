"""The conditional U-Net of Cryo-ET-Diff (spec A4): 3,420,067 parameters with six classes and 32 channels.

The published network takes positions as (x, y, z); here, as everywhere in the package, they are (z, y, x). The converter in
:mod:`.published` turns the columns of the one layer that sees them.
"""
from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..models.shapes import check_sides

CONDITION = 128
GROUPS = 8
DIVISOR = 8
LONGEST_PERIOD = 10000.0


class ConditionalUNet3d(nn.Module):
    """Noisy volumes (b, 1, z, y, x) to an answer of the same shape; sides are multiples of 8.

    ``steps`` (b,) are noise steps, ``classes`` (b, n) one-hot rows (a row of zeros is "any class"), ``positions`` (b, 3) the
    particle's place in its tomogram, (z, y, x) as fractions of the tomogram's sides (0.5 is "anywhere").
    """

    def __init__(self, classes: int, channels: int = 32) -> None:
        super().__init__()
        one, two, four = channels, 2 * channels, 4 * channels
        self.condition = Condition(classes)
        self.encoder = nn.ModuleList([ResidualBlock(1, one), ResidualBlock(one, two), ResidualBlock(two, four)])
        self.lower = nn.ModuleList(nn.Conv3d(count, count, 3, stride=2, padding=1) for count in (one, two, four))
        self.bottleneck = ResidualBlock(four, four)
        self.raise_ = nn.ModuleList(nn.ConvTranspose3d(count, count, 2, stride=2) for count in (four, two, one))
        self.decoder = nn.ModuleList([ResidualBlock(2 * four, two), ResidualBlock(2 * two, one), ResidualBlock(2 * one, one)])
        self.head = nn.Conv3d(one, 1, 3, padding=1)

    def forward(self, noisy: Tensor, steps: Tensor, classes: Tensor, positions: Tensor) -> Tensor:
        check_sides(noisy, DIVISOR)
        condition = self.condition(steps, classes, positions)
        skips, features = [], noisy
        for block, lower in zip(self.encoder, self.lower):
            skips.append(block(features, condition))
            features = lower(skips[-1])
        features = self.bottleneck(features, condition)
        for raise_, block in zip(self.raise_, self.decoder):
            features = block(torch.cat([raise_(features), skips.pop()], dim=1), condition)
        return self.head(features)


class Condition(nn.Module):
    """Noise step, class and position, each embedded in 128 numbers and added (the paper says joined; the authors' code adds)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.step = nn.Sequential(nn.Linear(CONDITION, CONDITION), nn.SiLU(), nn.Linear(CONDITION, CONDITION))
        self.class_ = nn.Linear(classes, CONDITION)
        self.position = nn.Sequential(nn.Linear(3, CONDITION), nn.SiLU(), nn.Linear(CONDITION, CONDITION))

    def forward(self, steps: Tensor, classes: Tensor, positions: Tensor) -> Tensor:
        return self.step(sinusoids(steps)) + self.class_(classes) + self.position(positions)


def sinusoids(steps: Tensor, size: int = CONDITION) -> Tensor:
    """Sines, then cosines of ``steps`` (b,) at ``size`` / 2 frequencies from 1 to 1 / 10000 (spec A4: the divisor is 63, not 64)."""
    half = size // 2
    frequencies = torch.exp(-math.log(LONGEST_PERIOD) / (half - 1) * torch.arange(half, device=steps.device))
    angles = steps.to(torch.float32)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions, each after GroupNorm and SiLU, with the condition added between them (a bias, no scale)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before = nn.Sequential(_norm(inputs), nn.SiLU(), nn.Conv3d(inputs, outputs, 3, padding=1))
        self.condition = nn.Linear(CONDITION, outputs)
        self.after = nn.Sequential(_norm(outputs), nn.SiLU(), nn.Conv3d(outputs, outputs, 3, padding=1))
        self.skip = nn.Conv3d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        hidden = self.before(features) + self.condition(condition)[:, :, None, None, None]
        return self.after(hidden) + self.skip(features)


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(min(GROUPS, channels), channels)  # the very first one: one group on one channel
