"""A trained picker: the network and what it must know to pick."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch

from ...models.card import ModelCard, length, load_model, reading_card
from ...models.residual_unet3d import CHANNELS, ResidualUNet3d
from ...runtime.errors import WeightsError
from ...runtime.seeds import stream_seed
from .data import ParticleClasses
from .labels import LabelKind
from .params import TrainPickerParameters

NETWORK = "residual-unet3d"


@dataclass(frozen=True)
class PickerModel:
    """``network`` with the classes it knows (numbers, names, true diameters in Angstrom, label diameters in voxels of ``voxel_size``)."""

    network: ResidualUNet3d
    width: int
    voxel_size: float
    label: LabelKind
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    diameters: tuple[float, ...]
    labels_px: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """Channels of the network."""
        return 1 if len(self.numbers) == 1 else len(self.numbers) + 1

    @property
    def diameters_px(self) -> tuple[float, ...]:
        """True diameters in voxels."""
        return tuple(diameter / self.voxel_size for diameter in self.diameters)

    def record(self) -> dict[str, Any]:
        """What the model card says beside network and classes."""
        return {"label": self.label, "diameters": list(self.diameters), "labels_px": list(self.labels_px)}


def build_network(outputs: int, width: int, seed: int = 0) -> ResidualUNet3d:
    """The 3D residual U-Net with ``width`` feature maps at its finest level, first weights drawn from ``seed``."""
    maps = [width * count // CHANNELS[0] for count in CHANNELS]
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, "picker"))  # torch draws first weights from the global stream
        return ResidualUNet3d(outputs, maps).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def picker_model(network: Any, classes: ParticleClasses, voxel_size: float, parameters: TrainPickerParameters) -> PickerModel:
    """The model made by a training."""
    return PickerModel(network.eval(), parameters.width, voxel_size, parameters.label, classes.numbers, classes.names, classes.diameters,
                       classes.labels_px)


def load_picker(folder: str | Path) -> PickerModel:
    """Read a model folder, ``OUT`` of a training or ``OUT/model``. Raises :class:`WeightsError` for another or a damaged model."""
    network, card = load_model(folder, _build)
    with reading_card(folder):
        training = card.training
        diameters = tuple(length(value, "a particle's diameter") for value in training["diameters"])
        labels_px = tuple(int(length(value, "a label's diameter", 0.5)) for value in training["labels_px"])
        if not len(card.classes) == len(diameters) == len(labels_px) or training["label"] not in get_args(LabelKind):
            raise ValueError(f"{len(card.classes)} classes, {len(diameters)} diameters, {len(labels_px)} labels '{training['label']}'")
        return PickerModel(network, int(card.network_parameters["width"]), card.voxel_size, training["label"], tuple(card.classes),
                           tuple(card.classes.values()), diameters, labels_px)


def _build(card: ModelCard) -> ResidualUNet3d:
    if card.method != "picker" or card.network != NETWORK:
        raise WeightsError(f"this is a model of '{card.method}' with the network '{card.network}'", f"'picker' with '{NETWORK}'",
                           "name the folder that train picker wrote")
    return build_network(int(card.network_parameters["outputs"]), int(card.network_parameters["width"]))
