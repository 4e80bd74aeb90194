"""The weighted loss is the published one where every pixel counts, and blind where none does."""

import pytest
import torch

from cryoetseg.core.models.losses import membrane_dice_ce
from cryoetseg.core.students.membranes.losses import weighted_dice_ce


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 2, 8, 6, generator=generator)
    labels = (torch.rand(3, 1, 8, 6, generator=generator) > 0.6).float()
    labels[2] = 0  # an image without membrane
    return logits, labels


def test_with_all_weights_one_it_is_the_published_loss(case):
    logits, labels = case
    published = membrane_dice_ce()(logits, labels).item()
    assert weighted_dice_ce(logits, labels, torch.ones_like(labels)).item() == pytest.approx(published, abs=1e-6)


def test_ignored_pixels_change_nothing_and_get_no_gradient(case):
    logits, labels = case
    weights = torch.ones_like(labels)
    weights[..., 4:] = 0
    wrong = torch.where(weights > 0, labels, 1 - labels)
    inner = weighted_dice_ce(logits[..., :4], labels[..., :4], weights[..., :4])
    logits.requires_grad_(True)
    loss = weighted_dice_ce(logits, wrong, weights)
    loss.backward()
    assert loss.item() == pytest.approx(inner.item(), abs=1e-6)
    assert not logits.grad[..., 4:].any()
    assert logits.grad[..., :4].all()


def test_an_integer_weight_counts_as_so_many_pixels(case):
    logits, labels = case
    weights = torch.ones_like(labels)
    weights[..., :2] = 2
    doubled = [torch.cat([part, part[..., :2]], dim=-1) for part in (logits, labels)]
    assert weighted_dice_ce(logits, labels, weights).item() == pytest.approx(membrane_dice_ce()(*doubled).item(), abs=1e-5)


def test_without_any_weight_the_loss_is_finite(case):
    logits, labels = case
    assert weighted_dice_ce(logits, labels, torch.zeros_like(labels)).item() == pytest.approx(0, abs=1e-6)
