"""Made particles in real background: where they go, what they leave as it is, and that the list says what is where."""
import numpy as np
import pytest

from cryoetseg.core.generation import paste as module
from cryoetseg.core.generation.data import open_particles
from cryoetseg.core.generation.model import generator_card
from cryoetseg.core.generation.network import ConditionalUNet3d
from cryoetseg.core.generation.params import TrainGeneratorParameters
from cryoetseg.core.generation.paste import free_places, pasted, run, soft_ball
from cryoetseg.core.generation.train import noise_schedule
from cryoetseg.core.models.card import save_model
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.cleaned import cleaned
from cryoetseg.core.volumes.io import read_volume, write_volume

SIDE = 16


def test_a_soft_ball_is_whole_in_the_middle_and_nothing_at_the_faces():
    weight = soft_ball(SIDE, 0.5)
    assert weight[8, 8, 8] == weight[8, 8, 11] == 1
    assert weight[8, 8, 14] == pytest.approx(0.5)
    assert not weight[0].any()
    assert not weight[:, 0].any()
    assert (np.diff(weight[8, 8, 8:]) <= 0).all()


def test_pasting_keeps_the_outside_and_the_variance_and_sets_the_cube_in_its_middle():
    rng, weight = np.random.default_rng(0), soft_ball(SIDE, 0.5)
    background = 50 + 3 * rng.normal(size=(400, SIDE, SIDE, SIDE))
    cubes = rng.normal(size=background.shape)
    made = np.stack([pasted(one, cube, weight) for one, cube in zip(background, cubes)])
    np.testing.assert_allclose(made[:, weight == 0], background[:, weight == 0])
    np.testing.assert_allclose(made.std(axis=0), 3.0, rtol=0.2)  # also where both overlap
    assert made.std(axis=0)[(weight > 0.3) & (weight < 0.8)].mean() == pytest.approx(3.0, rel=0.02)
    middle = weight == 1
    np.testing.assert_allclose(made[0][middle], background[0].mean() + background[0].std() * cubes[0][middle])


def test_places_are_inside_apart_and_in_the_sample():
    rng = np.random.default_rng(0)
    volume = rng.normal(size=(20, 60, 60)).astype(np.float32)
    view = cleaned(volume, "bright")
    taken = np.array([[10.0, 30.0, 30.0]])
    places = free_places(view, taken, 6, SIDE, 15.0, rng)
    assert places.shape == (6, 3)
    assert ((places >= 8) & (places <= np.array(volume.shape) - 8)).all()
    both = np.concatenate([taken, places])
    distances = np.linalg.norm(both[:, None] - both, axis=2)[~np.eye(7, dtype=bool)]
    assert distances.min() >= 15
    with pytest.raises(InputError, match="room for"):
        free_places(view, taken, 60, SIDE, 15.0, rng)
    with pytest.raises(InputError, match="box of 32"):
        free_places(view, taken, 1, 32, 15.0, rng)


@pytest.fixture
def model(scene, tmp_path):
    """A model with random weights; what it makes is not looked at."""
    parameters = TrainGeneratorParameters(box_px=SIDE, channels=8, noise_steps=10)
    particles = open_particles(Job(method="", inputs=scene, output_folder="."))
    save_model(tmp_path / "model", ConditionalUNet3d(2, 8), generator_card(particles, parameters, noise_schedule(parameters), {}))
    return InputFile(path=str(tmp_path / "model"), role="model")


def cubes_of_their_class(generator, kinds, positions, parameters, seed=0, device="cpu"):
    """In place of the network: a bright ball for class 0, a dark one for class 1, so that what is where can be seen."""
    for kind in kinds:
        yield (1 - 2 * kind) * 5 * soft_ball(generator.box, 0.9).astype(np.float32)


@pytest.mark.parametrize("contrast", ["dark", "bright"])
def test_a_job_writes_tomograms_whose_lists_say_what_is_where(model, tmp_path, monkeypatch, contrast):
    monkeypatch.setattr(module, "generate_particles", cubes_of_their_class)
    background = (100 + 2 * np.random.default_rng(0).normal(size=(24, 80, 80))).astype(np.float32)
    write_volume(tmp_path / "t.mrc", background, 10.0)
    tomogram = InputFile(path=str(tmp_path / "t.mrc"), contrast=contrast, tilt_series_id="t")
    job = Job(method="paste-particles", parameters={"count": 3, "spacing": 150.0}, inputs=[model, tomogram],
              output_folder=str(tmp_path / "out"), device="cpu")
    outcome = run(job)
    made, table = read_volume(tmp_path / "out" / "t_pasted.mrc")[0], read_particles(tmp_path / "out" / "t_pasted.star")
    assert sorted(table.class_names.values()) == ["ball", "shell"]
    sign = 1 if contrast == "bright" else -1
    for centre, number in zip(table.zyx.round().astype(int), table.class_id):
        bright = table.class_names[int(number)] == "ball"
        assert np.sign(made[tuple(centre)] - 100) == (sign if bright else -sign)
    away = np.min([np.linalg.norm(np.indices(made.shape).transpose(1, 2, 3, 0) - centre, axis=3) for centre in table.zyx], axis=0) > 9
    np.testing.assert_allclose(made[away], background[away], atol=1e-3)
    assert outcome.metrics == {"pasted": 6, "known": 0, "box_px": SIDE}
    assert "takes those for background" in outcome.warnings[0]
    assert [output.kind for output in outcome.outputs] == ["tomogram", "particles"]


def test_known_particles_stay_where_they_are_and_are_listed(scene, model, tmp_path):
    lists = [item for item in scene if item.role == "particles"]
    tomogram = scene[0]
    job = Job(method="paste-particles", parameters={"count": 1, "classes": "ball", "spacing": 60.0, "steps": 2},
              inputs=[model, tomogram, *lists], output_folder=str(tmp_path / "out"), device="cpu")
    outcome = run(job)
    table = read_particles(tmp_path / "out" / "tomo0_pasted.star")
    assert outcome.metrics == {"pasted": 1, "known": 16, "box_px": SIDE}
    assert outcome.warnings == []
    assert len(table) == 17
    kinds = [table.class_names[int(number)] for number in table.class_id]
    assert (kinds.count("ball"), kinds.count("shell")) == (9, 8)
    real = read_volume(tomogram.path)[0]
    made = read_volume(tmp_path / "out" / "tomo0_pasted.mrc")[0]
    assert np.isclose(made, real, atol=1e-3).mean() > 0.8
    assert not np.allclose(made, real, atol=1e-3)


def test_a_tomogram_of_another_voxel_size_is_refused(model, tmp_path):
    write_volume(tmp_path / "t.mrc", np.random.default_rng(0).normal(size=(24, 40, 40)).astype(np.float32), 12.0)
    with pytest.raises(InputError, match="10 A, those of the model"):
        run(Job(method="paste-particles", inputs=[model, InputFile(path=str(tmp_path / "t.mrc"))], output_folder=str(tmp_path / "o"),
                device="cpu"))
