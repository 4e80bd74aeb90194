from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from cryoetseg.core.models.losses import membrane_dice_ce, picker_dice, tversky


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_picker_dice_of_one_class_is_spec_2_4(generator: torch.Generator) -> None:
    logits = torch.randn(3, 1, 4, 4, 4, generator=generator)
    truth = (torch.rand(3, 1, 4, 4, 4, generator=generator) > 0.7).float()
    p = logits.sigmoid()
    expected = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
    assert picker_dice(1)(logits, truth).item() == pytest.approx(expected.item(), abs=1e-6)


def test_picker_dice_of_several_classes_counts_background_and_sums_over_the_batch(generator: torch.Generator) -> None:
    logits = torch.randn(2, 3, 4, 4, 4, generator=generator)
    labels = torch.randint(3, (2, 1, 4, 4, 4), generator=generator)
    p, truth = logits.softmax(1), F.one_hot(labels[:, 0], 3).movedim(-1, 1)
    axes = (0, 2, 3, 4)
    expected = 1 - ((2 * (p * truth).sum(axes) + 1) / (p.sum(axes) + truth.sum(axes) + 1)).mean()
    assert picker_dice(3)(logits, labels).item() == pytest.approx(expected.item(), abs=1e-6)


def test_membrane_loss_is_half_cross_entropy_and_half_dice_per_image(generator: torch.Generator) -> None:
    logits = torch.randn(2, 2, 8, 8, generator=generator)
    labels = torch.randint(2, (2, 1, 8, 8), generator=generator)
    p, truth = logits.softmax(1), F.one_hot(labels[:, 0], 2).movedim(-1, 1)
    dice = 1 - ((2 * (p * truth).sum((2, 3)) + 1e-5) / (p.sum((2, 3)) + truth.sum((2, 3)) + 1e-5)).mean()
    expected = (F.cross_entropy(logits, labels[:, 0]) + dice) / 2
    assert membrane_dice_ce()(logits, labels).item() == pytest.approx(expected.item(), abs=1e-6)


def test_tversky_is_classes_minus_the_sum_of_indices(generator: torch.Generator) -> None:
    logits = torch.randn(2, 4, 4, 4, 4, generator=generator)
    labels = torch.randint(4, (2, 1, 4, 4, 4), generator=generator)
    p, truth = logits.softmax(1), F.one_hot(labels[:, 0], 4).movedim(-1, 1)
    axes = (0, 2, 3, 4)
    hits = (p * truth).sum(axes)
    index = hits / (hits + 0.5 * (p * (1 - truth)).sum(axes) + 0.5 * ((1 - p) * truth).sum(axes))
    assert tversky()(logits, labels).item() == pytest.approx(4 - index.sum().item(), abs=1e-4)


@pytest.mark.parametrize("loss", [picker_dice(2), membrane_dice_ce(), tversky()])
def test_a_perfect_prediction_costs_nothing(loss: torch.nn.Module) -> None:
    labels = torch.zeros(1, 1, 4, 4, 4, dtype=torch.long)
    labels[..., 2:] = 1
    logits = 50 * (F.one_hot(labels[:, 0], 2).movedim(-1, 1).float() - 0.5)
    assert loss(logits, labels).item() == pytest.approx(0, abs=1e-5)
