"""The student learns a sheet, goes on after a stop, and says what it did not use."""

import numpy as np
import pytest
import torch

from cryoetseg.core.metrics.segmentation import overlap_scores
from cryoetseg.core.runtime.errors import WeightsError
from cryoetseg.core.runtime.files import read_json, write_json
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.membranes.apply import segment_membranes
from cryoetseg.core.students.membranes.network import load_membrane_model
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters, TrainMembranesParameters
from cryoetseg.core.students.membranes.train import run, train_membranes
from cryoetseg.core.volumes.io import write_volume

from .conftest import QUICK, VOXEL_SIZE, sheet, training_volume

ALL = SegmentMembranesParameters(smallest_component=0)


def test_it_finds_the_sheet_in_another_tomogram_better_than_a_threshold(trained):
    grey, truth = sheet(3)
    found = segment_membranes(grey, VOXEL_SIZE, trained.model, ALL, device="cpu")
    threshold = max(overlap_scores((grey > level).astype(np.int8), truth).dice for level in np.linspace(100, 103, 13))
    assert overlap_scores(found.mask, truth).dice > max(0.8, threshold + 0.1)


def test_the_same_seed_gives_the_same_student_also_after_an_interruption(trained, tmp_path):
    train_membranes([training_volume()], TrainMembranesParameters(**{**QUICK, "minutes": 1e-6}), tmp_path, 0, "cpu")
    again = train_membranes([training_volume()], TrainMembranesParameters(**QUICK), tmp_path, 0, "cpu")
    for (name, first), second in zip(trained.model.network.state_dict().items(), again.model.network.state_dict().values()):
        assert torch.equal(first, second), name


def test_self_training_fills_gaps_of_the_labels(tmp_path):
    _, truth = sheet(0)
    gaps = truth.copy()
    gaps[:, :, 20:28] = 0  # pseudo-labels miss pieces
    outcome = train_membranes([training_volume(gaps)], TrainMembranesParameters(**{**QUICK, "rounds": 1}), tmp_path, 0, "cpu")
    assert len(outcome.rounds) == 2
    targets = np.load(tmp_path / "round_2" / "sheet_targets.npy")
    missed = (truth > 0) & (gaps == 0)
    assert targets[missed].mean() > 3 * targets[truth == 0].mean()


def test_a_job_writes_the_model_and_tells_which_slices_it_left_out(tmp_path):
    grey, mask = sheet(0)
    mask[:2], mask[9:] = 0, 0
    write_volume(tmp_path / "a.mrc", -grey, VOXEL_SIZE)
    write_volume(tmp_path / "a_membranes.mrc", mask, VOXEL_SIZE)
    inputs = [InputFile(path=str(tmp_path / "a.mrc"), tilt_series_id="a"),
              InputFile(path=str(tmp_path / "a_membranes.mrc"), role="labels", tilt_series_id="a")]
    job = Job(method="train-membranes", parameters={**QUICK, "iterations": 2}, inputs=inputs, output_folder=str(tmp_path / "out"))
    outcome = run(job)
    assert [output.path for output in outcome.outputs if output.kind == "model"] == ["model"]
    assert "slices 2:9 hold labels" in " ".join(outcome.warnings)
    model = load_membrane_model(tmp_path / "out" / "model")
    assert (model.slices, model.card.voxel_size, model.card.classes[1]) == (3, VOXEL_SIZE, "membrane")
    card = read_json(tmp_path / "out" / "model" / "card.json")
    write_json(tmp_path / "out" / "model" / "card.json", {**card, "method": "picker"})
    with pytest.raises(WeightsError, match="'picker'"):
        load_membrane_model(tmp_path / "out" / "model")
