"""The noise module against its numbers: 8000 of 32768 frequencies, variance 0.2267 of white noise, sigma 0.15 and 0.48."""
import numpy as np
import pytest
import torch

from cryoetseg.core.voxuda import noise


@pytest.fixture(scope="module")
def white():
    return torch.randn(40, 32, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kept", "side"), [(0.084, 14), (0.178, 18), (0.244, 20), (0.422, 24)])
def test_the_published_shares_are_cubes(kept, side):
    assert int(noise.high_pass(32, kept, "corner_cube").sum()) == side**3


def test_the_corner_cube_keeps_high_frequencies_of_all_axes_only():
    passed = noise.high_pass(32, 0.244, "corner_cube")
    assert int(passed.sum()) == 8000
    frequency = np.abs(np.fft.fftfreq(32) * 32)
    kept = np.argwhere(passed.numpy())
    assert frequency[kept].min() == 6
    assert passed[6:26, 6:26, 6:26].all()


def test_the_other_geometries_keep_the_outside():
    radial, outside = noise.high_pass(32, 0.244, "radial"), noise.high_pass(32, 0.244, "outside_cube")
    frequency = np.fft.fftfreq(32) * 32
    radius = np.sqrt(frequency[:, None, None] ** 2 + frequency[:, None] ** 2 + frequency**2)
    assert radius[radial.numpy()].min() == pytest.approx(18.6, abs=0.1)  # spec B4
    assert float(radial.float().mean()) == pytest.approx(0.244, abs=0.01)
    assert int(outside.sum()) == 32**3 - 8000
    assert not outside[0, 0, 0]


def test_variance_of_white_noise_and_both_readings(white):
    passed = noise.high_pass(32, 0.244, "corner_cube")
    found = noise.high_frequencies(white, passed)
    assert float(found.var(dim=(1, 2, 3)).mean()) == pytest.approx(0.2267, abs=0.002)
    means = [float(noise.noise_deviation(white[start:start + 10], passed, "variance_of_mean")) for start in (0, 10, 20, 30)]
    assert np.mean(means) == pytest.approx(0.15, abs=0.003)
    assert float(noise.noise_deviation(white[:10], passed, "mean_of_variances")) == pytest.approx(0.476, abs=0.005)


def test_the_literal_reading_falls_with_the_number_of_samples(white):
    passed = noise.high_pass(32, 0.244, "corner_cube")
    few, many = (float(noise.noise_deviation(white[:count], passed, "variance_of_mean")) for count in (5, 20))
    assert few / many == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize(("kind", "mean", "variance"), [("gaussian", 0.0, 0.09), ("poisson", 0.3, 0.3), ("speckle", 0.0, 0.09 * 4)])
def test_each_noise_has_its_own_moments(white, kind, mean, variance):
    volumes = torch.full((4, 32, 32, 32), 2.0)
    uniform = torch.rand(volumes.shape, generator=torch.Generator().manual_seed(2))
    added = noise.perturbed(volumes, 0.3, kind, white[:4], uniform) - volumes
    assert float(added.mean()) == pytest.approx(mean, abs=0.01)
    assert float(added.var()) == pytest.approx(variance, rel=0.03)


def test_what_is_filtered_out_and_what_is_left_add_up(white):
    passed = noise.high_pass(32, 0.244, "radial")
    left = noise.without_high_frequencies(white[:2], passed)
    torch.testing.assert_close(noise.high_frequencies(left, passed), torch.zeros_like(left), atol=1e-5, rtol=0)


def test_cosine_distance_of_equal_opposite_and_orthogonal_features():
    one = torch.zeros(1, 2, 2, 2, 2)
    one[:, 0] = 3.0
    assert [float(noise.cosine_distance(one, other)) for other in (2 * one, -one, one.roll(1, 1))] == [0.0, 2.0, 1.0]


def test_spectral_noise_has_the_spectrum_and_wedge_of_the_target():
    generator = torch.Generator().manual_seed(4)
    kz, ky, kx = torch.fft.fftfreq(16)[:, None, None], torch.fft.fftfreq(16)[:, None], torch.fft.rfftfreq(16)
    transfer = ((kz.abs() <= kx.abs()) + 0.0) / (0.1 + (kz**2 + ky**2 + kx**2).sqrt())
    white = torch.randn(60, 1, 16, 16, 16, generator=generator)
    target = torch.fft.irfftn(torch.fft.rfftn(white, dim=(-3, -2, -1)) * transfer, s=(16, 16, 16), dim=(-3, -2, -1))
    made = noise.spectral_noise(target, torch.randn(60, 1, 16, 16, 16, generator=generator))
    assert made.mean(dim=(1, 2, 3, 4)).abs().max() < 1e-5
    torch.testing.assert_close(made.var(dim=(1, 2, 3, 4), correction=0), torch.ones(60))
    power = [torch.fft.rfftn(part, dim=(-3, -2, -1)).abs().square().mean(dim=(0, 1)) for part in (target, made)]
    measured = transfer > 0
    measured[0, 0, 0] = False
    assert power[1][(transfer == 0)].max() < 1e-3 * power[1].max()
    assert torch.corrcoef(torch.stack([part[measured].log() for part in power]))[0, 1] > 0.9


def test_the_share_is_that_of_the_variance():
    generator = torch.Generator().manual_seed(5)
    signal, added = (noise.standardised(torch.randn(3, 1, 16, 16, 16, generator=generator)) for _ in range(2))
    found = noise.mixed(signal, added, torch.tensor([0.0, 0.36, 0.64]))
    correlation = [float((one * other).mean()) for one, other in zip(found, signal)]
    assert correlation == pytest.approx([1.0, 0.8, 0.6], abs=0.03)
