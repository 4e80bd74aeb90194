"""What a training of Vox-UDA refuses, how its rate steps, and which network it gives back."""
import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from cryoetseg.core.models.card import load_model, read_card
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.training.checkpoint import read_checkpoint
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.voxuda.calibration import calibrate, null_test
from cryoetseg.core.voxuda.network import VoxResNet
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.train import feature_weights, fit, run


def test_what_is_returned_is_the_average_that_the_training_kept(source, target, tmp_path):
    small = TrainVoxUdaParameters(size=16, width=4, iterations=3, batch_size=4, precision="float32", noise_samples=2, ema_decay=0.5)
    network, outcome, _ = fit(source, target, small, tmp_path, 0, "cpu")
    kept = VoxResNet(4)
    outcome.load_best({"student": kept})
    assert all(torch.equal(one, other) for one, other in zip(network.state_dict().values(), kept.state_dict().values()))
    last = read_checkpoint(outcome.last).tensors
    assert any("conv1a.weight" in name and not torch.equal(value, network.conv1a.weight) for name, value in last.items())


def test_few_subtomograms_are_told_of(source, target, tmp_path):
    few = target.select(range(5))
    small = TrainVoxUdaParameters(size=16, width=4, iterations=1, batch_size=2, precision="float32", noise_kind="target_spectrum")
    network, outcome, warnings = fit(source, few, small, tmp_path, 0, "cpu")
    assert warnings == ["the target has only 5 subtomograms"]
    assert not network.training
    assert outcome.steps == 1


class StoppedError(Exception):
    """In place of a training."""


def stopped_before_training(monkeypatch):
    """The parameters of what would be trained."""
    seen = []

    def stop(task, parameters, *rest):
        seen.append(parameters)
        raise StoppedError

    monkeypatch.setattr("cryoetseg.core.voxuda.train.train", stop)
    return seen


def test_a_training_by_iterations_steps_its_rate_by_epochs(source, target, tmp_path, monkeypatch):
    seen = stopped_before_training(monkeypatch)
    for iterations, wanted in ((7, 3 * 2), (0, 3)):  # an epoch of eight is two batches of five
        p = TrainVoxUdaParameters(size=16, width=4, batch_size=5, iterations=iterations, schedule="step", step_every=3)
        with pytest.raises(StoppedError):
            fit(source, target, p, tmp_path, 0, "cpu")
        assert seen[-1].step_every == wanted


def test_only_pseudo_labels_without_a_teacher_are_refused(source, target, tmp_path, monkeypatch):
    stopped_before_training(monkeypatch)
    for labels, decay, error in ((True, 0.0, ParameterError), (True, 0.9, StoppedError), (False, 0.0, StoppedError)):
        p = TrainVoxUdaParameters(size=16, width=4, iterations=1, pseudo_labels=labels, ema_decay=decay)
        with pytest.raises(error):
            fit(source, target, p, tmp_path, 0, "cpu")


@pytest.mark.parametrize(("text", "right"), [("1,2,3", False), ("1,2,3,-1", False), ("-1,1,1,1", False), ("a,b,c,d", False), ("", False),
                                             ("0,0,0,0", True), ("0.5,1,1,2", True)])
def test_weights_of_features_are_four_and_not_negative(text, right):
    if right:
        assert feature_weights(text) == [float(part) for part in text.split(",")]
    else:
        with pytest.raises(ParameterError):
            feature_weights(text)


@pytest.fixture
def files(source, target, tmp_path):
    """Both domains as files in boxes of 24 voxels, of which the network sees 16."""
    for role, part in (("source", source), ("target", target)):
        for name, volume, mask in zip(part.names, part.volumes, part.masks):
            write_volume(tmp_path / role / f"{name}.mrc", np.pad(volume, 4), 10.0)
            if role == "source":
                write_volume(tmp_path / role / f"{name}_mask.mrc", np.pad(mask, 4).astype(np.int8), 10.0)
    return [InputFile(path=str(tmp_path / role), role=role, contrast="bright") for role in ("source", "target")]


def test_a_job_calibrates_what_was_trained_and_tells_what_each_part_found(files, tmp_path, monkeypatch):
    trained, asked = VoxResNet(4).eval(), []
    outcome = SimpleNamespace(record=lambda: {"steps": 7})
    monkeypatch.setattr("cryoetseg.core.voxuda.train.fit", lambda *given: (asked.append(given), (trained, outcome, ["of the training"]))[1])
    before = copy.deepcopy(trained)
    settings = {"size": 16, "width": 4, "common_voxel_size": 10.0}
    job = Job(method="train-voxuda", parameters=settings, inputs=files, output_folder=str(tmp_path / "out"), seed=5, device="cpu")
    result = run(job)
    (read, goal, given, folder, seed, device), = asked
    assert (len(read), len(goal), given.width, folder, seed, device) == (8, 8, 4, tmp_path / "out" / "training", 5, "cpu")
    assert read.masks is not None
    found, told = calibrate(before, goal.volumes, "otsu")
    shares, suspicion = null_test(before, goal.volumes, 5)
    metrics = {"source_subtomograms": 8, "target_subtomograms": 8, "voxel_size": 10.0, "calibration": found._asdict(),
               "null_test": shares, "steps": 7}
    assert result.metrics == metrics
    cut = [f"the boxes of the {role} are 240 A wide, the network's 160 A: only their middles are seen" for role in ("source", "target")]
    assert result.warnings == ["of the training", *told, *suspicion, *cut]
    assert suspicion  # an untrained network calls noise
    card = read_card(tmp_path / "out" / "model")
    assert (card.method, card.voxel_size, card.classes, card.network_parameters) == (
        "train-voxuda", 10.0, {1: "macromolecule"}, {"width": 4, "size": 16})
    assert card.training == {**metrics, "parameters": given.model_dump(), "seed": 5}
    saved = load_model(tmp_path / "out" / "model", lambda card: VoxResNet(4))[0]
    assert all(torch.equal(one, other) for one, other in zip(saved.state_dict().values(), before.state_dict().values()))
    assert [(output.kind, output.path, output.voxel_size) for output in result.outputs] == [
        ("model", "model", 10.0), ("figure", "training/training_curve.png", None), ("table", "training/metrics.csv", None)]
