"""The two networks of the missing wedge at their start."""
from __future__ import annotations

import torch
from torch import nn

from .model import widths
from .networks import FilteredUNet
from .params import TrainWedgeParameters, WedgeArchitecture


class WedgeNetworks(nn.Module):
    """``fill`` (A to B) and ``cut`` (B to A): a linear filter with a U-Net beside it, which starts at zero."""

    def __init__(self, shape: WedgeArchitecture) -> None:
        super().__init__()
        self.shape = shape
        self.fill = FilteredUNet(widths(shape.fill_channels), shape.filter_radius)
        self.cut = FilteredUNet(widths(shape.cut_channels), shape.filter_radius)


def first_pair(parameters: TrainWedgeParameters, seed: int) -> WedgeNetworks:
    """Both networks as the identity, their U-Nets from the seed alone."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return WedgeNetworks(WedgeArchitecture(**parameters.model_dump(include=set(WedgeArchitecture.model_fields))))
