"""The embedding of particles as a model on disk."""
from __future__ import annotations

from pathlib import Path

import torch

from ..models.card import ModelCard, load_model
from ..models.embedding3d import EmbeddingNetwork
from ..runtime.errors import WeightsError
from ..runtime.seeds import stream_seed

METHOD, NETWORK, SIZE = "embedding", "embedding3d", 32


def build_network(seed: int, size: int = SIZE) -> EmbeddingNetwork:
    """The network with first weights drawn from ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(seed, "embedding"))  # torch draws first weights from the global stream
        return EmbeddingNetwork(size).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


def load_embedding(folder: str | Path) -> EmbeddingNetwork:
    """Read a model folder. Raises :class:`WeightsError` for another or a damaged model."""
    return load_model(folder, _build)[0]


def _build(card: ModelCard) -> EmbeddingNetwork:
    if card.method != METHOD or card.network != NETWORK:
        raise WeightsError(f"this is a model of '{card.method}' with the network '{card.network}'", f"'{METHOD}' with '{NETWORK}'",
                           "name another model")
    return build_network(0, int(card.network_parameters.get("size", SIZE)))
