"""Giving back a second wedge: turns move voxels alone, what nobody knows is not compared, and what is learned is what was cut away."""
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.params import TrainWedgeParameters
from cryoetseg.core.dual.rotate_cut import RotateCutTask, cube_turns, moving_turns
from cryoetseg.core.dual.wedge_networks import first_pair
from cryoetseg.core.dual.wedge_train import load_wedge, run
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.training.task import Selection, Step
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.volumes.wedge import measured_plane, missing_cube

SIDE = 16
SETTINGS = {"patch_px": SIDE, "fill_channels": "2,3", "cut_channels": "2,4", "filter_radius": 3, "taught_by": "rotate_and_cut",
            "validation_patches": 3}
CPU = torch.device("cpu")


def wedged(shape=(SIDE, 3 * SIDE, SIDE), tilts=(-60, 60)):
    """Balls without what a tilt series does not measure."""
    rng, volume = np.random.default_rng(0), np.zeros(shape)
    for place in rng.uniform(0, 1, (60, 3)) * shape:
        volume[tuple(place.astype(int))] += 1
    volume = gaussian_filter(volume, 1.5)
    depth, _, width = shape
    spectrum = np.fft.rfft2(volume, axes=(0, 2)) * measured_plane(depth, width, *tilts)[:, None]
    return np.fft.irfft2(spectrum, s=(depth, width), axes=(0, 2)).astype(np.float32)


@pytest.fixture
def task():
    parameters = TrainWedgeParameters(**SETTINGS)
    return RotateCutTask(Domain([StandardisedView(wedged(), "bright")], SIDE, ["a"]), first_pair(parameters, 0), parameters)


def test_the_turns_of_a_cube_are_24_and_none_mirrors():
    cube = np.random.default_rng(0).normal(size=(4, 4, 4))
    turned = [turn(cube) for turn in cube_turns()]
    assert len({one.tobytes() for one in turned}) == 24
    assert not any(np.array_equal(one, cube[::-1]) for one in turned)  # a mirror image
    assert any(np.array_equal(one, np.rot90(cube, axes=(0, 2))) for one in turned)


def test_a_spectrum_turns_with_its_cube():
    cube = np.random.default_rng(0).normal(size=(SIDE,) * 3)
    power = np.abs(np.fft.fftn(cube)) ** 2
    for turn in cube_turns():
        np.testing.assert_allclose(np.abs(np.fft.fftn(turn(cube))) ** 2, turn.of_spectrum(power), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("tilts", "count"), [((-60.0, 60.0), 20), ((-50.0, 70.0), 22)])  # 24 but for half turns
def test_turns_carry_the_wedge_elsewhere(tilts, count):
    missing = missing_cube(SIDE, *tilts)
    chosen = moving_turns(missing)
    assert len(chosen) == count
    assert all((missing & turn.of_spectrum(missing)).sum() < 0.75 * missing.sum() for turn in chosen)


class Answer(torch.nn.Module):
    """Gives what it was told, times a weight."""

    def __init__(self, volumes):
        super().__init__()
        self.gain, self.volumes, self.seen = torch.nn.Parameter(torch.tensor(1.0)), volumes, None

    def forward(self, volumes):
        self.seen = volumes
        return self.gain * self.volumes


def batch_of(task, count=4):
    rng = np.random.default_rng(1)
    items = [task.item(0, rng) for _ in range(count)]
    return {name: torch.from_numpy(np.stack([item[name] for item in items])) for name in items[0]}


def step():
    return Step(0, 0, "fill", torch.Generator().manual_seed(0), {})


def spectrum(volumes):
    return torch.fft.fftn(volumes, dim=(2, 3, 4))


def test_the_network_sees_turned_patches_without_a_second_wedge(task):
    batch = batch_of(task)
    network = Answer(batch["whole"])
    loss, _ = task.loss({"fill": network}, batch, step())
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-10)
    missing = torch.from_numpy(missing_cube(SIDE, -60.0, 60.0))
    assert float(spectrum(network.seen).abs()[..., missing].max()) < 1e-3
    torch.testing.assert_close(spectrum(network.seen)[..., ~missing], spectrum(batch["whole"])[..., ~missing], atol=1e-3, rtol=1e-3)
    assert float(spectrum(batch["whole"]).abs()[..., missing].max()) > 1  # turned: there is something to give back


