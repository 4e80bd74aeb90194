"""The segmenter's network from its model folder."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from ...models.card import ModelCard, load_model, reading_card
from ...models.deepfinder import DeepFinderNet
from ...runtime.errors import WeightsError

METHOD, NETWORK = "segmenter", "DeepFinder"


@dataclass(frozen=True)
class SegmenterModel:
    """A network in evaluation mode and its card."""

    network: DeepFinderNet
    card: ModelCard

    @property
    def classes(self) -> int:
        """Number of classes without background."""
        return self.network.head.out_channels - 1

    @property
    def object_voxels(self) -> dict[int, int]:
        """Usual number of voxels of an object of each class, at the model's voxel size."""
        return {int(value): int(size) for value, size in self.card.training.get("object_voxels", {}).items()}


def load_segmenter(folder: str | Path) -> SegmenterModel:
    """Read a trained segmenter; ``folder`` is its model folder or the folder of the training. Raises ``WeightsError``."""
    network, card = load_model(folder, _build)
    model = SegmenterModel(network, card)
    with reading_card(folder):
        if min(model.object_voxels.values(), default=1) < 1 or not set(model.object_voxels) <= set(range(1, model.classes + 1)):
            raise ValueError(f"objects of {model.object_voxels} voxels")
    return model


def with_first_weights(network: DeepFinderNet) -> DeepFinderNet:
    """The network with He's weights, drawn from torch's global stream, and zero biases.

    torch's own first weights shrink the signal about 2.4 times a layer, and without normalisation nothing restores it: the network
    would answer with the shares of the classes for hundreds of steps.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    nn.init.xavier_normal_(network.head.weight)
    return network


def _build(card: ModelCard) -> DeepFinderNet:
    classes = card.network_parameters.get("classes")
    if card.method != METHOD or card.network != NETWORK or not isinstance(classes, int) or not 2 <= classes <= 128:
        raise WeightsError(f"a model of method '{card.method}' with network '{card.network}' and {classes} classes",
                           f"method '{METHOD}', network '{NETWORK}', 2 to 128 classes", "name the folder that 'train segmenter' wrote")
    return DeepFinderNet(classes)
