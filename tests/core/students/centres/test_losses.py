"""The loss of the network of centres: where its gradients point."""

from dataclasses import asdict

import numpy as np
import pytest
import torch

from cryoetseg.core.students.centres.losses import BOUND_WEIGHT, WIDTH_WEIGHT, centre_loss, focal_loss
from cryoetseg.core.students.centres.targets import BOUND, HEAT, WIDTH, centre_targets


@pytest.fixture
def target():
    found = centre_targets(np.array([[16.5, 16.5, 16.5], [4.5, 4.5, 4.5]]), np.array([10.0, 40.0]), np.array([1.0, 0.0]), (32, 32, 32))
    return {name: torch.from_numpy(array)[None] for name, array in asdict(found).items()}


def gradient(target, value=0.0):
    answer = torch.full((1, 3, 16, 16, 16), value, requires_grad=True)
    loss, parts = centre_loss(answer, target)
    loss.backward()
    return answer.grad[0].numpy(), float(loss.detach()), parts


def test_heat_rises_at_the_centre_and_falls_elsewhere(target):
    grad = gradient(target)[0][HEAT]
    assert grad[8, 8, 8] < 0
    assert grad[12, 12, 12] > 0
    assert 0 < grad[8, 8, 9] < grad[12, 12, 12]  # a neighbour of the centre is forgiven


def test_places_of_weight_zero_teach_nothing(target):
    grad = gradient(target)[0]
    assert float(target["weight"][0, 2, 2, 2]) == 0
    assert not grad[:, 2, 2, 2].any()


def test_width_and_kind_are_learned_at_particles_only(target):
    grad = gradient(target)[0]
    assert grad[WIDTH][8, 8, 8] < 0  # the particle is wider than the reference
    assert grad[BOUND][8, 8, 8] < 0  # and bound
    assert not grad[WIDTH][12, 12, 12]
    assert not grad[BOUND][12, 12, 12]
    unbound = gradient({**target, "bound": torch.zeros_like(target["bound"])})[0]
    assert unbound[BOUND][8, 8, 8] > 0


def test_the_parts_add_up_with_their_weights(target):
    _, loss, parts = gradient(target, 0.3)
    total = float(parts["heat"]) + BOUND_WEIGHT * float(parts["bound"]) + WIDTH_WEIGHT * float(parts["width"])
    assert loss == pytest.approx(total, rel=1e-5)
    assert min(float(value) for value in parts.values()) > 0


def test_the_focal_loss_is_that_of_the_paper_in_one_cell():
    logits, zero, one = torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)
    assert float(focal_loss(logits, one, one, one)) == pytest.approx(0.25 * np.log(2))  # (1 - p)^2 (-log p) at p = 1/2
    half = torch.full((1, 1, 1, 1), 0.5)
    assert float(focal_loss(logits, half, zero, one)) == pytest.approx(0.5**4 * 0.25 * np.log(2))  # (1 - y)^4 p^2 (-log(1 - p))
    assert float(focal_loss(torch.full_like(logits, 9.0), one, one, one)) < 1e-6
    assert float(focal_loss(torch.full_like(logits, -9.0), zero, zero, one)) < 1e-6
