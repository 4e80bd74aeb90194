from __future__ import annotations

import pytest
import torch
from torch import nn

from cryoetseg.core.models.unet2d import DIVISOR, DROPOUT, UNet2d
from cryoetseg.core.runtime.errors import InputError


def test_parameter_count_is_the_published_one() -> None:
    assert sum(weight.numel() for weight in UNet2d().parameters()) == 1_944_034


def test_logits_have_the_size_of_the_image() -> None:
    assert UNet2d(inputs=3, classes=4).eval()(torch.zeros(2, 3, DIVISOR, 2 * DIVISOR)).shape == (2, 4, DIVISOR, 2 * DIVISOR)


def test_dropout_grows_down_the_encoder_and_is_absent_in_the_decoder() -> None:
    rates = [layer.p for layer in UNet2d().modules() if isinstance(layer, nn.Dropout)]
    assert rates == [*DROPOUT, 0.0, 0.0, 0.0, 0.0]


def test_one_batch_is_learned() -> None:
    torch.manual_seed(0)
    network = UNet2d()
    images, labels = torch.randn(2, 1, 16, 16), torch.zeros(2, 16, 16, dtype=torch.long)
    labels[:, 4:8] = 1
    images[:, 0, 4:8] += 5
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_size_that_is_no_multiple_of_sixteen_fails() -> None:
    with pytest.raises(InputError, match="multiples of 16"):
        UNet2d()(torch.zeros(1, 1, 24, 24))
