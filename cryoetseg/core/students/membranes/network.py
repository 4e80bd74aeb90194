"""The membrane student's network and its model folder."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...models.card import ModelCard, length, load_model
from ...models.membrane_unet3d import OUTPUTS, MembraneUNet3d, membrane_logit
from ...models.unet2d import UNet2d
from ...runtime.errors import WeightsError
from .view import Preparation

METHOD, NETWORK, VOLUME_NETWORK = "membranes", "UNet2d", "MembraneUNet3d"
COARSER = 1.05  # times the coarsest working size from which on another one adds anything
WORKING_SCALES = 2  # of a general model's working sizes that are averaged: more cost time and bring little
CLASSES = {0: "background", 1: "membrane"}


class MembraneModel(NamedTuple):
    """A trained student, what its card says, and which of the structures that a network of volumes knows is asked for."""

    network: UNet2d | MembraneUNet3d
    card: ModelCard
    logit: Callable[[Tensor], Tensor] = membrane_logit

    @property
    def is_volumetric(self) -> bool:
        """Whether the network sees volumes, and not stacks of neighbouring slices."""
        return self.card.network == VOLUME_NETWORK

    @property
    def slices(self) -> int:
        """Neighbouring slices the network sees at once to label the middle one."""
        return int(self.card.network_parameters["inputs"])

    def working_sizes(self, voxel_size: float) -> list[float]:
        """Voxel sizes (Angstrom) at which a tomogram of ``voxel_size`` is shown to the network, whose answers are averaged.

        A model for one tomogram has one, its own. A general one names several at which a bilayer is as thick as it knows; of these the two
        nearest to the tomogram's own are taken, and the nearest gives way to the own one inside their range, because interpolated voxels
        are a domain of their own.
        """
        known = self._known_sizes
        nearest = sorted(known, key=lambda size: abs(np.log(size / voxel_size)))[:WORKING_SCALES]
        own = [voxel_size] if len(known) > 1 and min(known) <= voxel_size <= max(known) else nearest[:1]
        return sorted([*own, *nearest[1:]])

    def coarser_sizes(self, voxel_size: float) -> list[float]:
        """Further voxel sizes that a general model knows, coarser than all of :meth:`working_sizes`: they see through more noise."""
        return [size for size in self._known_sizes if size > COARSER * max(self.working_sizes(voxel_size))]

    @property
    def _known_sizes(self) -> list[float]:
        return [float(size) for size in self.card.network_parameters.get("working_sizes", [self.card.voxel_size])]

    @property
    def coarsest(self) -> float:
        """Largest voxel size (Angstrom) of the tomograms that taught a general model; infinite where the card tells none."""
        return float(self.card.network_parameters.get("coarsest", float("inf")))

    @property
    def preparation(self) -> Preparation:
        """What was done to the grey values in training."""
        return Preparation(self.card.normalisation, float(self.card.network_parameters.get("smoothing_px", 0)))


def build_network(slices: int) -> UNet2d:
    """The published U-Net with ``slices`` input channels. Weights are drawn from torch's global stream."""
    return UNet2d(slices, len(CLASSES)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_volume_network() -> MembraneUNet3d:
    """The general model's network. Weights are drawn from torch's global stream."""
    return MembraneUNet3d(OUTPUTS).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def load_membrane_model(folder: str | Path) -> MembraneModel:
    """Read a model folder; raises ``WeightsError`` when it is damaged or of another method."""
    network, card = load_model(folder, _build)
    return MembraneModel(network, card)


def _build(card: ModelCard) -> UNet2d | MembraneUNet3d:
    inputs, smoothing = card.network_parameters.get("inputs"), card.network_parameters.get("smoothing_px", 0)
    fits = isinstance(inputs, int) and 1 <= inputs <= 15 and isinstance(smoothing, (int, float)) and 0 <= smoothing <= 5
    known = card.network in (NETWORK, VOLUME_NETWORK)
    if card.method != METHOD or not known or card.normalisation not in ("volume", "slice") or not fits:
        raise WeightsError(f"a model of the method '{card.method}' with the network '{card.network}'",
                           f"{METHOD} with {NETWORK} or {VOLUME_NETWORK}", "name a folder written by the training of membranes")
    if not [length(value, "a working size") for value in card.network_parameters.get("working_sizes", [card.voxel_size])]:
        raise ValueError("there are no working sizes")
    return build_volume_network() if card.network == VOLUME_NETWORK else build_network(int(inputs))  # type: ignore[arg-type]
