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


def test_the_loss_of_cells_chosen_freely_is_the_sum_over_what_counts():
    """Two centres, cells of other weights, and graded cells of both signs: every mean and weight shows."""
    generator = torch.Generator().manual_seed(0)
    answer = torch.randn(2, 3, 4, 4, 4, generator=generator, requires_grad=True)
    target = {name: torch.rand(2, 4, 4, 4, generator=generator) for name in ("heat", "width", "bound")}
    target["weight"] = 0.5 + torch.rand(2, 4, 4, 4, generator=generator)
    target["centre"] = torch.zeros(2, 4, 4, 4)
    target["centre"][:, 1, 2, 3] = target["centre"][0, 3, 3, 3] = 1
    target["graded"] = (target["heat"] > 0.4).float()
    loss, parts = centre_loss(answer, target)
    chance, weight = torch.sigmoid(answer[:, HEAT]), target["weight"]
    heat = torch.where(target["centre"] > 0, -(1 - chance) ** 2 * chance.log(),
                       -(1 - target["heat"]) ** 4 * chance**2 * (1 - chance).log())
    counted = target["graded"] * weight
    kind = torch.sigmoid(answer[:, BOUND])
    bound = -(target["bound"] * kind.log() + (1 - target["bound"]) * (1 - kind).log())
    off = (answer[:, WIDTH] - target["width"]).abs()
    width = torch.where(off < 0.25, off**2 / 0.5, off - 0.125)
    expected = ((heat * weight).sum() / (target["centre"] * weight).sum(), (bound * counted).sum() / counted.sum(),
                (width * counted).sum() / counted.sum())
    for found, wanted in zip(parts.values(), expected):
        torch.testing.assert_close(found, wanted.detach(), atol=1e-5, rtol=1e-4)
        assert not found.requires_grad
    torch.testing.assert_close(loss, expected[0] + 0.1 * expected[1] + 0.3 * expected[2], atol=1e-5, rtol=1e-4)


def test_an_empty_crop_is_rejected_whole_and_divided_by_nothing_small():
    nothing = {name: torch.zeros(1, 2, 2, 2) for name in ("heat", "centre", "bound", "width", "graded")}
    loss, parts = centre_loss(torch.zeros(1, 3, 2, 2, 2), {**nothing, "weight": torch.full((1, 2, 2, 2), 0.5)})
    assert float(loss) == pytest.approx(8 * 0.5 * 0.25 * np.log(2))
    assert float(parts["bound"]) == float(parts["width"]) == 0
    little = {**nothing, "weight": torch.ones(1, 2, 2, 2), "graded": torch.zeros(1, 2, 2, 2)}
    little["graded"][0, 0, 0, 0] = 0.25  # less than one cell counts as one
    assert float(centre_loss(torch.zeros(1, 3, 2, 2, 2), little)[1]["bound"]) == pytest.approx(0.25 * np.log(2))
