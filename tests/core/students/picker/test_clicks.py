"""The general picker learns from a few clicks, by the command's own door."""
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cryoetseg.core.models.card import read_card
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.picker.train import run
from cryoetseg.core.volumes.io import write_volume

SPOTS = [(12, 16, 16), (12, 48, 48), (24, 16, 48), (24, 48, 16), (12, 32, 80), (24, 70, 70), (14, 80, 20), (24, 80, 84)]


@pytest.fixture
def inputs(tmp_path):
    volume = np.zeros((36, 96, 96), np.float32)
    volume[tuple(np.array(SPOTS).T)] = 1
    grey = gaussian_filter(volume, 2.2)
    grey = grey / grey.max() + 0.15 * np.random.default_rng(0).standard_normal(volume.shape).astype(np.float32)
    write_volume(tmp_path / "a.mrc", -grey, 20.0)

    def job(count, **parameters):
        table = ParticleTable.from_points(np.array(SPOTS[:count], float), voxel_size=20.0, diameters=180.0, tilt_series_id="a")
        write_particles(table, tmp_path / "a.star")
        files = [InputFile(path=str(tmp_path / "a.mrc"), tilt_series_id="a"), InputFile(path=str(tmp_path / "a.star"), role="particles"),
                 InputFile(path=str(model_folder("general", "picker")), role="start")]
        return Job(method="train-picker", inputs=files, output_folder=str(tmp_path / f"out{count}"), device="cpu",
                   parameters={"iterations": 4, "validation_interval": 2, "batch_size": 2, **parameters})

    return job


def test_clicks_make_a_general_picker_that_can_be_used_and_tells_its_start(inputs):
    job = inputs(8)
    outcome = run(job)
    model = load_centres(f"{job.output_folder}/model")
    assert model.calibration == load_centres(model_folder("general", "picker")).calibration
    card = read_card(f"{job.output_folder}/model")
    assert card.training["start"]["name"] == "general"
    assert outcome.metrics["particles"] == 8


def test_a_training_that_makes_it_worse_keeps_the_start_and_few_clicks_are_told(inputs):
    job = inputs(8, learning_rate=50.0, gradient_clip=0.0)
    outcome = run(job)
    assert "the start is kept" in outcome.warnings[-1]
    folders = f"{job.output_folder}/model", model_folder("general", "picker")
    kept, start = (load_centres(folder).network.state_dict() for folder in folders)
    assert all((kept[name] == value).all() for name, value in start.items())
    assert "3 particles are too few" in run(inputs(3)).warnings[-1]
