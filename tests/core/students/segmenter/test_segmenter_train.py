"""Training: what a job needs, what it records, what it refuses."""
import numpy as np
import pytest
import torch
from three_shapes_phantom import QUICK, three_shapes

from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.students.segmenter.losses import segmenter_loss
from cryoetseg.core.students.segmenter.network import load_segmenter
from cryoetseg.core.students.segmenter.params import TrainSegmenterParameters
from cryoetseg.core.students.segmenter.train import mean_class_dice, run, train_segmenter

SHORT = {**QUICK, "iterations": 2, "batch_size": 1}


def job(inputs, folder, **parameters):
    return Job(method="train-segmenter", parameters={**SHORT, **parameters}, inputs=inputs, output_folder=str(folder), device="cpu")


def test_published_settings_are_those_of_the_paper():
    published = TrainSegmenterParameters.published()
    assert (published.patch_px, published.batch_size, published.learning_rate, published.jitter_px) == (56, 25, 1e-4, 13)  # DUAL C11
    assert published.patches_per_epoch * published.epochs == 100 * 100 * 25
    assert (published.loss, published.augmentation, published.normalisation) == ("tversky", "tilt_axis", "patch")
    assert TrainSegmenterParameters.published(epochs=3).epochs == 3


@pytest.mark.parametrize("name", ["dice_ce", "tversky"])
def test_losses_fall_towards_the_truth_and_are_lowest_there(name):
    labels = torch.zeros(2, 1, 8, 8, 8, dtype=torch.long)
    labels[0, 0, 2:5, 2:5, 2:5], labels[1, 0, 4:7, 4:7, 4:7] = 1, 2
    truth = torch.nn.functional.one_hot(labels[:, 0], 3).movedim(-1, 1).float()
    values = [float(segmenter_loss(name)(strength * truth, labels)) for strength in (0.0, 2.0, 20.0)]
    assert values[0] > values[1] > values[2]
    assert values[2] < 1e-3
    everywhere_background = torch.zeros_like(truth)
    everywhere_background[:, 0] = 20.0
    assert float(segmenter_loss(name)(everywhere_background, labels)) > values[0] / 2


def test_mean_dice_counts_only_classes_that_occur():
    counts = np.array([[90, 2, 0, 3], [4, 6, 0, 0], [0, 0, 0, 0], [1, 0, 0, 9]])
    assert mean_class_dice(counts) == pytest.approx((2 * 6 / 18 + 2 * 9 / 22) / 2)


def test_a_job_on_particle_lists_paints_their_balls_and_records_classes_and_sizes(files, tmp_path):
    inputs, _, _ = files(3)
    outcome = run(job([inputs["tomogram"], inputs["particles"]], tmp_path / "out", class_names="ball, rod,plate",
                      class_diameters="60,40", particle_diameter=80))
    assert outcome.outputs[0].kind == "model"
    model = load_segmenter(tmp_path / "out")
    assert model.card.classes == {0: "background", 1: "ball", 2: "rod", 3: "plate"}
    assert model.card.voxel_size == 10.0
    assert model.object_voxels == {1: 123, 2: 33, 3: 257}  # voxels within 3, 2 and 4 of a voxel


def test_what_cannot_be_trained_on_is_said(files, tmp_path):
    inputs, _, _ = files(3)
    pair = [inputs["tomogram"], inputs["labels"]]
    with pytest.raises(InputError, match=r"class 4 \(gold\)"):
        run(job(pair, tmp_path / "a", class_names="ball,rod,plate,gold"))
    with pytest.raises(ParameterError, match="different names"):
        run(job(pair, tmp_path / "b", class_names="ball,ball,plate"))
    with pytest.raises(ParameterError, match="twenty"):
        run(job([inputs["tomogram"], inputs["particles"]], tmp_path / "c", class_diameters="twenty"))
    with pytest.raises(InputError, match="t"):
        run(job([inputs["tomogram"]], tmp_path / "d"))


def test_a_class_only_in_the_held_out_block_is_missed_and_named(tmp_path):
    data, labels, _ = three_shapes(0)
    labels[labels == 3] = 0
    labels[2:5, 40:, 2:9] = 3
    with pytest.raises(InputError, match=r"class 3 \(plate\).*held"):
        train_segmenter([(data, labels)], TrainSegmenterParameters(**{**SHORT, "held_out": 0.15, "class_names": "ball,rod,plate"}),
                        tmp_path, device="cpu", voxel_size=10.0)


def test_the_same_seed_gives_the_same_weights_and_held_out_blocks_are_scored(tmp_path):
    data, labels, _ = three_shapes(0)
    parameters = TrainSegmenterParameters(**{**SHORT, "held_out": 0.3, "validation_patches": 3})
    first, again = (train_segmenter([(data, labels)], parameters, tmp_path / name, seed=5, device="cpu", voxel_size=10.0) for name in "ab")
    assert first.card.sha256 == again.card.sha256
    assert "validation_dice" in first.outcome.record()["last_metrics"]
