"""What stops or warns of a lost training, and the pool."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from cryoetseg.core.dual.pool import ReplayPool
from cryoetseg.core.dual.watch import TrainingWatch, radial_power, scored, spectrum_distance, wedge_distance
from cryoetseg.core.runtime.errors import TrainingError
from cryoetseg.core.training.task import Step
from cryoetseg.core.volumes.wedge import missing_cube

GOOD = {"contrast": 0.4, "score": 0.5}


def step(number):
    return Step(number, 0, "discriminators", torch.Generator().manual_seed(number), {})


def test_contrast_that_stays_upside_down_stops_after_a_grace():
    upside_down = {"contrast": -0.2, "score": 0.9}
    watch = TrainingWatch(2)
    for metrics in (upside_down, GOOD, upside_down):  # one that turns is not lost
        watch.judge(metrics)
    with pytest.raises(TrainingError, match="upside down for 2 validations"):
        watch.judge(upside_down)
    for _ in range(5):
        TrainingWatch(0).judge(upside_down)


def test_a_model_with_contrast_upside_down_is_never_the_best():
    best = scored({"contrast": -0.2}, 0.9)["score"]
    assert best < scored({"contrast": 0.2}, -20.0)["score"] == -20.0
    assert scored({"contrast": -0.2}, 0.8)["score"] < best


def test_judges_that_are_always_right_stop_after_the_limit():
    watch = TrainingWatch(2)
    watch.judge(GOOD)
    for validation in range(2):
        for _ in range(5):
            watch.count({"tomogram_judge_accuracy": 1.0, "density_judge_accuracy": 0.7})
        if validation == 0:
            watch.judge(GOOD)
            assert "tomogram_judge_accuracy was right" in watch.warnings[0]
        else:
            with pytest.raises(TrainingError, match="always been right for 2 validations"):
                watch.judge(GOOD)


def test_gain_and_balance_reset_the_count():
    watch = TrainingWatch(1)
    for score in (0.1, 0.2, 0.3):
        watch.count({"a_accuracy": 1.0})
        watch.judge({"contrast": 0.4, "score": score})
    assert len(watch.warnings) == 1  # told once, but as long as the score rises nothing is lost
    watch.count({"a_accuracy": 0.6})
    watch.judge({"contrast": 0.4, "score": 0.0})
    watch.count({"a_accuracy": 1.0})
    with pytest.raises(TrainingError, match="for 1 validations"):
        watch.judge({"contrast": 0.4, "score": 0.0})


def test_the_counts_go_on_after_an_interruption():
    watch, resumed = TrainingWatch(2), TrainingWatch(2)
    watch.count({"a_accuracy": 1.0})
    watch.judge(GOOD)
    watch.count({"a_accuracy": 1.0, "loss": 3.0})
    watch.judge(GOOD)  # stuck once
    watch.count({"a_accuracy": 1.0})
    resumed.restore(watch.state())
    resumed.restore({})  # a checkpoint that knows nothing of it
    assert resumed.state() == watch.state()
    with pytest.raises(TrainingError, match="for 2 validations"):
        resumed.judge(GOOD)


def test_radial_power_of_white_noise_is_flat_and_of_doubled_noise_four_times_as_large():
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 1, 16, 16, 16)))
    power = radial_power(noise)
    assert power.shape == (8,)
    assert float((power[2:] / power[2:].mean() - 1).abs().max()) < 0.2
    assert spectrum_distance(2 * noise, noise) == pytest.approx(np.log(4), rel=1e-6)
    assert spectrum_distance(noise, noise) == 0


def test_pool_keeps_fakes_and_shows_them_again():
    pool = ReplayPool(4)
    first = torch.arange(4.0).reshape(4, 1, 1, 1, 1)
    torch.testing.assert_close(pool.exchange(first, step(0)), first)  # fills up
    shown = torch.cat([pool.exchange(10.0 * number + first, step(number)) for number in range(1, 9)])
    assert (shown < 10).any()
    assert len(pool.state()["pool"]) == 4
    copy = ReplayPool(4)
    copy.restore({"pool": pool.state()["pool"].clone()})
    torch.testing.assert_close(copy.exchange(first, step(9)), pool.exchange(first, step(9)))
    assert copy.exchange(first.to("meta"), step(10)).is_meta  # restored on a processor, the pool follows the fakes to their device
    assert ReplayPool(0).exchange(first, step(0)) is first


def test_processes_have_one_pool():
    one, two = ReplayPool(4), [ReplayPool(4), ReplayPool(4)]
    fakes = torch.arange(6.0).reshape(6, 1, 1, 1, 1)
    for number in range(6):
        new = fakes + 10.0 * number
        shares = [replace(step(number), process=process, processes=2, gathered=lambda own, new=new: new) for process in (0, 1)]
        shown = torch.cat([pool.exchange(new[3 * share.process:3 * share.process + 3], share) for pool, share in zip(two, shares)])
        torch.testing.assert_close(shown, one.exchange(new, step(number)))
    assert all(torch.equal(pool.state()["pool"], one.state()["pool"]) for pool in two)


def test_a_wedge_that_is_filled_is_nearer_than_one_left_empty_or_filled_too_much():
    missing = torch.from_numpy(missing_cube(16, -60, 60))
    truth = torch.from_numpy(np.random.default_rng(0).normal(size=(12, 1, 16, 16, 16)))
    spectrum = torch.fft.fftn(truth, dim=(2, 3, 4))

    def with_wedge(factor):
        return torch.fft.ifftn(torch.where(missing, factor * spectrum, spectrum), dim=(2, 3, 4)).real

    measured = with_wedge(0.0)
    empty, right, strong = (wedge_distance(with_wedge(factor), measured, missing) for factor in (0.05, 1.0, 3.0))
    assert right < 0.15 < 0.5 * strong < 0.5 * empty
    weak_outside = wedge_distance(torch.fft.ifftn(torch.where(missing, spectrum, 0.3 * spectrum), dim=(2, 3, 4)).real, measured, missing)
    assert weak_outside > right + 0.8  # what was measured counts as well


def test_shells_of_counted_coefficients_alone():
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 8, 8, 8)))
    counted = torch.zeros(8, 8, 8, dtype=torch.bool)
    counted[0, 0, 2] = counted[0, 0, -2] = True
    expected = float(torch.fft.fftn(noise[0, 0])[0, 0, 2].abs() ** 2)
    assert radial_power(noise, counted).tolist() == pytest.approx([0, 0, expected, 0])
