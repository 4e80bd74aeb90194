"""A few clicks: clicked places rise, unclicked ones are unknown, background stays, a worse model is given up."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.students.centres.model import Calibration, CentreModel, build_network
from cryoetseg.core.students.centres.targets import HEAT
from cryoetseg.core.students.centres.tune import ClickTask, clicked_volume, tune_centres
from cryoetseg.core.students.picker.clicks import untaught
from cryoetseg.core.students.picker.params import TrainPickerParameters
from cryoetseg.core.students.volumes import volume_from_array

SPOTS = [(16, 16, 16), (16, 48, 48), (30, 16, 48), (30, 48, 16), (16, 32, 80), (30, 70, 70), (20, 80, 20), (30, 80, 84)]


class Answer(torch.nn.Module):
    """One logit everywhere: of heat ``level``."""

    def __init__(self, level):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(float(level)))

    def forward(self, volumes):
        zeros = torch.zeros((len(volumes), 3, *(side // 2 for side in volumes.shape[2:])))
        zeros[:, HEAT] = 1.0
        return zeros * self.level


def clicked(count=8, size=20.0):
    volume = np.zeros((44, 96, 96), np.float32)
    for spot in SPOTS:
        volume[spot] = 1
    grey = gaussian_filter(volume, 2.2)
    grey = grey / grey.max() + 0.1 * np.random.default_rng(0).standard_normal(volume.shape).astype(np.float32)
    table = ParticleTable.from_points(np.array(SPOTS[:count], float), voxel_size=size, diameters=180.0)
    return volume_from_array("t", grey, size, particles=table)


def model(network):
    return CentreModel(network, 8.0, 40.0, Calibration())


def gradients(first_level, level=0.0):
    """Gradient of the loss at each cell's own logit around the first of two clicks, and the crop's heat."""
    task = ClickTask([clicked_volume(clicked(2), model(Answer(first_level)), 0.0)], model(Answer(first_level)), 0.2, 0)
    crop = task._crop(0, np.array(SPOTS[0], float), {1})
    batch = {name: torch.from_numpy(array)[None] for name, array in crop.items()}
    answer = torch.full((1, 3, 24, 24, 24), float(level), requires_grad=True)
    loss, _ = task.loss({"centres": lambda volume: answer}, batch, None)
    loss.backward()
    return answer.grad[0, HEAT].numpy(), crop["heat"]


def test_a_click_rises_and_unclicked_places_are_unknown_where_the_start_is_not_sure():
    grad, heat = gradients(first_level=0.0)
    assert grad[np.unravel_index(heat.argmax(), heat.shape)] < 0
    assert not grad[heat < 0.05].any()


def test_background_of_which_the_start_was_sure_stays_background():
    grad, heat = gradients(first_level=-6.0)
    assert (grad[heat < 0.05] > 0).all()


def test_clicks_are_shown_about_ten_voxels_wide():
    fine = clicked_volume(clicked(size=10.0), model(Answer(0)), 0.0)
    assert fine.view.shape == (22, 48, 48)
    np.testing.assert_allclose(fine.diameter, 9.0)
    np.testing.assert_allclose(fine.zyx[0], (np.array(SPOTS[0]) + 0.5) / 2 - 0.5)
    assert clicked_volume(clicked(size=20.0), model(Answer(0)), 0.0).view.shape == (44, 96, 96)
    np.testing.assert_allclose(clicked_volume(clicked(size=20.0), model(Answer(0)), 240.0).diameter, 12.0)


def test_held_out_clicks_teach_nothing():
    task = ClickTask([clicked_volume(clicked(), model(Answer(0)), 0.0)], model(Answer(0)), 0.2, 0)
    assert len(task._held_out) == 2
    assert len(task._taught) == 6
    crops = [task.item(index, np.random.default_rng(index)) for index in range(len(task._taught))]
    assert all(crop["centre"].sum() >= 1 for crop in crops)
    number, row = task._held_out[0]
    hidden = task._crop(number, np.array(SPOTS[row], float), {row})
    assert hidden["centre"][11:13, 11:13, 11:13].sum() == 0


@pytest.mark.parametrize(("share", "judging"), [(0.0, 0), (0.25, 2), (0.5, 4)])
def test_as_many_clicks_judge_as_asked(share, judging):
    task = ClickTask([clicked_volume(clicked(), model(Answer(0)), 0.0)], model(Answer(0)), share, 0)
    assert (len(task._held_out), len(task._taught)) == (judging, 8 - judging)


def test_few_clicks_all_teach_and_nothing_is_claimed(tmp_path):
    parameters = TrainPickerParameters(iterations=2, batch_size=1, validation_interval=1, checkpoint_interval=0)
    tuned = tune_centres([clicked(3)], model(build_network(0)), parameters, tmp_path, 0, "cpu")
    assert tuned.better is None


def test_a_tomogram_without_a_click_is_named():
    (warning,) = untaught([clicked(), clicked(0)])
    assert warning.startswith("t: without a particle nothing is taught")
    assert untaught([clicked()]) == []


def test_training_on_clicks_finds_them_better_and_a_ruined_model_is_given_up(tmp_path):
    start = model(build_network(0))
    parameters = TrainPickerParameters(iterations=30, batch_size=2, validation_interval=10, checkpoint_interval=0, learning_rate=0.02)
    tuned = tune_centres([clicked()], start, parameters, tmp_path / "good", 0, "cpu")
    assert tuned.better
    assert tuned.model.network is not start.network
    ruined = tune_centres([clicked()], tuned.model, parameters.model_copy(update={"learning_rate": 500.0, "iterations": 3}),
                          tmp_path / "ruined", 0, "cpu")
    assert ruined.better is False
    assert ruined.model.network is tuned.model.network
