"""The published counts and shapes, and the reversal of the gradient."""
import pytest
import torch
from torch import nn

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.voxuda.network import DomainDiscriminator, VoxResNet


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return VoxResNet()


def test_published_counts(network):
    convolutions = [part for part in network.modules() if isinstance(part, (nn.Conv3d, nn.ConvTranspose3d))]
    assert len(convolutions) == 25
    trunk = sum(weight.numel() for name, weight in network.named_parameters() if not name.startswith("heads"))
    assert trunk == 1_635_040  # spec B3: 1.635 M


def test_taps_have_the_published_shapes_and_the_heads_are_summed(network):
    volumes = torch.randn(1, 1, 32, 32, 32)
    with torch.inference_mode():
        taps = network.eval().features(volumes)
        logits = network(volumes)
        separate = [head(tap) for head, tap in zip(network.heads, taps)]
    assert [tuple(tap.shape[1:]) for tap in taps] == [(32, 32, 32, 32), (64, 16, 16, 16), (64, 8, 8, 8), (64, 4, 4, 4)]
    assert all(part.shape == volumes.shape for part in separate)
    torch.testing.assert_close(logits, sum(separate))


def test_a_head_is_its_two_convolutions_one_after_the_other(network):
    generator = torch.Generator().manual_seed(2)
    for head in network.heads:
        features = torch.randn(2, head[0].in_channels, 4, 3, 2, generator=generator)
        torch.testing.assert_close(head(features), nn.Sequential.forward(head, features), atol=1e-5, rtol=1e-4)


def test_sides_must_fit_three_halvings(network):
    with pytest.raises(InputError, match="multiples of 8"):
        network(torch.zeros(1, 1, 20, 32, 32))


def test_the_discriminator_learns_while_what_feeds_it_unlearns():
    torch.manual_seed(0)
    discriminator, features = DomainDiscriminator(8), torch.randn(2, 8, 4, 4, 4, requires_grad=True)
    gradients = []
    for strength in (1.0, 0.5):
        features.grad = None
        discriminator(features, strength).sum().backward()
        gradients.append(features.grad.clone())
    plain, = torch.autograd.grad(discriminator.decision(discriminator.convolution(features).mean(dim=(2, 3, 4))).sum(), features)
    torch.testing.assert_close(gradients[0], -plain)
    torch.testing.assert_close(gradients[1], -0.5 * plain)
