"""A trained network of centres and what it must know to pick."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...models.card import ModelCard, length, load_model, reading_card, widths
from ...models.centre_unet3d import CentreUNet3d
from ...models.membrane_unet3d import CHANNELS
from ...runtime.errors import WeightsError
from ...runtime.seeds import stream_seed
from .targets import OUTPUTS

METHOD, NETWORK = "picker", "centre-unet3d"
FREE, MEMBRANE_BOUND = 1, 2
KINDS = {FREE: "particle", MEMBRANE_BOUND: "membrane protein"}
RARE = -3.5  # first answer of the heat: centres are rare


@dataclass(frozen=True)
class Calibration:
    """How likely a pick is a particle, fitted on scenes that taught nothing: the logit of that probability is slope x logit of the heat
    + offset + coarseness x log2(voxel size of the tomogram / 10 A), because coarse tomograms hold more particles in as many voxels."""

    slope: float = 1.0
    offset: float = 0.0
    coarseness: float = 0.0

    def calibrated(self, heat_logit: np.ndarray, voxel_size: Any) -> np.ndarray:
        """Logits (n,) of the probabilities of picks in tomograms of ``voxel_size`` Angstrom, one or (n,), from those of their heat."""
        return self.slope * heat_logit + self._at(voxel_size)

    def heat_logit(self, probability: float, voxel_size: float) -> float:
        """The heat's logit that means ``probability`` in a tomogram of ``voxel_size`` Angstrom."""
        return float((np.log(probability / (1 - probability)) - self._at(voxel_size)) / self.slope)

    def _at(self, voxel_size: Any) -> Any:
        return self.offset + self.coarseness * np.log2(np.asarray(voxel_size) / 10)


@dataclass(frozen=True)
class CentreModel:
    """``network`` with the voxel sizes (Angstrom) between which tomograms are shown to it, binned where they are finer."""

    network: CentreUNet3d
    finest: float
    coarsest: float
    calibration: Calibration

    def binnings(self, voxel_size: float) -> list[int]:
        """Binnings by powers of two that bring voxels of ``voxel_size`` into the range; the nearest one where none does."""
        powers = [2**power for power in range(6)]
        inside = [binning for binning in powers if self.finest <= voxel_size * binning <= self.coarsest]
        return inside or [powers[0] if voxel_size > self.coarsest else powers[-1]]


def build_network(seed: int, channels: Sequence[int] = CHANNELS) -> CentreUNet3d:
    """The network with first weights drawn from ``seed``; as wide as that of membranes, unless ``channels`` says otherwise."""
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, "centres"))  # torch draws first weights from the global stream
        network = CentreUNet3d(OUTPUTS, channels)
        torch.nn.init.constant_(network.head.bias[:1], RARE)  # type: ignore[index]
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def centre_card(model: CentreModel, training: dict[str, Any], **named: str) -> ModelCard:
    """The card of a model; ``named`` are its ``name`` and ``made_by``."""
    calibration = asdict(model.calibration)
    return ModelCard(
        method=METHOD, network=NETWORK, voxel_size=model.finest, contrast="bright", classes=KINDS,
        network_parameters={"channels": list(model.network.channels), "finest": model.finest, "coarsest": model.coarsest,
                            "calibration": calibration},
        normalisation="cleaned tomogram: mean 0, deviation 1", training=training, **named)


def load_centres(folder: str | Path) -> CentreModel:
    """Read a model folder. Raises :class:`WeightsError` for another or a damaged model."""
    network, card = load_model(folder, _build)
    values = card.network_parameters
    with reading_card(folder):
        finest = length(values["finest"], "the finest voxel size")
        coarsest = length(values["coarsest"], "the coarsest voxel size")
        calibration = Calibration(**{name: float(value) for name, value in values["calibration"].items()})
        if coarsest < finest or not np.isfinite(list(asdict(calibration).values())).all() or calibration.slope <= 0:
            raise ValueError(f"voxel sizes {finest} to {coarsest} A, {calibration}")
        return CentreModel(network, finest, coarsest, calibration)


def _build(card: ModelCard) -> CentreUNet3d:
    if card.method != METHOD or card.network != NETWORK:
        raise WeightsError(f"this is a model of '{card.method}' with the network '{card.network}'", f"'{METHOD}' with '{NETWORK}'",
                           "name another model")
    return build_network(0, widths(card.network_parameters["channels"]))
