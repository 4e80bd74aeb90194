"""VoxResNet, the backbone of Vox-UDA (Chen et al. 2018; layer table of spec B3), and its domain discriminator.

17 convolutions in the trunk, four heads of a transposed convolution and a 1 x 1 x 1 classifier each: 25 in all. The logit is the sum of the
heads. Four features on the way are what the consistency loss compares.
"""
from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..models.shapes import check_sides

NETWORK = "voxresnet"  # its name in model cards
WIDTH = 32
HEAD_CHANNELS = 4
DIVISOR = 8


class Taps(NamedTuple):
    """Features of a 32 x 32 x 32 input: (32, 32^3), (64, 16^3), (64, 8^3), (64, 4^3) with the published width."""

    f_c: Tensor
    f_v2: Tensor
    f_v4: Tensor
    f_v6: Tensor


class VoxResNet(nn.Module):
    """Volumes (batch, 1, z, y, x) to logits (batch, 1, z, y, x); sides are multiples of 8.

    ``width`` is the number of channels at full resolution (32 published), twice as many deeper down. ``head_channels`` are those
    between a head's transposed convolution and its classifier, which no source states.
    """

    def __init__(self, width: int = WIDTH, head_channels: int = HEAD_CHANNELS) -> None:
        super().__init__()
        deep = 2 * width
        self.conv1a = nn.Conv3d(1, width, 3, padding=1)
        self.conv1b = nn.Sequential(*_activated(width), nn.Conv3d(width, width, 3, padding=1))
        self.res2 = _level(width, deep)
        self.res4 = _level(deep, deep)
        self.res6 = _level(deep, deep)
        self.heads = nn.ModuleList([
            Head(nn.ConvTranspose3d(width, head_channels, 3, padding=1)),
            *(Head(nn.ConvTranspose3d(deep, head_channels, scale, stride=scale)) for scale in (2, 4, 8))])

    def forward(self, volumes: Tensor) -> Tensor:
        return self.logits(self.features(volumes))

    def features(self, volumes: Tensor) -> Taps:
        """The four taps of the consistency loss."""
        check_sides(volumes, DIVISOR)
        f_c = self.conv1b(self.conv1a(volumes))
        f_v2 = self.res2(f_c)
        f_v4 = self.res4(f_v2)
        return Taps(f_c, f_v2, f_v4, self.res6(f_v4))

    def logits(self, taps: Taps) -> Tensor:
        """Sum of the four heads."""
        return torch.stack([head(tap) for head, tap in zip(self.heads, taps)]).sum(dim=0)


class VoxRes(nn.Module):
    """x + conv(ReLU(BN(conv(ReLU(BN(x)))))): normalised before each convolution, nothing after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.path = nn.Sequential(*_activated(channels), nn.Conv3d(channels, channels, 3, padding=1),
                                  *_activated(channels), nn.Conv3d(channels, channels, 3, padding=1))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.path(features)


def _level(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*_activated(inputs), nn.Conv3d(inputs, outputs, 3, stride=2, padding=1), VoxRes(outputs), VoxRes(outputs))


def _activated(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm3d(channels), nn.ReLU()


class Head(nn.Sequential):
    """A transposed convolution and a 1 x 1 x 1 classifier, from features (batch, channels, z, y, x) to logits (batch, 1, z, y, x).

    Nothing lies between the two, so that both are applied as one with the product of their weights: a fifth less time per step.
    """

    def __init__(self, raise_: nn.ConvTranspose3d) -> None:
        super().__init__(raise_, nn.Conv3d(raise_.out_channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        raise_, classifier = cast("nn.ConvTranspose3d", self[0]), cast("nn.Conv3d", self[1])
        share = classifier.weight[0, :, 0, 0, 0]
        weight = (raise_.weight * share[:, None, None, None]).sum(dim=1, keepdim=True)
        bias = cast("Tensor", raise_.bias) @ share + cast("Tensor", classifier.bias)
        scale = raise_.stride[0]
        if scale == 1:
            return F.conv_transpose3d(features, weight, bias, padding=1)
        # a step as long as the kernel: every voxel becomes a cube of its own, and the cubes lie side by side
        cubes = F.linear(features.permute(0, 2, 3, 4, 1), weight.flatten(1).t()) + bias
        batch, z, y, x = cubes.shape[:4]
        cubes = cubes.view(batch, z, y, x, scale, scale, scale).permute(0, 1, 4, 2, 5, 3, 6)
        return cubes.reshape(batch, 1, z * scale, y * scale, x * scale)


class DomainDiscriminator(nn.Module):
    """Logit (batch,) that a feature f_v6 (batch, channels, z, y, x) comes from the target; the gradient turns round on its way back.

    Ganin et al. (2016). Tap and layers are not published; these are spec B6's.
    """

    def __init__(self, channels: int = 2 * WIDTH) -> None:
        super().__init__()
        self.convolution = nn.Sequential(nn.Conv3d(channels, 128, 3, padding=1), nn.LeakyReLU(0.2))
        self.decision = nn.Sequential(nn.Linear(128, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def forward(self, features: Tensor, strength: float) -> Tensor:
        reversed_ = ReverseGradient.apply(features, strength)
        return self.decision(self.convolution(reversed_).mean(dim=(2, 3, 4)))[:, 0]


class ReverseGradient(torch.autograd.Function):
    """Identity forwards; backwards the gradient times -strength."""

    @staticmethod
    def forward(context: torch.autograd.function.FunctionCtx, features: Tensor, strength: float) -> Tensor:  # type: ignore[override]
        context.strength = strength  # type: ignore[attr-defined]
        return features.view_as(features)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return -context.strength * gradient, None  # type: ignore[attr-defined]
