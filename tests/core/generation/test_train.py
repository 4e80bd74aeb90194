import json

import numpy as np
import pytest
import torch

from cryoetseg.core.generation.data import open_particles
from cryoetseg.core.generation.evaluate import read_generated
from cryoetseg.core.generation.model import generator_card, import_checkpoint_as_model, load_generator
from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.generation.params import SampleParameters, TrainGeneratorParameters
from cryoetseg.core.generation.published import export_published
from cryoetseg.core.generation.sample import choose_positions, generate_particles
from cryoetseg.core.generation.train import GeneratorTask, noise_schedule
from cryoetseg.core.generation.train import run as run_training
from cryoetseg.core.methods import run_job
from cryoetseg.core.models.card import save_model
from cryoetseg.core.runtime.errors import ParameterError, WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.training.engine import train

SMALL = {"iterations": 8, "batch_size": 4, "box_px": 16, "channels": 8, "validation_items": 6, "validation_interval": 4,
         "checkpoint_interval": 4, "noise_steps": 50, "precision": "float32"}
LEARNING = {**SMALL, "iterations": 100, "learning_rate": 3e-3, "validation_interval": 0, "checkpoint_interval": 0, "beta_end": 0.3}


def job_of(inputs, folder, **parameters):
    return Job(method="train-generator", parameters={**SMALL, **parameters}, inputs=inputs, output_folder=str(folder), device="cpu")


@pytest.fixture(scope="module")
def learnt(scene, tmp_path_factory):
    """A model that has seen balls and shells for about ten seconds."""
    folder = tmp_path_factory.mktemp("learnt")
    result = run_job(job_of(scene, folder, **LEARNING))
    return folder, result


def test_training_beats_what_the_schedule_alone_can_tell(learnt):
    folder, result = learnt
    rows = result.metrics["last_metrics"]
    assert rows["validation_clean_error"] < 0.6 * rows["validation_schedule_bound"]
    generator = load_generator(folder)
    assert generator.classes == ["ball", "shell"]
    assert (generator.box, generator.voxel_size, generator.contrast, generator.knows_no_class) == (16, 10.0, "bright", True)
    assert len(generator.positions) == 16


def test_the_class_shapes_the_sample(learnt):
    generator, anywhere = load_generator(learnt[0]), np.full((4, 3), 0.5)
    parameters = SampleParameters(steps=12, batch_size=4)
    ball, shell = (np.stack(list(generate_particles(generator, [kind] * 4, anywhere, parameters))) for kind in (0, 1))
    middle = (ball - shell)[:, 7:10, 7:10, 7:10].mean(axis=(1, 2, 3))  # from the same noise: what differs is the class alone
    assert (middle > 0).all()  # a shell is hollow


def test_files_and_lists_tell_what_was_made(learnt, tmp_path):
    model = InputFile(path=str(learnt[0] / "model"), role="model")
    job = Job(method="generate-particles", parameters={"count": 6, "steps": 4}, inputs=[model], output_folder=str(tmp_path), device="cpu")
    result = run_job(job)
    assert len(result.outputs_of("subtomogram")) == 12
    generated = read_generated(tmp_path)
    assert generated.classes == ["ball", "shell"]
    assert generated.cubes.shape == (12, 16, 16, 16)
    record = json.loads((tmp_path / "generated.json").read_text())
    assert record["sampling"] == {"sampler": "dpm_solver", "steps": 4, "guidance": 1.0, "precision": "auto"}
    assert record["subtomograms"][7]["file"] == "generated_shell_00002.mrc"
    assert set(record["subtomograms"][7]) == {"file", "class", "position_zyx", "number"}


