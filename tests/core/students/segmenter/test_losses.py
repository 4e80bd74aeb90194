"""Both losses of the segmenter by hand: Dice over the batch, a light background, and Tversky as published."""
import pytest
import torch

from cryoetseg.core.models.losses import tversky
from cryoetseg.core.students.segmenter.losses import segmenter_loss


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 4, 4, 4, generator=generator), torch.randint(0, 3, (2, 1, 4, 4, 4), generator=generator)


def test_dice_is_over_the_batch_and_background_weighs_a_tenth(case):
    logits, labels = case
    chance = logits.softmax(dim=1)
    truth = torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1).float()
    both, sizes = (chance * truth).sum(dim=(0, 2, 3, 4)), (chance + truth).sum(dim=(0, 2, 3, 4))
    weight = torch.tensor([0.1, 1.0, 1.0])[labels[:, 0]]
    entropy = -(weight * chance.log().gather(1, labels)[:, 0]).sum() / weight.sum()
    expected = 1 - (2 * both / sizes).mean() + entropy
    torch.testing.assert_close(segmenter_loss("dice_ce")(logits, labels), expected, atol=1e-5, rtol=1e-5)


def test_a_class_that_occurs_in_one_patch_alone_is_no_fault_of_the_other(case):
    labels = case[1]
    labels = torch.where(labels == 2, 1, labels)
    labels[0, 0, 0, 0, 0] = 2
    sure = 12 * torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1).float()
    assert float(segmenter_loss("dice_ce")(sure, labels)) == pytest.approx(0, abs=0.01)


def test_the_published_loss_is_tversky(case):
    torch.testing.assert_close(segmenter_loss("tversky")(*case), tversky()(*case))
    assert float((segmenter_loss("tversky")(*case) - segmenter_loss("dice_ce")(*case)).abs()) > 0.01
