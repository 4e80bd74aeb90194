"""The membrane student's network and its model folder."""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from ...models.card import ModelCard, load_model
from ...models.unet2d import UNet2d
from ...runtime.errors import WeightsError
from .view import Preparation

METHOD, NETWORK = "membranes", "UNet2d"
CLASSES = {0: "background", 1: "membrane"}


class MembraneModel(NamedTuple):
    """A trained student and what its card says."""

    network: UNet2d
    card: ModelCard

    @property
    def slices(self) -> int:
        """Neighbouring slices the network sees."""
        return int(self.card.network_parameters["inputs"])

    def working_sizes(self, voxel_size: float) -> list[float]:
        """Voxel sizes (Angstrom) at which a tomogram of ``voxel_size`` is shown to the network, whose answers are averaged.

        A model for one tomogram has one, its own. A general one has the range of voxel sizes at which it works as they are, and factors
        of the tomogram's own voxel size that stay in this range; a tomogram outside is brought to the nearest end.
        """
        known = self.card.network_parameters
        if "working_range" not in known:
            return [self.card.voxel_size]
        low, high = known["working_range"]
        inside = [voxel_size / factor for factor in known["working_factors"] if low <= voxel_size / factor <= high]
        return inside or [min(max(voxel_size, low), high)]

    @property
    def preparation(self) -> Preparation:
        """What was done to the grey values in training."""
        return Preparation(self.card.normalisation, float(self.card.network_parameters.get("smoothing_px", 0)))


def build_network(slices: int) -> UNet2d:
    """The published U-Net with ``slices`` input channels. Weights are drawn from torch's global stream."""
    return UNet2d(slices, len(CLASSES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def load_membrane_model(folder: str | Path) -> MembraneModel:
    """Read a model folder; raises ``WeightsError`` when it is damaged or of another method."""
    network, card = load_model(folder, _build)
    return MembraneModel(network, card)


def _build(card: ModelCard) -> UNet2d:
    inputs, smoothing = card.network_parameters.get("inputs"), card.network_parameters.get("smoothing_px", 0)
    fits = isinstance(inputs, int) and 1 <= inputs <= 15 and isinstance(smoothing, (int, float)) and 0 <= smoothing <= 5
    if card.method != METHOD or card.network != NETWORK or card.normalisation not in ("volume", "slice") or not fits:
        raise WeightsError(f"a model of the method '{card.method}' with the network '{card.network}'", f"{METHOD} with {NETWORK}",
                           "name a folder written by the training of membranes")
    return build_network(int(inputs))  # type: ignore[arg-type]
