"""The embedding of particles as a model on disk."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..models.card import ModelCard, load_model, widths
from ..models.centre_unet3d import CHANNELS
from ..models.embedding3d import EmbeddingNetwork
from ..runtime.errors import WeightsError
from ..runtime.seeds import stream_seed
from .boxes import BOX_VOXEL

METHOD, NETWORK, SIZE = "embedding", "embedding3d", 32


def build_network(seed: int, size: int = SIZE, channels: Sequence[int] = CHANNELS) -> EmbeddingNetwork:
    """The network with first weights drawn from ``seed``, as wide as ``channels`` say."""
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, "embedding"))  # torch draws first weights from the global stream
        return EmbeddingNetwork(size, channels=channels).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


def embedding_card(network: EmbeddingNetwork, training: dict[str, Any], made_by: str) -> ModelCard:
    """The card of a network that was trained by the command ``made_by``."""
    return ModelCard(
        name="general", method=METHOD, network=NETWORK, voxel_size=BOX_VOXEL, normalisation="boxes of one tomogram: mean 0, deviation 1",
        network_parameters={"size": network.size, "channels": list(network.channels)}, training=training, made_by=made_by)


def load_embedding(folder: str | Path) -> EmbeddingNetwork:
    """Read a model folder. Raises :class:`WeightsError` for another or a damaged model."""
    return load_model(folder, _build)[0]


def _build(card: ModelCard) -> EmbeddingNetwork:
    if card.method != METHOD or card.network != NETWORK:
        raise WeightsError(f"this is a model of '{card.method}' with the network '{card.network}'", f"'{METHOD}' with '{NETWORK}'",
                           "name another model")
    values = card.network_parameters
    return build_network(0, int(values.get("size", SIZE)), widths(values.get("channels", list(CHANNELS))))
