"""Training end to end on a phantom: losses move, the cycle learns, contrast stays, a killed training goes on."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cryoetseg.core.dual.apply import run_denoise
from cryoetseg.core.dual.export import export
from cryoetseg.core.dual.losses import correlation
from cryoetseg.core.dual.model import load_dual
from cryoetseg.core.dual.params import TrainDualParameters, TrainWedgeParameters
from cryoetseg.core.dual.train import DualTask, run
from cryoetseg.core.dual.watch import TrainingWatch
from cryoetseg.core.dual.wedge_train import run as run_wedge_training
from cryoetseg.core.runtime.errors import InputError, ParameterError, TrainingError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.runtime.params import parameters_from
from cryoetseg.core.training.checkpoint import read_checkpoint, write_checkpoint
from cryoetseg.core.training.engine import BEST, train
from cryoetseg.core.volumes.io import write_volume

QUICK = {"taught_by": "dual", "iterations": 16, "batch_size": 4, "learning_rate": 3e-3, "validation_interval": 16, "log_interval": 4,
         "precision": "float32", "schedule": "constant", "ema_decay": 0.0, "validation_patches": 4, "replay_pool": 4}


@pytest.fixture
def quick(small):
    return {**small, **QUICK}


def test_a_random_start_learns_the_cycle(domains, quick, tmp_path):
    task = DualTask(*domains, TrainDualParameters(**{**quick, "start": "random", "filter_radius": 0}), seed=0)
    outcome = train(task, task.parameters, tmp_path, 0, "cpu")
    rows = [row for row in outcome.rows if "clean_cycle_loss" in row]
    assert rows[-1]["clean_cycle_loss"] < rows[0]["clean_cycle_loss"]


def test_the_start_from_spectra_is_kept_and_the_contrast_stays(domains, quick, tmp_path):
    task = DualTask(*domains, TrainDualParameters(**{**quick, "iterations": 4, "learning_rate": 1e-4, "denoiser_learning_rate": 1e-4,
                                                  "validation_interval": 4}), seed=0)
    before = task.validate(task.networks, np.random.default_rng(0))
    assert before["clean_cycle_correlation"] > 0.5
    outcome = train(task, task.parameters, tmp_path, 0, "cpu")
    rows = [row for row in outcome.rows if "clean_cycle_correlation" in row]
    assert rows[-1]["clean_cycle_correlation"] > 0.5
    checks = [row for row in outcome.rows if "validation_contrast" in row]
    assert checks[-1]["validation_contrast"] > 0.1
    assert checks[-1]["validation_clean_cycle_correlation"] == pytest.approx(before["clean_cycle_correlation"], abs=0.05)
    assert {"tomogram_judge_accuracy", "density_judge_accuracy"} <= set(rows[0])


def test_training_goes_on_where_it_was_killed(domains, quick, tmp_path):
    weights = []
    for name, lengths in (("whole", [4]), ("parts", [2, 4])):
        for length in lengths:
            task = DualTask(*domains, TrainDualParameters(**{**quick, "iterations": length}), seed=0)
            train(task, task.parameters, tmp_path / name, 0, "cpu")
        weights.append({key: value.clone() for part in task.networks.values() for key, value in part.state_dict().items()})
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=0, atol=0)


def job(folder, **parameters):
    files = []
    for role, seeds, contrast in (("noisy", (0, 1), "dark"), ("clean", (2, 3), "bright")):
        for seed in seeds:
            path = folder / f"{role}{seed}.mrc"
            write_volume(path, np.random.default_rng(seed).normal(size=(16, 20, 24)).astype(np.float32), 10.0)
            files.append(InputFile(path=str(path), role=role, contrast=contrast))
    return Job(method="train-dual", parameters=parameters, inputs=files, output_folder=str(folder / "out"), device="cpu")


def test_a_job_writes_a_model_that_denoises(quick, tmp_path):
    outcome = run(job(tmp_path, **{**quick, "iterations": 2}))
    assert [output.kind for output in outcome.outputs] == ["model", "figure", "table"]
    inputs = [InputFile(path=str(tmp_path / "out" / "model"), role="model"), InputFile(path=str(tmp_path / "noisy0.mrc"))]
    (output,) = run_denoise(Job(method="denoise-dual", inputs=inputs, output_folder=str(tmp_path), device="cpu")).outputs
    assert (tmp_path / output.path).exists()


def test_a_wedge_model_is_trained_from_tomograms_alone(tmp_path):
    sizes = {"fill_channels": "2,4", "cut_channels": "2,4", "judge_channels": "2,4", "filter_radius": 3, "patch_px": 16}
    outcome = run_wedge_training(job(tmp_path, iterations=2, batch_size=2, validation_patches=2, precision="float32", **sizes))
    assert (tmp_path / "out" / "model" / "card.json").exists()
    assert outcome.metrics["steps"] == 2
    assert TrainWedgeParameters(**sizes).cycle_weight == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_random_start_keeps_the_contrast(domains, quick, seed):
    task = DualTask(*domains, TrainDualParameters(**{**quick, "start": "random", "filter_radius": 0}), seed)
    for domain, network in zip(domains, ("denoiser", "generator")):
        patches = torch.from_numpy(np.stack([domain.cut(domain.grid_place(n)) for n in range(8)]))
        with torch.no_grad():
            assert float(correlation(patches, task.networks[network](patches)).mean()) > 0, network


def test_a_lost_training_still_gives_its_best_model(quick, tmp_path, monkeypatch):
    judged = []

    def judge(watch, metrics):
        judged.append(metrics)
        if len(judged) == 2:
            raise TrainingError("lost", "a balance")

    monkeypatch.setattr(TrainingWatch, "judge", judge)
    outcome = run(job(tmp_path, **{**quick, "iterations": 6, "validation_interval": 2}))
    assert outcome.metrics["ended_by"] == "lost"
    assert any("the best one before: lost" in line for line in outcome.warnings)
    assert (tmp_path / "out" / "model" / "card.json").exists()
    assert len(judged) == 2


def test_a_training_lost_before_any_validation_is_an_error_whose_last_weights_can_be_taken(quick, tmp_path, monkeypatch):
    def judge(watch, metrics):
        raise TrainingError("lost", "a balance")

    monkeypatch.setattr(TrainingWatch, "judge", judge)
    with pytest.raises(TrainingError, match="lost"):
        run(job(tmp_path, **{**quick, "iterations": 4, "validation_interval": 2}))
    inputs = [InputFile(path=str(tmp_path / "out"), role="training")]
    outcome = export(Job(method="export-dual", inputs=inputs, output_folder=str(tmp_path / "taken"), device="cpu"))
    assert "no validation yet" in outcome.warnings[0]
    assert load_dual(tmp_path / "taken" / "model", torch.device("cpu"))[1].voxel_size == 10.0
    with pytest.raises(InputError, match="holds no training"):
        export(Job(method="export-dual", inputs=[InputFile(path=str(tmp_path), role="training")], output_folder=str(tmp_path / "b")))


def test_what_is_taken_out_of_a_training_is_its_best_model_and_not_its_last(quick, tmp_path):
    run(job(tmp_path, **{**quick, "iterations": 4, "validation_interval": 2}))
    path = tmp_path / "out" / "training" / BEST
    best = read_checkpoint(path)
    write_checkpoint(path, replace(best, tensors={name: value + 1 for name, value in best.tensors.items()}))  # not to be taken for another
    inputs = [InputFile(path=str(tmp_path / "out"), role="training")]
    outcome = export(Job(method="export-dual", inputs=inputs, output_folder=str(tmp_path / "taken"), device="cpu"))
    assert outcome.metrics["exported_from"] == BEST
    assert not outcome.warnings
    taken, ended = (load_file(folder / "model" / "model.safetensors") for folder in (tmp_path / "taken", tmp_path / "out"))
    name = next(name for name in taken if name.endswith("head.weight"))
    torch.testing.assert_close(taken[name], ended[name] + 1)


@pytest.mark.parametrize("taught_by", TrainDualParameters.model_fields["taught_by"].annotation.__args__)
def test_what_is_taken_out_of_an_ended_training_is_its_model(quick, tmp_path, taught_by):
    run(job(tmp_path, **{**quick, "taught_by": taught_by, "iterations": 2, "validation_interval": 2}))
    inputs = [InputFile(path=str(tmp_path / "out"), role="training")]
    export(Job(method="export-dual", inputs=inputs, output_folder=str(tmp_path / "taken"), device="cpu"))
    taken, ended = (load_file(folder / "model" / "model.safetensors") for folder in (tmp_path / "taken", tmp_path / "out"))
    torch.testing.assert_close(taken, ended, rtol=0, atol=0)


def test_both_sets_are_needed(quick, tmp_path):
    lonely = job(tmp_path, **quick)
    lonely.inputs = lonely.inputs_of("noisy")
    with pytest.raises(InputError, match="role 'clean'"):
        run(lonely)


@pytest.mark.parametrize("taught_by", ["calibrated_simulation", "dual"])
def test_what_teaches_is_what_was_asked_for_and_stands_in_the_card(quick, tmp_path, taught_by):
    outcome = run(job(tmp_path, **{**quick, "iterations": 2, "taught_by": taught_by}))
    assert load_dual(tmp_path / "out" / "model", torch.device("cpu"))[1].training["taught_by"] == taught_by
    assert ("tomogram_judge_accuracy" in outcome.metrics["last_metrics"]) == (taught_by == "dual")


@pytest.mark.parametrize(("values", "message"), [
    ({"start": "random", "taught_by": "calibrated_simulation"}, "calibrated by start 'spectrum'"),
    ({"denoiser_channels": "12;24"}, "two to five whole numbers"), ({"patch_px": 48}, "multiple of 32"),
    ({"noise_channels": "8,16"}, "three numbers"), ({"filter_radius": 0}, "needs a filter_radius"),
    ({"code": "global", "patch_px": 64}, "at most that"), ({"code": "global", "batch_size": 1}, "1 noise codes"),
    ({"code": "global", "code_covariance": "full"}, "of code_length 8 needs 9"),
    ({"batch_size": 1, "code_length": 64, "code_covariance": "full"}, "64 noise codes"),
])
def test_settings_that_cannot_be(values, message):
    with pytest.raises(ParameterError, match=message):
        parameters_from(TrainDualParameters, {"taught_by": "dual", **values})


def test_the_published_settings():
    p = TrainDualParameters.published()
    assert p.taught_by == "dual"
    assert (p.learning_rate, p.weight_decay, p.epochs, p.iterations, p.patch_px) == (1e-4, 1e-6, 20, 0, 32)
    assert (p.clean_cycle_weight, p.noisy_cycle_weight, p.adversarial_weight, p.clean_adversarial_weight) == (1, 1, 1, 1)
    assert p.code_weight == 0.1
    assert (p.code, p.code_covariance) == ("global", "full")
    assert (p.start, p.cycle_gradient, p.filter_radius, p.replay_pool, p.real_label, p.ema_decay) == ("random", "all", 0, 0, 1.0, 0.0)


def with_halves(tmp_path, quick, second_shape=(32, 48, 48)):
    whole = job(tmp_path, **{**quick, "taught_by": "calibrated_simulation", "iterations": 1, "validation_interval": 0})
    rng, files = np.random.default_rng(0), []
    for role, shape in (("half1", (32, 48, 48)), ("half2", second_shape)):
        write_volume(tmp_path / f"{role}.mrc", rng.normal(size=shape).astype(np.float32), 10.0)
        files.append(InputFile(path=str(tmp_path / f"{role}.mrc"), role=role))
    return whole.model_copy(update={"inputs": [*whole.inputs, *files]})


def test_half_maps_tell_the_noise_and_the_card_says_so(quick, tmp_path):
    outcome = run(with_halves(tmp_path, quick))
    card = load_dual(tmp_path / "out" / "model", torch.device("cpu"))[1]
    assert card.training["noise_from"] == "half maps"
    assert not any("which is a guess" in line for line in outcome.warnings)


def test_half_maps_come_in_pairs_of_one_shape(quick, tmp_path):
    whole = with_halves(tmp_path, quick, second_shape=(32, 48, 32))
    with pytest.raises(InputError, match="halves of one shape"):
        run(whole)
    with pytest.raises(InputError, match="1 first and 0 second half maps"):
        run(whole.model_copy(update={"inputs": whole.inputs[:-1]}))


def test_a_random_start_says_that_it_does_not_look_at_halves(domains, quick):
    random = TrainDualParameters(**{**quick, "start": "random", "filter_radius": 0})
    assert "does not look at the noise" in DualTask(*domains, random, 0, domains).warnings[0]
    assert DualTask(*domains, random, 0).warnings == []
