"""Images: optics and noise."""
import numpy as np
import pytest
import torch

from cryoetseg.core.simulation.imaging import apply_transfer, bordered, noise_images, optics, signal_images, with_border
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tilt_series import TiltSeries, plan_tilt_series


def series_of(p: SimulationParameters) -> TiltSeries:
    return plan_tilt_series(p, 1000.0, np.random.default_rng(1))


def blob_projections(tilts: int) -> torch.Tensor:
    y, x = np.meshgrid(np.arange(40) - 20, np.arange(48) - 24, indexing="ij")
    return torch.from_numpy(np.exp(-(y**2 + x**2) / 18).astype(np.float32)).repeat(tilts, 1, 1)


def recorded(projections: torch.Tensor, p: SimulationParameters, series: TiltSeries) -> torch.Tensor:
    return signal_images(projections, optics(p, series, bordered(projections.shape)), series.shifts)


def noise_of(projections: torch.Tensor, p: SimulationParameters, series: TiltSeries) -> torch.Tensor:
    return noise_images(projections, optics(p, series, bordered(projections.shape)), p, series, np.random.default_rng(2))


@pytest.mark.parametrize("choice", [{"optics": "none"}, {"optics": "ctf"}, {"optics": "ctf", "ctf_correction": "phase_flip"}])
def test_dense_is_dark_in_the_images(choice: dict):
    p = SimulationParameters(tilt_step=30, **choice)
    image = recorded(blob_projections(5), p, series_of(p))[2]
    assert image[20, 24] < -0.05
    assert image.argmin() == 20 * 48 + 24


def test_misalignment_moves_the_image():
    p = SimulationParameters(tilt_step=30, optics="none", b_factor=0, total_dose=0)
    series = series_of(p)
    series.shifts[2] = (3.0, -5.0)
    image = -recorded(blob_projections(5), p, series)[2]
    assert np.unravel_index(image.argmax(), image.shape) == (23, 19)


def test_noise_has_unit_variance_and_grows_with_the_path():
    p = SimulationParameters(tilt_step=30, mean_free_path=2000.0)
    series = series_of(p)
    noise = noise_of(torch.zeros(5, 200, 200), p, series)
    assert noise.var(dim=(1, 2)).numpy() * series.transmission == pytest.approx(np.ones(5), rel=0.05)


def test_poisson_noise_is_unit_too():
    p = SimulationParameters(tilt_step=30, noise_model="poisson", mean_free_path=20000.0)
    series = series_of(p)
    noise = noise_of(blob_projections(5), p, series)
    assert noise.var(dim=(1, 2)).numpy() * series.transmission == pytest.approx(np.ones(5), rel=0.2)


def test_radiation_damage_takes_high_frequencies_from_late_tilts():
    p = SimulationParameters(optics="none", b_factor=0, tilt_step=30, total_dose=150)
    series = series_of(p)
    first, last = int(series.dose_before.argmin()), int(series.dose_before.argmax())
    early, late = (np.abs(optics(p, series, (32, 32))[tilt])[0, -1] for tilt in (first, last))
    assert early == 1
    assert late < 0.5


def test_border_and_cut_are_inverse():
    image = torch.rand(20, 30)
    padded = with_border(image)
    assert torch.allclose(apply_transfer(padded, np.ones((84, 48))), image, atol=1e-5)
