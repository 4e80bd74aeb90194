"""What the picker minimises: Dice and cross-entropy of weak labels, one class or several, and on which crops it is judged."""
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cryoetseg.core.models.losses import picker_dice
from cryoetseg.core.students.picker.params import TrainPickerParameters
from cryoetseg.core.students.picker.train import PickerTask, _sound_precision, _sure_background
from cryoetseg.core.training.task import Selection, Step

SMALL = {"width": 8, "patch_px": 16, "particle_diameter": 70.0}


class Listed:
    """Crops whose grey values tell their number; notes how they were drawn."""

    volumes = ()

    def __init__(self, count, first=0):
        self.count, self.first, self.asked = count, first, []

    def __len__(self):
        return self.count

    def draw(self, index, generator, augmented=True):
        self.asked.append((index, augmented))
        grey = np.full((1, 4, 4, 4), float(self.first + index), np.float32)
        labels = np.zeros((1, 4, 4, 4), np.int64)
        labels[0, 0] = 1
        return grey, labels


class Shift(nn.Module):
    """Logits: the grey value times a gain, in as many channels as asked for."""

    def __init__(self, outputs):
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.2, -0.3, outputs).reshape(1, outputs, 1, 1, 1))

    def forward(self, volumes):
        return self.gain * volumes


def task_of(outputs=1, judged=None, **changed):
    return PickerTask(Listed(5), outputs, TrainPickerParameters(**{**SMALL, **changed}), 0, judged, "origin")


def batch_of(outputs):
    generator = torch.Generator().manual_seed(0)
    volume = torch.randn(2, 1, 4, 4, 4, generator=generator)
    return {"volume": volume, "labels": torch.randint(0, max(2, outputs), (2, 1, 4, 4, 4), generator=generator)}


def step():
    return Step(0, 0, "all", torch.Generator(), {})


@pytest.mark.parametrize("loss", ["dice", "dice_ce"])
def test_one_class_is_told_from_background_by_a_sigmoid(loss):
    task, network, batch = task_of(loss=loss), Shift(1), batch_of(1)
    found, _ = task.loss({"picker": network}, batch, step())
    logits, target = network(batch["volume"]), batch["labels"].float()
    expected = picker_dice(1)(logits, target)
    if loss == "dice_ce":
        expected = expected + F.binary_cross_entropy_with_logits(logits, target)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(value, network.gain)[0] for value in (found, expected)))


@pytest.mark.parametrize("loss", ["dice", "dice_ce"])
def test_several_classes_share_a_softmax(loss):
    task, network, batch = task_of(3, loss=loss), Shift(3), batch_of(3)
    found, _ = task.loss({"picker": network}, batch, step())
    logits, target = network(batch["volume"]), batch["labels"]
    expected = picker_dice(3)(logits, target)
    if loss == "dice_ce":
        expected = expected + F.cross_entropy(logits, target[:, 0])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("outputs", [1, 3])
def test_unknown_voxels_count_neither_in_sums_nor_in_the_mean(outputs):
    task, network, batch = task_of(outputs, loss="dice_ce"), Shift(outputs), batch_of(outputs)
    half = {"volume": batch["volume"][:, :, :2], "labels": batch["labels"][:, :, :2]}
    batch["labels"][:, :, 2:] = -1
    whole, part = (task.loss({"picker": network}, given, step())[0] for given in (batch, half))
    other = {**batch, "volume": torch.cat([batch["volume"][:, :, :2], batch["volume"][:, :, 2:] + 5], dim=2)}
    changed = task.loss({"picker": network}, other, step())[0]
    torch.testing.assert_close(changed, whole)  # what is unknown may look like anything
    if outputs == 1:  # there background is no sum of the Dice loss
        torch.testing.assert_close(whole, part, atol=1e-3, rtol=1e-3)
    nothing = {**batch, "labels": torch.full_like(batch["labels"], -1)}
    assert torch.isfinite(task.loss({"picker": network}, nothing, step())[0])


def test_unknown_voxels_are_background_beyond_doubt():
    assert float(_sure_background(torch.zeros(1, 1, 2, 2, 2)).sigmoid().max()) < 1e-6
    shares = _sure_background(torch.zeros(1, 3, 2, 2, 2)).softmax(dim=1)
    torch.testing.assert_close(shares, torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1, 1).expand_as(shares))


def test_it_is_judged_on_fixed_crops_of_those_kept_apart_without_augmentation():
    judged = Listed(6, first=10)
    task = task_of(judged=judged, validation_crops=4)
    network = Shift(1)
    first, second = (task.validate({"picker": network}, np.random.default_rng(seed)) for seed in (0, 1))
    assert first == second
    drawn = judged.asked[:4]
    assert len({index for index, _ in drawn}) == 4
    assert not any(augmented for _, augmented in drawn)
    losses = []
    for index, _ in drawn:
        grey, labels = (torch.from_numpy(part)[None] for part in judged.draw(index, None))
        losses.append(float(task.loss({"picker": network}, {"volume": grey, "labels": labels}, step())[0].detach()))
    assert first["validation_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert task._crops.asked == []
    assert task_of(validation_crops=0).validate({"picker": network}, np.random.default_rng(0)) == {}


def test_without_crops_kept_apart_those_that_are_learned_judge():
    task = task_of(validation_crops=2)
    task.validate({"picker": Shift(1)}, np.random.default_rng(0))
    assert len(task._crops.asked) == 2


def test_items_are_augmented_crops_and_the_optimiser_is_the_published_one():
    task = task_of(learning_rate=3e-4, weight_decay=0.02)
    item = task.item(3, np.random.default_rng(0))
    assert float(item["volume"][0, 0, 0, 0]) == 3
    assert item["labels"][0, 0].all()
    assert task._crops.asked == [(3, True)]
    assert (task.items(), task.origin, PickerTask.selection) == (5, "origin", Selection("validation_loss", "min"))
    (group,) = task.optimiser("all", list(task.networks["picker"].parameters()), None).param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (3e-4, (0.9, 0.99), 0.02)  # DeepETPicker 2.4


@pytest.mark.parametrize(("side", "precision"), [(16, "float32"), (24, "bfloat16"), (32, "bfloat16")])
def test_small_crops_are_learned_in_single_precision(side, precision):
    assert _sound_precision(TrainPickerParameters(**{**SMALL, "patch_px": side, "precision": "bfloat16"})).precision == precision
