"""A trained DUAL on disk and in memory: the four networks that serve after training."""
from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from ..models.card import ModelCard, load_model, save_model
from ..runtime.errors import WeightsError
from .networks import FilteredUNet, NoiseDecoder, NoiseEncoder, StructuralGenerator
from .params import DualArchitecture

METHOD = "dual"  # what a model serves, as in its card


class DualNetworks(nn.Module):
    """Denoiser, structural generator, noise encoder and noise decoder of one shape."""

    def __init__(self, shape: DualArchitecture) -> None:
        super().__init__()
        self.shape = shape
        spatial = shape.code == "spatial"
        self.denoiser = FilteredUNet(widths(shape.denoiser_channels), shape.filter_radius)
        self.generator = StructuralGenerator(widths(shape.generator_channels), shape.filter_radius)
        encoder = widths(shape.noise_channels)
        self.encoder = NoiseEncoder(encoder, shape.code_length, spatial)
        self.decoder = NoiseDecoder((*encoder[::-1], max(1, encoder[0] // 2)), shape.code_length, spatial, shape.block_px)


def widths(text: str) -> tuple[int, ...]:
    """``'12,24,48'`` as numbers."""
    return tuple(int(part) for part in text.split(","))


def save_dual(folder: str | Path, networks: DualNetworks, card: ModelCard) -> ModelCard:
    """Write the model folder."""
    return save_model(folder, networks, card)


def load_dual(folder: str | Path, device: torch.device) -> tuple[DualNetworks, ModelCard]:
    """Read a model folder; raises :class:`WeightsError` when it is not a DUAL."""

    def build(card: ModelCard) -> DualNetworks:
        if card.network != "dual":
            raise WeightsError(f"{folder} holds a model of '{card.method}' (network '{card.network}')", "a model of 'cryoetseg dual train'",
                               "name the folder a DUAL training wrote")
        return DualNetworks(DualArchitecture(**card.network_parameters))

    networks, card = load_model(folder, build)
    return networks.to(device), card
