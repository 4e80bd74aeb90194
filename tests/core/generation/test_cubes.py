import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from cryoetseg.core.generation.cubes import Cubes, _half_turns
from cryoetseg.core.generation.data import half_turn, open_particles
from cryoetseg.core.generation.params import TrainGeneratorParameters
from cryoetseg.core.generation.train import GeneratorTask
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.training import resident


@pytest.fixture
def particles(scene, tmp_path):
    return open_particles(Job(method="train-generator", inputs=scene, output_folder=str(tmp_path)))


@pytest.mark.parametrize("side", [7, 8])
def test_cubes_are_turned_on_the_device_as_by_the_host(side):
    cubes = np.random.default_rng(0).normal(size=(3, side, side, side)).astype(np.float32)
    np.testing.assert_array_equal(_half_turns(torch.from_numpy(cubes)).numpy(), [half_turn(cube) for cube in cubes])


@pytest.mark.parametrize("most", [resident.MOST_BYTES, 1000])
def test_items_gathered_by_their_places_are_those_cut_bit_for_bit(particles, monkeypatch, most):
    monkeypatch.setattr(resident, "MOST_BYTES", most)
    parameters = TrainGeneratorParameters(box_px=16, channels=8, class_dropout=0.3, position_dropout=0.3)
    task = GeneratorTask(particles, particles, parameters)
    assert Cubes(particles, 16, "mean").fit == (most > 1000)
    rows = range(16)
    gathered = task.gather(default_collate([task.place(row, np.random.default_rng(row)) for row in rows]))
    cut = default_collate([task.item(row, np.random.default_rng(row)) for row in rows])
    assert gathered.keys() == cut.keys()
    assert all(torch.equal(gathered[name], cut[name]) for name in cut)
