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
    made = noise.coloured(noise.power_spectra(target).mean(dim=0), torch.randn(60, 1, 16, 16, 16, generator=generator))
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


def test_the_noise_of_a_batch_is_that_of_each_volume_and_its_strength_is_exact(white):
    passed = noise.high_pass(32, 0.244, "corner_cube")
    batch = white[:4].reshape(2, 2, 32, 32, 32)
    found = noise.high_frequencies(batch, passed)
    expected = np.fft.ifftn(np.fft.fftn(white[:4].numpy(), axes=(1, 2, 3)) * passed.numpy(), axes=(1, 2, 3)).real
    np.testing.assert_allclose(found.reshape(4, 32, 32, 32).numpy(), expected, atol=1e-5)
    few = torch.tensor([[1.0, 3.0], [2.0, 8.0]]).reshape(2, 1, 1, 1, 2) * torch.ones(2, 1, 2, 2, 2)
    everything = torch.ones(2, 2, 2, dtype=torch.bool)
    assert float(noise.noise_deviation(few, everything, "variance_of_mean")) == pytest.approx(2.0)  # means 1.5 and 5.5
    assert float(noise.noise_deviation(few, everything, "mean_of_variances")) == pytest.approx(np.sqrt((1 + 9) / 2))


def test_what_is_not_filtered_out_stays_as_it_is(white):
    passed = noise.high_pass(32, 0.244, "radial")
    left = np.fft.fftn(noise.without_high_frequencies(white[0], passed).numpy())
    low = ~passed.numpy() & ~np.roll(passed.numpy()[::-1, ::-1, ::-1], (1, 1, 1), (0, 1, 2))
    np.testing.assert_allclose(left[low], np.fft.fftn(white[0].numpy())[low], atol=1e-2)


def test_spectral_noise_has_the_amplitude_of_the_target_and_not_its_power():
    generator = torch.Generator().manual_seed(4)
    axis = torch.fft.fftfreq(16).abs()
    transfer = 1 + 10 * axis[:, None, None] + 0 * axis[:, None] + 0 * torch.fft.rfftfreq(16)
    white = torch.randn(40, 1, 16, 16, 16, generator=generator)
    target = torch.fft.irfftn(torch.fft.rfftn(white, dim=(-3, -2, -1)) * transfer, s=(16, 16, 16), dim=(-3, -2, -1))
    normal = torch.randn(25, 1, 16, 16, 16, generator=generator)  # more or fewer than the targets
    made = noise.coloured(noise.power_spectra(target).mean(dim=0), normal)
    power = torch.fft.rfftn(made, dim=(-3, -2, -1)).abs().square().mean(dim=(0, 1, 3, 4))
    assert float(power[8] / power[1]) == pytest.approx(float((6 / 1.625) ** 2), rel=0.1)


def test_mixtures_are_standardised_also_where_noise_is_like_the_volume():
    volume = noise.standardised(torch.randn(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(5)) + 3)
    assert float(volume.mean().abs()) < 1e-5
    alike = noise.mixed(volume, volume, torch.tensor([0.5, 0.5]))
    torch.testing.assert_close(alike, volume, atol=1e-5, rtol=1e-5)
    assert not noise.standardised(torch.full((1, 1, 4, 4, 4), 2.0)).any()  # a flat volume is 0, not divided by 0


def parted(exponent, snr, side=32, seed=0):
    """Volumes of noise whose amplitude falls with a power of the frequency, and structure of low frequencies at known ratios."""
    shell, generator = noise.shells(side).float(), torch.Generator().manual_seed(seed)
    white = torch.fft.rfftn(torch.randn((2, len(snr), 1, side, side, side), generator=generator), dim=noise.AXES)
    shapes = shell.clamp_min(1) ** -exponent, torch.exp(-((shell / 5) ** 2))
    noises, signal = (noise.standardised(torch.fft.irfftn(part * shape, s=(side,) * 3, dim=noise.AXES))
                      for part, shape in zip(white, shapes))
    return noises + snr.sqrt().reshape(-1, 1, 1, 1, 1) * signal, noises


@pytest.mark.parametrize("exponent", [0.0, 0.3])
def test_spectra_tell_how_much_of_them_is_noise(exponent):
    snr = torch.logspace(-1.5, 0, 40)
    volumes, noises = parted(exponent, snr)
    power = noise.power_spectra(volumes)
    seen = noise.seen_noise(power)
    assert float((seen.snr / snr).log().median()) == pytest.approx(0, abs=0.25)
    assert float(torch.corrcoef(torch.stack([seen.snr.log(), snr.log()]))[0, 1]) > 0.95
    shell, left = noise.shells(32), (power * seen.share).mean(dim=0)[0]
    wanted = noise.power_spectra(noises).mean(dim=0)[0]
    for number in (3, 6, 12):
        assert float((left[shell == number].mean() / wanted[shell == number].mean()).log()) == pytest.approx(0, abs=0.3)
        signal = float(power.mean(dim=0)[0][shell == number].mean() / wanted[shell == number].mean())
        assert (signal > 1.5) == (number < 12)  # there was something to take away


def test_noise_alone_is_noise():
    volumes, _ = parted(0.5, torch.full((20,), 1e-9))
    seen = noise.seen_noise(noise.power_spectra(volumes))
    assert float(seen.snr.median()) < 0.03
    assert float(seen.share.min()) > 0.7
    assert seen.share.shape == (1, 32, 32, 17)


def test_shares_of_noise_follow_ratios_that_are_even_in_the_logarithm():
    share = noise.share_at(torch.tensor([0.01, 1.0]), torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(share, torch.tensor([1 / 1.01, 1 / 1.1, 0.5]))
