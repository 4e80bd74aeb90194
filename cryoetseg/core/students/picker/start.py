"""The model a picker's training starts from."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ...models.card import ModelCard, read_card
from ...runtime.errors import ParameterError
from ...runtime.job import model_folder
from .data import ParticleClasses
from .model import PickerModel, load_picker


@dataclass(frozen=True)
class Start:
    """A picker and its card."""

    model: PickerModel
    card: ModelCard

    @classmethod
    def load(cls, folder: str | Path) -> Start:
        """Read a model folder; raises :class:`WeightsError` for another or a damaged model."""
        return cls(load_picker(folder), read_card(model_folder(folder)))

    @property
    def origin(self) -> str:
        """What tells this start from others."""
        return self.card.sha256

    def check_classes(self, classes: ParticleClasses) -> None:
        """Raises :class:`ParameterError` where the network answers with another number of classes than the lists have."""
        if self.model.outputs != classes.outputs:
            raise ParameterError(f"a model to start from that tells {len(self.model.numbers)} classes, for lists of {len(classes.numbers)}",
                                 "equal numbers of classes", "merge the classes of the lists, or train without a start")

    def unless_worse(self, model: PickerModel, loss: Callable[[torch.nn.Module], float]) -> tuple[PickerModel, list[str]]:
        """``model``, or this start with the names of its classes where its ``loss`` is the smaller one, and what to say of it."""
        network = self.model.network.to(next(model.network.parameters()).device)
        before, after = loss(network), loss(model.network)
        if after <= before:
            return model, []
        kept = replace(self.model, numbers=model.numbers, names=model.names)
        return kept, [f"training made the model worse on particles it did not learn (loss {after:.3f}, the start {before:.3f}): the start "
                      "is kept"]
