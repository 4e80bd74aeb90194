from __future__ import annotations

import torch
from torch import nn

from cryoetseg.core.models.deepfinder import DeepFinderNet


def test_layers_are_those_of_the_published_table() -> None:
    channels = [(layer.in_channels, layer.out_channels, layer.kernel_size[0])
                for layer in DeepFinderNet(16).modules() if isinstance(layer, nn.Conv3d)]
    encoder = [(1, 32, 3), (32, 32, 3), (32, 48, 3), (48, 48, 3), (48, 64, 3), (64, 64, 3), (64, 64, 3), (64, 64, 3)]
    decoder = [(64, 64, 2), (112, 48, 3), (48, 48, 3), (48, 48, 2), (80, 32, 3), (32, 32, 3), (32, 16, 1)]
    assert channels == encoder + decoder
    assert sum(weight.numel() for weight in DeepFinderNet(16).parameters()) == 903_456


def test_every_class_gets_a_probability_at_every_voxel() -> None:
    network = DeepFinderNet(5)
    probabilities = network.probabilities(network(torch.randn(2, 1, 8, 12, 4)))
    assert probabilities.shape == (2, 5, 8, 12, 4)
    assert torch.allclose(probabilities.sum(1), torch.ones(2, 8, 12, 4))


def test_published_patch_of_56_and_tile_of_192_keep_their_size() -> None:
    with torch.device("meta"):
        network = DeepFinderNet(16)
        for side in (56, 192):
            assert network(torch.zeros(1, 1, side, side, side)).shape == (1, 16, side, side, side)
