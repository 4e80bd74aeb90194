"""The model of a training that did not end by itself, from its checkpoints."""
from __future__ import annotations

from pathlib import Path

from torch import nn

from ..models.card import ModelCard, read_card, reading_card
from ..runtime.errors import InputError, WeightsError
from ..runtime.job import Job, MethodOutcome
from ..training.checkpoint import load_weights
from ..training.engine import BEST, LAST
from .finish import DRAFT, saved_model
from .model import DualNetworks
from .params import DualArchitecture, WedgeArchitecture
from .wedge_networks import WedgeNetworks
from .wedge_train import NETWORK


def export(job: Job) -> MethodOutcome:
    """The best model of the training in the folder with the role ``training``, finished or not, as ``model``."""
    found = _training_folder(Path(job.input_of("training").path))
    card = read_card(found / DRAFT)
    with reading_card(found / DRAFT):
        served = _built(card)
    weights = found / (BEST if (found / BEST).exists() else LAST)
    load_weights(weights, dict(served.named_children()))
    warnings = [] if weights.name == BEST else ["the training has had no validation yet: these are its last weights, not its best"]
    return saved_model(Path(job.output_folder), served, card, {"ended_by": "export", "exported_from": weights.name}, warnings)


def _training_folder(path: Path) -> Path:
    """The folder of checkpoints: the one that is named, or ``training`` in it."""
    for folder in (path, path / "training"):
        if (folder / LAST).exists() and (folder / DRAFT).exists():
            return folder
    raise InputError(f"{path} holds no training of DUAL", "the folder of 'cryoetseg dual train' or 'dual train-wedge'",
                     "name the folder that was given to it with --out")


def _built(card: ModelCard) -> nn.Module:
    """The networks that the card of a training names."""
    if card.network == "dual":
        return DualNetworks(DualArchitecture(**card.network_parameters))
    if card.network == NETWORK:
        return WedgeNetworks(WedgeArchitecture(**card.network_parameters))
    raise WeightsError(f"the training is one of network '{card.network}'", "a training of DUAL")
