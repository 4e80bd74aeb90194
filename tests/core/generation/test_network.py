import pytest
import torch

from cryoetseg.core.generation.network import Condition, ConditionalUNet3d, sinusoids
from cryoetseg.core.runtime.errors import InputError


def parameters_of(module):
    return sum(weights.numel() for weights in module.parameters())


def test_the_network_has_the_published_size():
    network = ConditionalUNet3d(6)
    assert parameters_of(network) == 3_420_067
    assert parameters_of(network.condition) == 50_944
    assert parameters_of(network.encoder) + parameters_of(network.lower) == 1_479_266
    assert parameters_of(network.bottleneck) == 902_016
    assert parameters_of(network.raise_) + parameters_of(network.decoder) == 986_976
    assert network.encoder[0].before[0].num_groups == 1


def test_each_condition_moves_the_answer_and_the_shape_is_kept():
    torch.manual_seed(0)
    network = ConditionalUNet3d(3, 8).eval()
    volume, step, kind, place = torch.randn(1, 1, 16, 16, 16), torch.tensor([5]), torch.eye(3)[:1], torch.full((1, 3), 0.5)
    with torch.no_grad():
        answer = network(volume, step, kind, place)
        others = [network(volume, step + 300, kind, place), network(volume, step, torch.eye(3)[1:2], place),
                  network(volume, step, kind, place / 2)]
    assert answer.shape == volume.shape
    assert all(float((answer - other).abs().max()) > 1e-4 for other in others)


def test_sinusoids_reach_exactly_the_longest_period():
    found = sinusoids(torch.tensor([0, 7]))
    assert found.shape == (2, 128)
    torch.testing.assert_close(found[0], torch.cat([torch.zeros(64), torch.ones(64)]))
    torch.testing.assert_close(found[1, 63], torch.sin(torch.tensor(7e-4)))  # the last frequency is 1 / 10000: divisor 63
    torch.testing.assert_close(found[1, 64], torch.cos(torch.tensor(7.0)))


def test_sides_that_do_not_divide_are_refused():
    network = ConditionalUNet3d(2, 8)
    with pytest.raises(InputError, match="multiples of 8"):
        network(torch.zeros(1, 1, 20, 16, 16), torch.zeros(1), torch.zeros(1, 2), torch.zeros(1, 3))


def test_conditions_are_added():
    condition = Condition(4)
    steps, classes, positions = torch.tensor([3]), torch.eye(4)[2:3], torch.rand(1, 3)
    parts = condition.step(sinusoids(steps)) + condition.class_.weight[:, 2] + condition.class_.bias + condition.position(positions)
    torch.testing.assert_close(condition(steps, classes, positions), parts)