def test_a_resumed_training_equals_an_uninterrupted_one(scene, tmp_path):
    particles = open_particles(job_of(scene, tmp_path))

    def trained(folder, *lengths):
        for steps in lengths:
            torch.manual_seed(0)
            parameters = TrainGeneratorParameters(**{**SMALL, "iterations": steps, "schedule": "constant"})
            task = GeneratorTask(particles, particles, parameters)
            train(task, parameters, folder, seed=5, device="cpu")
        return task.networks["unet"].state_dict()

    once, twice = trained(tmp_path / "once", 8), trained(tmp_path / "twice", 4, 8)
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_the_published_settings_are_one_call_away(scene, tmp_path):
    published = TrainGeneratorParameters.published()
    assert (published.box_px, published.epochs, published.batch_size, published.learning_rate) == (64, 100, 16, 1e-4)
    assert noise_schedule(published).bound() == pytest.approx(0.7245, abs=1e-4)
    assert (published.precision, published.schedule, published.ema_decay, published.gradient_clip) == ("float32", "constant", 0.0, 0.0)
    assert (published.noise_steps, published.beta_start, published.beta_end, published.weight_decay) == (1000, 1e-4, 0.02, 0.0)
    assert (published.held_out, published.split, published.turn, published.channels) == (0.1, "particle", False, 32)
    assert (published.iterations, published.class_dropout, published.position_dropout) == (0, 0.0, 0.0)
    outcome = run_training(job_of(scene, tmp_path, iterations=1, answer="sample", padding="zero", split="particle", box_px=32))
    assert outcome.warnings == ["32 of 32 boxes reach beyond their tomogram and are filled with its raw 0 there"]


@pytest.fixture
def untrained(scene, tmp_path):
    """A model with random weights, never shown without class."""
    parameters = TrainGeneratorParameters(**{**SMALL, "class_dropout": 0.0})
    particles = open_particles(job_of(scene, tmp_path))
    save_model(tmp_path / "model", ConditionalUNet3d(2, 8), generator_card(particles, parameters, noise_schedule(parameters), {}))
    return load_generator(tmp_path / "model")


def test_a_sample_is_fixed_by_seed_and_number(untrained):
    def cubes(kinds, seed, batch):
        parameters = SampleParameters(steps=3, batch_size=batch, precision="float32")
        return np.stack(list(generate_particles(untrained, kinds, np.full((len(kinds), 3), 0.5), parameters, seed)))

    together = cubes([0, 1, 0], 4, 3)
    assert np.array_equal(together, cubes([0, 1, 0], 4, 3))
    np.testing.assert_allclose(together, cubes([0, 1, 0], 4, 2), atol=1e-4)
    assert np.abs(together - cubes([0, 1, 0], 5, 3)).max() > 0.1


def test_what_sampling_cannot_do_is_said(untrained):
    with pytest.raises(ParameterError, match="unknown class 'tric'"):
        untrained.class_numbers("ball, tric")
    with pytest.raises(ParameterError, match="without class dropout"):
        next(generate_particles(untrained, [0], np.zeros((1, 3)), SampleParameters(guidance=2.0)))
    with pytest.raises(ParameterError, match="1 to 50"):
        next(generate_particles(untrained, [0], np.zeros((1, 3)), SampleParameters(steps=51)))
    with pytest.raises(ParameterError, match="three fractions"):
        choose_positions(untrained, "0.5, 2, 0.5", 3, 0)
    np.testing.assert_allclose(choose_positions(untrained, "0.1, 0.2, 0.3", 2, 0), [[0.1, 0.2, 0.3]] * 2, rtol=1e-6)


def test_guidance_out_of_range_is_refused(learnt, tmp_path):
    model = InputFile(path=str(learnt[0] / "model"), role="model")
    with pytest.raises(ParameterError, match="guidance"):
        run_job(Job(method="generate-particles", parameters={"guidance": 11}, inputs=[model], output_folder=str(tmp_path)))


def test_a_published_checkpoint_becomes_a_model_of_dark_particles(tmp_path):
    network = ConditionalUNet3d(2, 8)
    export_published(tmp_path / "theirs.safetensors", network)
    import_checkpoint_as_model(tmp_path / "theirs.safetensors", tmp_path / "model", ["a", "b"], 10.0, box=16)
    generator = load_generator(tmp_path / "model")
    assert (generator.contrast, generator.schedule.answer, generator.knows_no_class) == ("dark", "sample", False)
    with pytest.raises(ParameterError, match="3 class names"):
        import_checkpoint_as_model(tmp_path / "theirs.safetensors", tmp_path / "other", ["a", "b", "c"], 10.0)
    with pytest.raises(WeightsError, match="not a model folder"):
        load_generator(tmp_path / "nothing")
