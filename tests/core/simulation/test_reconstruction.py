"""Weighted back-projection."""
import numpy as np
import pytest
import torch

from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.projection import Geometry, project
from cryoetseg.core.simulation.reconstruction import noise_scale, odd_and_even, reconstructor, roll_off, weighting
from cryoetseg.core.simulation.tilt_series import plan_tilt_series


def test_weights():
    ramp = weighting(64, 32, np.deg2rad(3), "ramp")
    level = weighting(64, 32, np.deg2rad(3), "crowther")
    assert ramp[16] == pytest.approx(0.25)
    assert ramp[0] > 0
    assert level.max() == pytest.approx(min(0.5, 1 / (32 * np.deg2rad(3))))
    fall = roll_off((32, 32), 0.2)
    assert fall[0, 0] == 1
    assert fall[0, -1] == pytest.approx(0, abs=1e-12)
    assert fall[0, 11] == pytest.approx(0.5, abs=0.05)  # half way between 0.2 and 0.5


@pytest.mark.parametrize("kind", ["ramp", "crowther"])
def test_a_ball_comes_back_in_place(kind: str):
    p = SimulationParameters(size_z=32, size_y=24, size_x=40, weighting=kind, tilt_min=-85, tilt_max=85, tilt_step=2.5)
    geometry = Geometry(32, 40)
    z, y, x = np.meshgrid(*(np.arange(n) for n in (32, 24, 40)), indexing="ij")
    ball = torch.from_numpy(np.exp(-((z - 18) ** 2 + (y - 10) ** 2 + (x - 15) ** 2) / 18).astype(np.float32))
    series = plan_tilt_series(p, 300.0, np.random.default_rng(1))
    result = reconstructor(p, series, geometry, torch.device("cpu"))(project(ball, geometry, series.angles)).numpy()
    assert np.unravel_index(result.argmax(), result.shape) == (18, 10, 15)
    assert np.corrcoef(result.ravel(), ball.numpy().ravel())[0, 1] > 0.85  # the mirrored sample outside the volume shines in
    assert result.max() == pytest.approx(1.0, abs=0.35)


def test_halves_share_the_tilts():
    images = torch.rand(5, 4, 6)
    odd, even = odd_and_even(images)
    assert torch.equal((odd + even) / 2, images)
    assert not odd[1].any()
    assert not even[0].any()


def test_noise_scale_sets_the_ratio_and_survives_nothing():
    signal, noise = torch.randn(30000), 5 * torch.randn(30000)
    strength = noise_scale(signal, noise, 0.05)
    assert float(signal.var() / (strength * noise).var()) == pytest.approx(0.05, rel=1e-4)
    assert noise_scale(torch.zeros(9), torch.randn(9), 0.1) == 1
