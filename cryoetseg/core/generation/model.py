"""A trained generator on disk: the network, its diffusion, its classes and where training particles sat."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..models.card import ModelCard, length, load_model, reading_card, save_model
from ..runtime.errors import ParameterError, WeightsError
from .data import Particles
from .diffusion import NoiseSchedule
from .network import ConditionalUNet3d
from .params import TrainGeneratorParameters
from .published import import_published

METHOD = "generator"
NETWORK = "conditional_unet3d"
NORMALISATION = "each cube to mean 0 and standard deviation 1"
KEPT_POSITIONS = 512  # enough to draw from, small enough for a card
LARGEST_BOX, MOST_STEPS = 256, 10_000  # of TrainGeneratorParameters


@dataclass(frozen=True)
class Generator:
    """A network that makes particles. ``positions`` (n, 3) are places of training particles, fractions (z, y, x), maybe none."""

    network: ConditionalUNet3d
    schedule: NoiseSchedule
    classes: list[str]
    box: int
    voxel_size: float
    contrast: str
    knows_no_class: bool
    positions: np.ndarray

    def class_numbers(self, names: str) -> list[int]:
        """Numbers of the classes in ``names`` (with commas), or of all; raises ``ParameterError`` for an unknown one."""
        if names.strip().lower() in ("all", ""):
            return list(range(len(self.classes)))
        wanted = [name.strip() for name in names.split(",") if name.strip()]
        unknown = [name for name in wanted if name not in self.classes]
        if unknown:
            raise ParameterError(f"unknown class '{unknown[0]}'", "all, " + ", ".join(self.classes),
                                 "give a class the model was trained on")
        return [self.classes.index(name) for name in wanted]


def generator_card(particles: Particles, parameters: TrainGeneratorParameters, schedule: NoiseSchedule,
                   record: dict[str, Any]) -> ModelCard:
    """The card of a network trained on ``particles``."""
    places = particles.positions()
    kept = places[np.linspace(0, len(places) - 1, min(len(places), KEPT_POSITIONS)).round().astype(int)]
    return ModelCard(
        method=METHOD, network=NETWORK, network_parameters={"classes": len(particles.classes), "channels": parameters.channels},
        voxel_size=particles.sources[0].voxel_size, contrast="bright", normalisation=NORMALISATION,
        classes=dict(enumerate(particles.classes)),
        training={"diffusion": schedule.record(), "box_px": parameters.box_px, "class_dropout": parameters.class_dropout,
                  "positions_zyx": [[round(float(value), 3) for value in place] for place in kept],
                  "particles": particles.counts(), "parameters": parameters.model_dump(mode="json"), **record})


def load_generator(folder: str | Path) -> Generator:
    """Read a model folder, named by itself or by the output folder that holds it. Raises ``WeightsError``."""
    network, card = load_model(folder, _build)
    with reading_card(folder):
        training = card.training
        schedule, box = NoiseSchedule(**training["diffusion"]), int(length(training["box_px"], "the box", 1, LARGEST_BOX))
        if not 1 <= schedule.steps <= MOST_STEPS:
            raise ValueError(f"there are {schedule.steps} noise steps")
        kept = schedule.kept().numpy()
        if not ((kept > 0) & (kept < 1)).all() or len(card.classes) != network.condition.class_.in_features:
            raise ValueError(f"{schedule} with {len(card.classes)} classes")
        positions = np.array(training.get("positions_zyx", []), dtype=np.float32).reshape(-1, 3)
        if not np.isfinite(positions).all():
            raise ValueError("positions_zyx are no numbers")
        return Generator(network, schedule, [card.classes[number] for number in sorted(card.classes)], box, card.voxel_size, card.contrast,
                         training.get("class_dropout", 0) > 0, positions)


def _build(card: ModelCard) -> ConditionalUNet3d:
    if card.network != NETWORK:
        raise WeightsError(f"the model is a '{card.network}' of {card.method}", f"a {NETWORK}", "name the folder that generate train wrote")
    return ConditionalUNet3d(int(card.network_parameters["classes"]), int(card.network_parameters["channels"]))


def import_checkpoint_as_model(path: str | Path, folder: str | Path, classes: list[str], voxel_size: float, box: int = 64) -> ModelCard:
    """Turn a published checkpoint into a model folder; its particles are dark, its answer is the clean volume (spec A5).

    ``classes`` in the order of the checkpoint's class numbers (the authors': by name). Raises ``WeightsError``, ``ParameterError``.
    """
    network = import_published(path)
    known = network.condition.class_.in_features
    if len(classes) != known:
        raise ParameterError(f"{len(classes)} class names", f"{known}, as many as the checkpoint knows")
    parameters = {"classes": known, "channels": network.head.in_channels}
    card = ModelCard(method=METHOD, network=NETWORK, network_parameters=parameters, voxel_size=voxel_size, contrast="dark",
                     normalisation=NORMALISATION, classes=dict(enumerate(classes)),
                     training={"diffusion": NoiseSchedule().record(), "box_px": box, "class_dropout": 0.0,
                               "imported_from": Path(path).name})
    return save_model(folder, network, card)
