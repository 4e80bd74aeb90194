"""What the backbone minimises, with a network of one number: which noise it sees, what it should answer, and what judges it."""
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cryoetseg.core.foundation.tiny import fold, noise_schedule
from cryoetseg.core.foundation.train import BackboneTask, _card, _checked_channels, save_backbone
from cryoetseg.core.foundation.training_data import Pair, cut_tile, draw_tile
from cryoetseg.core.foundation.training_params import TrainBackboneParameters
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.training.task import Selection, Step

SMALL = {"channels": "32", "slices": 3, "tile_px": 32, "validation_tiles": 5, "held_out": 0.4}


class Gain(nn.Module):
    """tokens -> gain tokens + step / 1000; keeps what it saw."""

    def __init__(self):
        super().__init__()
        self.gain, self.seen = nn.Parameter(torch.tensor(0.7)), []

    def forward(self, tokens, steps):
        self.seen.append((tokens.detach(), steps))
        return SimpleNamespace(sample=self.gain * tokens + steps.reshape(-1, 1, 1, 1) / 1000)


def pair_of(number, density=True):
    rng = np.random.default_rng(number)
    volume = rng.normal(size=(5, 36, 40)).astype(np.float32)
    limits = np.stack([np.percentile(slab, (0.5, 99.5)) for slab in volume]).astype(np.float32)
    return Pair(f"t{number}", volume, rng.uniform(size=volume.shape).astype(np.float32) if density else None, limits)


@pytest.fixture
def pairs():
    return [pair_of(number) for number in range(5)]


@pytest.fixture
def task(pairs):
    return BackboneTask(pairs, TrainBackboneParameters(**SMALL))


def step(seed=0):
    return Step(0, 0, "all", torch.Generator().manual_seed(seed), {})


def test_the_loss_is_the_error_of_the_answer_to_noise_of_steps_drawn_towards_small_ones(task):
    picture, target = torch.randn(2, 64, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    network, here = Gain(), step()
    loss, metrics = task.loss({"unet": network}, {"picture": picture, "target": target}, here)
    again = step()
    steps = (1000 * again.uniform(torch.zeros(64)) ** 3).long()
    noisy = noise_schedule().add_noise(picture, again.normal(picture), steps)
    expected = ((0.7 * fold(noisy) + steps.reshape(-1, 1, 1, 1) / 1000 - fold(target)) ** 2).mean()
    torch.testing.assert_close(loss, expected)
    assert metrics == {}
    (seen, seen_steps), = network.seen
    torch.testing.assert_close(seen, fold(noisy))
    assert torch.equal(seen_steps, steps)
    assert 150 < float(steps.float().mean()) < 350  # 1000 u^3: a quarter on average
    loss.backward()
    assert float(network.gain.grad) > 0  # an answer that is unrelated to the target should become fainter


def test_items_are_tiles_of_the_training_tomograms_alone(task, pairs):
    assert task.items() == 32 * 3
    for index in (0, 1, 2, 4):
        item = task.item(index, np.random.default_rng(index))
        choice = draw_tile(pairs[index % 3], task._parameters, np.random.default_rng(index))
        picture, target = cut_tile(pairs[index % 3], choice, task._parameters)
        np.testing.assert_array_equal(item["picture"], picture)
        np.testing.assert_array_equal(item["target"], target)
    assert task.selection == Selection("validation_loss", "min")


def test_validation_judges_held_out_tiles_in_turn_at_a_small_noise_step(task, pairs):
    network = Gain()
    found = task.validate({"unet": network}, np.random.default_rng(7))
    rng, errors, variances = np.random.default_rng(7), [], []
    for number in range(5):
        pair = pairs[3:][number % 2]
        choice = draw_tile(pair, task._parameters, rng)
        picture, target = (torch.from_numpy(part)[None] for part in cut_tile(pair, choice, task._parameters))
        noise = torch.from_numpy(rng.standard_normal(picture.shape, np.float32))
        noisy = noise_schedule().add_noise(picture, noise, torch.tensor([25]))
        errors.append(float(((0.7 * fold(noisy) + 0.025 - fold(target)) ** 2).mean()))
        variances.append(float(target.var()))
    assert found["validation_loss"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert found["validation_loss_of_mean"] == pytest.approx(np.mean(variances), rel=1e-4)
    assert len(found) == 2


@pytest.mark.parametrize(("channels", "slices", "word"), [
    ("32", 4, "odd number"), ("32,a", 3, "whole numbers"), ("16,48", 3, "multiples of"), ("8,32", 3, "multiples of"),
    ("40,32", 3, "multiples of")])
def test_networks_that_cannot_be_built_are_refused(channels, slices, word):
    with pytest.raises(ParameterError, match=word):
        _checked_channels(TrainBackboneParameters(channels=channels, slices=slices))


def test_channels_are_listed_finest_first():
    assert _checked_channels(TrainBackboneParameters(channels="16, 48,64", slices=1)) == [16, 48, 64]


def test_a_saved_backbone_is_half_as_large_and_the_trained_one_stays_as_it_is(task, tmp_path):
    network = task.networks["unet"]
    save_backbone(tmp_path, network, {"name": "x"})
    assert next(network.parameters()).dtype == torch.float32
    saved = load_file(tmp_path / "unet" / "diffusion_pytorch_model.safetensors")
    for name, weight in network.state_dict().items():
        assert saved[name].dtype == torch.float16
        torch.testing.assert_close(saved[name].float(), weight, atol=1e-3, rtol=1e-3)
    assert (tmp_path / "card.json").read_text().split() == ["{", '"name":', '"x"', "}"]
    assert (tmp_path / "scheduler" / "scheduler_config.json").exists()


def test_the_card_counts_tomograms_with_density_and_lists_known_voxel_sizes():
    inputs = [InputFile(path=f"{name}.mrc", voxel_size=size, tilt_series_id=name) for name, size in (("a", 12.0), ("b", 10.0), ("c", None))]
    job = Job(method="train-backbone", inputs=[*inputs, InputFile(path="d.mrc", role="grand_model", voxel_size=5.0)],
              output_folder="somewhere/mine", seed=4, parameters={"slices": 3})
    outcome = SimpleNamespace(record=lambda: {"steps": 9})
    card = _card(job, [pair_of(0), pair_of(1, density=False), pair_of(2)], outcome)
    assert (card["name"], card["method"], card["tomograms"], card["with_density"], card["seed"]) == ("mine", "train-backbone", 3, 2, 4)
    assert (card["voxel_sizes"], card["target"], card["contrast"]) == ([10.0, 12.0], "true density", "both")
    assert (card["parameters"], card["training"]) == ({"slices": 3}, {"steps": 9})
    assert _card(job, [pair_of(0, density=False)], outcome)["target"] == "the picture itself"
    assert Path(job.output_folder).name == card["name"]
