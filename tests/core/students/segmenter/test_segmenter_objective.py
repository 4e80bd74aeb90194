"""What the segmenter minimises and how it is judged, with a network that answers by the grey value; what its card tells."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from three_shapes_phantom import QUICK, VOXEL, three_shapes
from torch import nn

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.students.segmenter.data import class_schedule, cut_patch, draw_patch, find_places
from cryoetseg.core.students.segmenter.losses import segmenter_loss
from cryoetseg.core.students.segmenter.params import TrainSegmenterParameters
from cryoetseg.core.students.segmenter.train import SegmenterTask, _card, class_diameters, class_names, mean_class_dice
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.training.task import Selection, Step

SETTINGS = {**QUICK, "patches_per_epoch": 12, "validation_patches": 6}


class Levels(nn.Module):
    """Logits of four classes, each largest at its own grey value."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, voxels):
        return torch.cat([-self.gain * (voxels - level) ** 2 for level in (-0.5, 0.5, 1.5, 2.5)], dim=1)


@pytest.fixture(scope="module")
def volumes():
    shapes = [three_shapes(seed, shape=(24, 44, 60)) for seed in (0, 1)]
    return [volume_from_array(f"v{seed}", data, VOXEL, labels) for seed, (data, labels, _) in enumerate(shapes)]


def task_of(volumes, **changed):
    return SegmenterTask(volumes, TrainSegmenterParameters(**{**SETTINGS, **changed}), 3)


@pytest.mark.parametrize("loss", ["dice_ce", "tversky"])
def test_the_loss_is_the_one_asked_for(volumes, loss):
    own, network = task_of(volumes, loss=loss), Levels()
    items = [own.item(index, np.random.default_rng(index)) for index in range(2)]
    batch = {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}
    found, metrics = own.loss({"segmenter": network}, batch, Step(0, 0, "all", torch.Generator(), {}))
    torch.testing.assert_close(found, segmenter_loss(loss)(network(batch["voxels"]), batch["labels"]))
    assert metrics == {}
    assert own.selection == Selection("dice", "max")


@pytest.mark.parametrize("normalisation", ["patch", "tomogram"])
def test_items_are_patches_of_the_class_that_is_due(volumes, normalisation):
    own = task_of(volumes, normalisation=normalisation)
    assert own.items() == 12
    places = find_places(own._training, numpy_generator(3, "places"))
    schedule = class_schedule(places, 12, own._parameters.background_share)
    for index in range(12):
        item = own.item(index, np.random.default_rng(index))
        choice = draw_patch(places[int(schedule[index])], 16, 4, own._turns, np.random.default_rng(index))
        voxels, labels = cut_patch(own._training, choice, 16, normalisation == "patch")
        np.testing.assert_array_equal(item["voxels"], voxels)
        np.testing.assert_array_equal(item["labels"], labels)
    assert len(own._turns) > 1  # turned patches too


def test_validation_pools_counts_over_patches_of_held_out_blocks(volumes):
    own, network = task_of(volumes, held_out=0.4), Levels()
    assert len(own._held_out) == len(own._training) == 2
    assert len(own._validation) == 6
    with torch.no_grad():
        found = own.validate({"segmenter": network}, np.random.default_rng(0))
    counts, losses = np.zeros((4, 4)), []
    for voxels, labels in own._validation:
        logits = network(torch.from_numpy(voxels)[None])
        losses.append(float(segmenter_loss("dice_ce")(logits, torch.from_numpy(labels)[None]).detach()))
        for truth, answer in zip(labels[0].ravel(), logits[0].argmax(0).flatten().tolist()):
            counts[truth, answer] += 1
    assert found["dice"] == pytest.approx(mean_class_dice(counts))
    assert found["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert 0.01 < found["dice"] < 0.9
    again = task_of(volumes, held_out=0.4)
    for (voxels, _), (same, _) in zip(own._validation, again._validation):
        np.testing.assert_array_equal(voxels, same)


def test_without_held_out_blocks_nothing_is_validated(volumes):
    own = task_of(volumes)
    assert own._validation == []
    assert own.validate({"segmenter": Levels()}, np.random.default_rng(0)) == {}
    assert own.warnings == []


def test_a_perfect_answer_has_a_dice_of_one_and_classes_that_are_not_there_do_not_count():
    assert mean_class_dice(np.diag([5, 3, 0, 2])) == 1.0
    assert mean_class_dice(np.array([[5, 0], [0, 0]])) == 0.0
    assert mean_class_dice(np.array([[0, 4, 0], [0, 4, 0], [0, 0, 2]])) == pytest.approx((8 / 12 + 1) / 2)


def test_first_weights_come_from_the_seed_alone(volumes):
    before = torch.random.get_rng_state()
    first, same, other = (next(SegmenterTask(volumes, TrainSegmenterParameters(**SETTINGS), seed).networks["segmenter"].parameters())
                          for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("text", "names"), [("", []), ("  ", []), ("a", ["a"]), ("a, b", ["a", "b"]), ("a,a", None), ("a,,b", None)])
def test_names_of_classes_are_different(text, names):
    parameters = TrainSegmenterParameters(class_names=text)
    if names is None:
        with pytest.raises(ParameterError, match="different names"):
            class_names(parameters)
    else:
        assert class_names(parameters) == names


@pytest.mark.parametrize(("text", "sizes"), [("", {}), ("250, 120", {1: 250.0, 2: 120.0}), ("250,", {1: 250.0}), ("a", None), ("0", None),
                                             ("-3", None), ("inf", None)])
def test_diameters_of_classes_are_positive_numbers(text, sizes):
    parameters = TrainSegmenterParameters(class_diameters=text)
    if sizes is None:
        with pytest.raises(ParameterError, match="class_diameters"):
            class_diameters(parameters)
    else:
        assert class_diameters(parameters) == sizes


def test_the_card_names_classes_sizes_and_volumes(volumes):
    outcome = SimpleNamespace(record=lambda: {"steps": 4})
    card = _card(volumes, 3, TrainSegmenterParameters(class_names="ball,rod,plate"), 7, outcome)
    assert card.classes == {0: "background", 1: "ball", 2: "rod", 3: "plate"}
    assert (card.voxel_size, card.contrast, card.network_parameters) == (VOXEL, "bright", {"classes": 4})
    assert (card.training["seed"], card.training["volumes"], card.training["steps"]) == (7, ["v0", "v1"], 4)
    assert set(card.training["object_voxels"]) == {"1", "2", "3"}
    assert _card(volumes, 2, TrainSegmenterParameters(), 0, outcome).classes == {0: "background", 1: "class 1", 2: "class 2"}