def test_what_the_turned_patch_lacks_is_not_compared_and_the_rest_is_by_its_mean_error(task):
    batch = batch_of(task)
    missing = missing_cube(SIDE, -60.0, 60.0)
    own = np.stack([task.turns_of_cube[int(number)].of_spectrum(missing) for number in batch["turn"]])[:, None]
    unknown = torch.from_numpy(own)
    filled = spectrum(batch["whole"]) + 50 * unknown
    assert float(task.loss({"fill": Answer(torch.fft.ifftn(filled, dim=(2, 3, 4)).real)}, batch, step())[0].detach()) < 1e-6
    network = Answer(0.5 * batch["whole"])
    loss, metrics = task.loss({"fill": network}, batch, step())
    power = (spectrum(batch["whole"]).abs() ** 2 / SIDE**3)
    inside = torch.from_numpy(missing).expand_as(unknown) & ~unknown
    outside = ~torch.from_numpy(missing).expand_as(unknown) & ~unknown
    torch.testing.assert_close(metrics["given_back_loss"], 0.25 * power[inside].mean())
    torch.testing.assert_close(metrics["kept_loss"], 0.25 * power[outside].mean())
    torch.testing.assert_close(loss, metrics["given_back_loss"] + metrics["kept_loss"])
    (gradient,) = torch.autograd.grad(loss, network.gain)
    assert float(gradient) < 0  # more of the truth lowers the loss


def test_the_best_model_is_the_one_that_gives_back_most_of_patches_not_trained_on(task):
    assert task.selection == Selection("score", "max")
    seen, judged = [], task.judged
    task.judged = type("Judged", (), {"cut": lambda self, place: (seen.append(place), judged.cut(place))[1],
                                      "random_place": lambda self, rng: judged.random_place(rng)})()
    nothing = score_of(task, torch.nn.Identity())
    task.cut_away = lambda volumes: volumes  # so that the truth comes back
    part = score_of(task, torch.nn.Dropout(0.5))
    assert score_of(task, torch.nn.Identity()) == pytest.approx(1.0, abs=1e-5)
    assert 0.95 > part > 0.5
    assert nothing == pytest.approx(0.0, abs=0.05)
    assert len(seen) == 9


def score_of(task, network):
    network.weight = torch.nn.Parameter(torch.zeros(1))  # tells the device
    return task.validate({"fill": network.train()}, None)["score"]


def test_only_the_filler_learns_and_starts_as_the_identity(task):
    assert [turn.networks for turn in task.turns()] == [("fill",)]
    assert task.averaged() == ("fill",)
    assert not any(weight.requires_grad for weight in task.networks["cut"].parameters())
    volumes = torch.randn(1, 1, SIDE, SIDE, SIDE)
    torch.testing.assert_close(task.networks["fill"](volumes), volumes, atol=1e-5, rtol=1e-5)
    rate = task.optimiser("fill", list(task.networks["fill"].parameters()), TrainWedgeParameters(learning_rate=0.02, weight_decay=0.3))
    assert (rate.param_groups[0]["lr"], rate.param_groups[0]["weight_decay"]) == (0.02, 0.3)


def test_a_job_gives_back_more_than_nothing(tmp_path):
    write_volume(tmp_path / "t.mrc", wedged((24, 64, 40)), 10.0)
    job = Job(method="train-dual-wedge", inputs=[InputFile(path=str(tmp_path / "t.mrc"), role="noisy", contrast="bright")],
              parameters={**SETTINGS, "fill_channels": "6,12", "iterations": 40, "learning_rate": 3e-3, "validation_interval": 20,
                          "ema_decay": 0.8, "precision": "float32"}, output_folder=str(tmp_path / "out"), device="cpu")
    outcome = run(job)
    assert outcome.metrics["best_value"] > 0.2
    pair, card = load_wedge(tmp_path / "out" / "model", CPU)
    assert card.training["taught_by"] == "rotate_and_cut"
    volumes = torch.randn(1, 1, SIDE, SIDE, SIDE)
    assert not torch.allclose(pair.fill(volumes), volumes, atol=1e-3)
