"""The student learns a sheet, goes on after a stop, and says what it did not use."""

import numpy as np
import pytest
import torch

from cryoetseg.core.metrics.segmentation import overlap_scores
from cryoetseg.core.runtime.errors import ParameterError, WeightsError
from cryoetseg.core.runtime.files import read_json, write_json
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.membranes.apply import segment_membranes
from cryoetseg.core.students.membranes.data import open_labelled
from cryoetseg.core.students.membranes.judge import forgotten
from cryoetseg.core.students.membranes.network import MembraneModel, build_network, load_membrane_model
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters, TrainMembranesParameters
from cryoetseg.core.students.membranes.task import MembraneTask
from cryoetseg.core.students.membranes.train import _relabelled, run, train_membranes
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.training.task import Step
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


def test_a_round_that_drops_every_component_is_left_out(tmp_path):
    p = TrainMembranesParameters(**{**QUICK, "iterations": 2, "rounds": 1, "smallest_component": 1e12})
    outcome = train_membranes([training_volume()], p, tmp_path / "two", 0, "cpu")
    assert len(outcome.rounds) == 1
    assert "left out: membrane is 0 %" in outcome.warnings[-1]
    one = train_membranes([training_volume()], p.model_copy(update={"rounds": 0}), tmp_path / "one", 0, "cpu")
    for first, second in zip(one.model.network.state_dict().values(), outcome.model.network.state_dict().values()):
        assert torch.equal(first, second)


def answering(membrane, trained):
    """A network that says ``membrane`` or background everywhere."""
    network = build_network(3).eval()
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.data = torch.tensor([0.0, 5.0 if membrane else -5.0])
    return MembraneModel(network, trained.model.card)


def test_a_round_that_forgets_the_membranes_does_not_replace_the_model(trained):
    tomograms = open_labelled([training_volume()], TrainMembranesParameters(**QUICK))
    assert "membrane is 0 % of what it finds" in forgotten(trained.model, answering(False, trained), tomograms)
    assert forgotten(trained.model, answering(True, trained), tomograms) == ""
    assert "%" in forgotten(answering(True, trained), trained.model, tomograms)  # 9 % of all that was membrane before


def test_nothing_found_in_nothing_is_no_validation():
    _, mask = sheet(0)
    p = TrainMembranesParameters(**QUICK)
    in_one_slice = mask * (np.arange(12) == 11)[:, None, None].astype(np.int8)
    tomograms = open_labelled([training_volume(in_one_slice)], p.model_copy(update={"z_end": 12}))
    task = MembraneTask(tomograms, p, 0)
    assert len(tomograms[0].held_out)
    assert task.validate(task.networks, np.random.default_rng(0)) == {}


def test_crops_lie_where_the_tomogram_shows_sample():
    grey, mask = sheet(0, (12, 80, 96))
    grey[:, :20], grey[:, :, -24:] = -10, -10
    p = TrainMembranesParameters(**QUICK)
    volume = volume_from_array("bordered", grey, VOXEL_SIZE, mask)
    task = MembraneTask(open_labelled([volume], p), p, 0)
    for seed in range(30):
        z, (y, x) = task._window(task._tomograms[0], 5, np.random.default_rng(seed))
        assert (volume.crop((z, y, x), (1, 32, 32)) != 0).mean() > 0.99


class Answers(torch.nn.Module):
    """A stub: the same free logits for each crop."""

    def __init__(self, side):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.randn(1, 2, side, side, generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        return self.logits.expand(len(images), -1, -1, -1)


def test_what_is_not_painted_gives_no_gradient():
    _, mask = sheet(0)
    labels = np.where(np.arange(64) < 30, 2 - mask, 0).astype(np.int8) * (np.arange(12) % 5 == 1)[:, None, None].astype(np.int8)
    p = TrainMembranesParameters(**{**QUICK, "unpainted": "unknown"})
    task = MembraneTask(open_labelled([training_volume(labels)], p), p, 0)
    item = task.item(0, np.random.default_rng(0))
    batch = {name: torch.from_numpy(part)[None] for name, part in item.items()}
    network = Answers(32)
    task.loss({"unet": network}, batch, Step(0, 0, "all", torch.Generator(), {}))[0].backward()
    known = item["weights"][0] > 0
    moved = network.logits.grad[0].abs().amax(dim=0).numpy()
    assert 0.02 < known.mean() < 0.98
    assert (moved[known] > 0).all()
    assert not moved[~known].any()


def test_a_start_is_gone_on_from_and_recorded(trained, tmp_path):
    start = trained.model._replace(card=trained.model.card.model_copy(update={"sha256": "abc", "name": "general"}))
    p = TrainMembranesParameters(**{**QUICK, "iterations": 4, "slices": 5, "learning_rate": 1e-4, "ema_decay": 0})
    made = train_membranes([training_volume(seed=4)], p, tmp_path, 0, "cpu", start)
    assert made.model.slices == 3  # that of the start
    assert made.model.card.training["start"] == {"name": "general", "sha256": "abc", "voxel_size": VOXEL_SIZE, "made_by": ""}
    assert made.rounds[0].best_value > 0.6  # four steps from nothing give a third of that
    with pytest.raises(ParameterError, match="start 'abc' -> 'other'"):
        train_membranes([training_volume(seed=4)], p, tmp_path, 0, "cpu",
                        start._replace(card=start.card.model_copy(update={"sha256": "other"})))


def test_a_start_that_training_makes_worse_is_kept(trained, tmp_path):
    p = TrainMembranesParameters(**{**QUICK, "iterations": 3, "learning_rate": 1.0})
    before = {name: value.clone() for name, value in trained.model.network.state_dict().items()}
    made = train_membranes([training_volume()], p, tmp_path, 0, "cpu", trained.model)
    assert "the start is kept" in made.warnings[-1]
    assert made.model.card.training["kept_start"]
    for name, value in made.model.network.state_dict().items():
        assert torch.equal(value, before[name]), name


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


@pytest.mark.parametrize(("smallest", "stays"), [(0.0, True), (1e12, False)])
def test_small_components_become_background_in_self_training(trained, tmp_path, smallest, stays):
    parameters = TrainMembranesParameters(**QUICK, smallest_component=smallest)
    (tomogram,) = open_labelled([training_volume()], parameters)
    targets = _relabelled(tomogram, trained.model, parameters, tmp_path, "cpu").targets
    assert (targets.probability >= 0.5).any() == stays
    assert (targets.probability > 0).any()


@pytest.mark.parametrize(("crop_px", "batch_size", "refused"), [(16, 1, True), (16, 2, False), (32, 1, False)])
def test_a_batch_that_normalisation_makes_one_value_of_is_refused_before_the_training(tmp_path, crop_px, batch_size, refused):
    p = TrainMembranesParameters(**{**QUICK, "iterations": 1, "crop_px": crop_px, "batch_size": batch_size})
    if not refused:
        assert train_membranes([training_volume()], p, tmp_path, 0, "cpu").rounds
        return
    with pytest.raises(ParameterError, match="single value"):
        train_membranes([training_volume()], p, tmp_path, 0, "cpu")
    assert not list(tmp_path.rglob("*.safetensors"))
