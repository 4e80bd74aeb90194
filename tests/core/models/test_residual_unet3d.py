from __future__ import annotations

import pytest
import torch
from torch import nn

from cryoetseg.core.models.residual_unet3d import ResidualBlock, ResidualUNet3d, coordinates
from cryoetseg.core.runtime.errors import InputError


@pytest.mark.parametrize(("outputs", "count"), [(1, 2_429_845), (15, 2_430_195)])
def test_parameter_count_is_the_published_one(outputs: int, count: int) -> None:
    assert sum(weight.numel() for weight in ResidualUNet3d(outputs).parameters()) == count


@pytest.mark.parametrize("outputs", [1, 15])
def test_a_patch_of_72_keeps_its_size(outputs: int) -> None:
    with torch.device("meta"):
        network, patch = ResidualUNet3d(outputs), torch.zeros(1, 1, 72, 72, 72)
    assert network(patch).shape == (1, outputs, 72, 72, 72)


def test_probabilities_are_sigmoid_for_one_class_and_sum_to_one_for_several() -> None:
    logits = torch.randn(2, 3, 4, 4, 4)
    assert torch.allclose(ResidualUNet3d.probabilities(logits).sum(1), torch.ones(2, 4, 4, 4))
    assert torch.allclose(ResidualUNet3d.probabilities(logits[:, :1]), 1 / (1 + torch.exp(-logits[:, :1])))


def test_coordinate_channels_run_from_minus_one_to_one_along_x_y_z() -> None:
    x, y, z = coordinates(torch.zeros(1, 5, 3, 4, 5))[0]
    assert torch.allclose(x[0, 0], torch.linspace(-1, 1, 5))
    assert torch.allclose(y[0, :, 0], torch.linspace(-1, 1, 4))
    assert torch.allclose(z[:, 0, 0], torch.linspace(-1, 1, 3))
    assert x[2, 3, 0] == y[2, 0, 4] == z[0, 3, 4] == -1


def test_the_first_convolution_is_the_residual_and_the_last_elu_does_nothing() -> None:
    block = ResidualBlock(2, 4).eval()
    features = torch.randn(1, 2, 4, 4, 4)
    residual = block.first(torch.cat([features, coordinates(features)], 1))
    assert torch.equal(block(features), block.rest(residual) + residual)


def test_the_pyramid_brings_the_raw_image_to_every_coarser_level() -> None:
    network = ResidualUNet3d().eval()
    with torch.no_grad():
        network.encoder[0].first[0].weight[:, 0] = 0  # the finest level no longer sees the image
        with_pyramid = network(torch.randn(1, 1, 8, 8, 8)) - network(torch.randn(1, 1, 8, 8, 8))
        for block in list(network.encoder)[1:]:
            block.first[0].weight[:, -4] = 0  # the pyramid's channel, before the three coordinates
        without = network(torch.randn(1, 1, 8, 8, 8)) - network(torch.randn(1, 1, 8, 8, 8))
    assert with_pyramid.abs().max() > 0
    assert without.abs().max() == 0


def test_sizes_that_are_no_multiples_of_eight_fail() -> None:
    with pytest.raises(InputError, match="multiples of 8"):
        ResidualUNet3d()(torch.zeros(1, 1, 12, 12, 12))


def test_normalisation_is_by_batch() -> None:
    assert sum(isinstance(layer, nn.BatchNorm3d) for layer in ResidualUNet3d().modules()) == 3 * 7
