"""Each measure on cubes whose answer is known."""
import numpy as np
import pytest

from cryoetseg.core.generation import comparison
from cryoetseg.core.generation.data import half_turn
from cryoetseg.core.runtime.errors import InputError

SIDE = 16


def noise(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, SIDE, SIDE, SIDE)).astype(np.float32)


def distances():
    z, y, x = np.indices((SIDE, SIDE, SIDE)) - SIDE // 2
    return np.sqrt(z**2 + y**2 + x**2)


def test_white_noise_has_power_one_in_every_shell_and_a_wave_in_its_own():
    power = comparison.radial_power(noise(80))
    assert power.shape == (8,)
    np.testing.assert_allclose(power, 1, atol=0.06)
    wave = np.sqrt(2) * np.cos(2 * np.pi * 3 * np.arange(SIDE) / SIDE) * np.ones((1, SIDE, SIDE, SIDE))
    power = comparison.radial_power(wave)
    assert int(power.argmax()) == 2  # shells count from 1
    assert power[power < power.max()].max() < 1e-9


def test_a_shell_is_hollow_and_a_ball_is_not():
    shell, ball = (np.where((distances() <= 4.4) & (distances() >= least), 1.0, 0.0) for least in (2, 0))
    assert comparison.hollowness(comparison.radial_profile(shell)) == pytest.approx(1, abs=0.02)
    assert comparison.hollowness(comparison.radial_profile(ball)) == pytest.approx(0, abs=0.02)
    np.testing.assert_allclose(comparison.radial_profile(ball)[:4], 1)


def test_copies_of_training_cubes_are_found_also_when_turned():
    training, fresh = noise(6), noise(3, seed=1)
    assert comparison.nearest(training[2:3], training)[0] == pytest.approx(1, abs=1e-5)
    assert comparison.nearest(half_turn(training[2])[None], training)[0] == pytest.approx(1, abs=1e-5)
    assert comparison.nearest(fresh, training).max() < 0.1


def test_pair_correlation_tells_the_share_of_what_is_common():
    common = noise(1, seed=2)
    cubes = np.sqrt(0.6) * common + np.sqrt(0.4) * noise(40, seed=3)
    assert comparison.mean_pair_correlation(cubes, 200) == pytest.approx(0.6, abs=0.02)
    assert comparison.mean_pair_correlation(np.repeat(common, 3, axis=0), 200) == pytest.approx(1, abs=1e-5)
    assert np.isnan(comparison.mean_pair_correlation(common, 200))


def test_means_by_class_and_their_resolution():
    cubes = np.concatenate([noise(5), 3 + noise(4, seed=1)])
    means = comparison.mean_cubes(cubes, np.array([0] * 5 + [1] * 4), 2)
    np.testing.assert_allclose(means[0], cubes[:5].mean(axis=0))
    assert means[1].mean() == pytest.approx(3, abs=0.1)
    assert comparison.means_resolution(means[0], means[0], 10.0) == pytest.approx(20)


def test_deviation_is_over_the_shells_that_hold_power():
    real, made = np.array([10.0, 5.0, 1.0, 1e-6]), np.array([11.0, 3.0, 1.5, 1.0])
    deviation, shells = comparison.largest_deviation(made, real, 0.001)
    assert (deviation, shells) == (pytest.approx(0.5), 2)


def test_cubes_of_another_side_are_refused():
    with pytest.raises(InputError, match="equal shapes"):
        comparison.correlations(noise(2), noise(2)[:, :8])
