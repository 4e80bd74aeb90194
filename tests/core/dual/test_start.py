"""The start from moments and spectra on phantoms whose filter and noise are known."""
import numpy as np
import pytest
from scipy import fft
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.moments import BANDS, Moments, band_edges, band_masks, shares_of_halves, structure_shares, third_moments
from cryoetseg.core.dual.start import kernel_of, power_spectrum, radial_field, spectral_start

from .conftest import density_of


def test_filter_and_noise_of_a_phantom(domains):
    start = spectral_start(*domains, radius=3, generator=np.random.default_rng(0))
    assert start.kernel.shape == start.transfer.shape == (7, 7, 7)
    # white noise was blurred by a Gaussian of 0.7 voxels: the neighbour has exp(-1 / (4 * 0.49)) of the middle in its square root kernel
    assert start.kernel[3, 3, 4] / start.kernel[3, 3, 3] == pytest.approx(np.exp(-1 / 0.98), rel=0.25)


def test_noise_of_any_colour_drops_out_of_third_moments():
    """The shares of structure are told although noise is weak at low frequency, where structure is strong, and varies in place."""
    rng = np.random.default_rng(0)
    noisy, power = [], []
    for seed in range(4):
        density = density_of(seed, (48, 96, 96), 150)
        density = (density - density.mean()) / density.std()
        white = rng.normal(size=density.shape) * np.linspace(1.5, 2.5, 96)
        noise = white - gaussian_filter(white, 1.5)
        noisy.append(density + noise)
        power.append(noise)
    tomograms = Domain([StandardisedView(volume, "bright") for volume in noisy], 16)
    clean = Domain([StandardisedView(density_of(seed, (48, 96, 96), 150), "bright") for seed in range(20, 24)], 16)
    spectra = [power_spectrum(domain, 32, rng) for domain in (tomograms, clean)]
    means = [np.array([spectrum[mask].mean() for mask in band_masks(spectrum.shape, 16, half=False)]) for spectrum in spectra]
    shares = structure_shares(third_moments(tomograms, rng), third_moments(clean, rng), *means)
    noise_power = power_spectrum(Domain([StandardisedView(volume, "bright") for volume in power], 16), 32, rng)
    scale = np.mean([np.var(noise) for noise in power]) / np.mean([np.var(volume) for volume in noisy])
    true = np.array([1 - scale * noise_power[mask].mean() / total
                     for mask, total in zip(band_masks(noise_power.shape, 16, half=False), means[0])])
    np.testing.assert_allclose(shares[:2], true[:2], rtol=0.25)
    assert shares[-1] < 0.1


def test_shares_solve_exact_moments():
    rng = np.random.default_rng(1)
    shares = np.exp(-np.linspace(0.2, 3.0, BANDS))
    noisy_power, clean_power = rng.uniform(1, 3, BANDS), rng.uniform(1, 3, BANDS)
    amplitude = np.sqrt(shares * noisy_power / clean_power)
    clean = rng.uniform(1, 2, (BANDS, BANDS))
    noisy = clean * amplitude[:, None] ** 2 * amplitude
    found = structure_shares(Moments(noisy, 0.01 * noisy), Moments(clean, 0.01 * clean), noisy_power, clean_power)
    np.testing.assert_allclose(found, shares, rtol=1e-6)


def test_bands_without_evidence_follow_the_others():
    shares = np.exp(-np.linspace(0.2, 3.0, BANDS))
    ones = np.ones(BANDS)
    moments = shares[:, None] * np.sqrt(shares)
    error = np.full((BANDS, BANDS), 0.01) * moments
    error[4:, :] = error[:, 4:] = 100.0
    found = structure_shares(Moments(moments, error), Moments(np.ones((BANDS, BANDS)), np.full((BANDS, BANDS), 0.01)), ones, ones)
    np.testing.assert_allclose(found, shares, rtol=0.05)


def test_a_more_crowded_sample_does_not_make_noise_of_its_lowest_frequencies():
    shares = np.exp(-np.linspace(0.2, 3.0, BANDS))
    ones = np.ones(BANDS)
    moments = shares[:, None] * np.sqrt(shares)
    moments[:2], moments[2:, :2] = 0.05 * moments[:2], 0.05 * moments[2:, :2]  # skewness falls as particles fill the volume
    found = structure_shares(Moments(moments, 0.01 * moments), Moments(np.ones((BANDS, BANDS)), np.full((BANDS, BANDS), 0.01)), ones, ones)
    assert np.all(np.diff(found) <= 1e-9)
    assert found[0] >= 0.8 * shares[2]


def test_without_common_structure_a_default_is_taken():
    nothing = Moments(np.zeros((BANDS, BANDS)), np.ones((BANDS, BANDS)))
    shares = structure_shares(nothing, nothing, np.ones(BANDS), np.full(BANDS, 16.0))
    np.testing.assert_allclose(shares, 0.5)


def test_a_guessed_noise_is_told(domains):
    rng = np.random.default_rng(0)
    upside_down = Domain([StandardisedView(view.volume, "bright") for view in domains[0].views], 16)
    assert spectral_start(*domains, radius=3, generator=rng).warnings == ()
    assert "which is a guess" in spectral_start(upside_down, domains[1], radius=3, generator=rng).warnings[0]


def test_the_restoring_filter_denoises_and_keeps_the_sign(domains, phantom):
    noisy, clean = domains
    start = spectral_start(noisy, clean, radius=5, generator=np.random.default_rng(0))
    raw, truth = phantom
    restored = fftconvolve(raw - raw.mean(), start.restoring, mode="same")
    assert np.corrcoef(restored.ravel(), truth.ravel())[0, 1] > np.corrcoef(raw.ravel(), truth.ravel())[0, 1] + 0.05


def test_transfer_filter_and_noise_make_the_power_of_the_tomograms(domains):
    noisy, clean = domains
    start = spectral_start(noisy, clean, radius=7, generator=np.random.default_rng(0))
    rng = np.random.default_rng(2)
    made = []
    for view in clean.views:
        carried = fftconvolve(view[:], start.transfer, mode="same")
        made.append(fftconvolve(carried + start.noise * rng.normal(size=view.shape), start.kernel, mode="same"))
    synthetic = power_spectrum(Domain([StandardisedView(volume, "bright") for volume in made], 16), 16, rng)
    real = power_spectrum(noisy, 16, rng)
    ratios = [synthetic[mask].mean() / real[mask].mean() for mask in band_masks(real.shape, 16, half=False)[:5]]
    np.testing.assert_allclose(ratios, 1, atol=0.4)


def test_a_radial_field_has_the_values_at_its_bands():
    values = np.exp(-np.arange(BANDS))
    field = radial_field(values, 32, 16)
    means = [field[mask].mean() for mask in band_masks(field.shape, 16, half=False)]
    np.testing.assert_allclose(means, values, rtol=0.25)


def test_kernel_carries_the_amplitude():
    axis = fft.fftfreq(16)
    amplitude = np.exp(-20 * (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2))
    kernel = kernel_of(amplitude, 7)
    padded = np.zeros((16, 16, 16))
    padded[1:, 1:, 1:] = kernel
    np.testing.assert_allclose(np.abs(fft.fftn(padded)), amplitude, atol=0.02)


def test_a_cut_kernel_keeps_the_zero_frequency():
    axis = fft.fftfreq(32)
    length = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    kernel = kernel_of(np.minimum(length / 0.05, 1.0), 5)  # 0 at zero frequency, which 11 voxels alone would not hold
    assert kernel.sum() == pytest.approx(0, abs=1e-4)


def halves_of(noise, symmetric=False):
    """Two recordings of one density whose blur is known, with white noise of their own; the mean has ``noise`` deviations of it."""
    rng = np.random.default_rng(3)
    density = gaussian_filter(rng.normal(size=(48, 48, 64)), 1.0) if symmetric else density_of(3, (48, 48, 64), 120)
    density = (density - density.mean()) / density.std()
    return density, [density + np.sqrt(2) * noise * rng.normal(size=density.shape) for _ in range(2)]


def as_domain(volume):
    return Domain([StandardisedView(volume.astype(np.float32), "bright")], 16)


def test_halves_tell_the_share_of_structure_where_third_moments_say_nothing():
    _, halves = halves_of(1.0, symmetric=True)  # Gaussian density: its third moments are those of noise
    found = shares_of_halves(*map(as_domain, halves), np.random.default_rng(0))
    axis = fft.fftfreq(64)
    length = np.sqrt(sum(np.square(part) for part in np.meshgrid(axis, axis, axis, indexing="ij")))
    edges = band_edges(16)
    power = np.exp(-((2 * np.pi * length) ** 2))  # of white noise blurred by one voxel
    power /= power.mean()
    means = np.array([power[(length >= low) & (length < high)].mean() for low, high in zip(edges, edges[1:])])
    np.testing.assert_allclose(found[:5], means[:5] / (means[:5] + 1), atol=0.1)
    assert found[-1] < 0.1
    assert (np.diff(found) <= 0).all()


def test_the_start_takes_its_noise_from_halves_and_guesses_nothing():
    strengths = {}
    for noise in (1.0, 3.0):
        _, halves = halves_of(noise)
        whole, clean = as_domain((halves[0] + halves[1]) / 2), as_domain(density_of(9, (48, 48, 64), 120))
        start = spectral_start(whole, clean, 3, np.random.default_rng(0), (as_domain(halves[0]), as_domain(halves[1])))
        strengths[noise] = start.noise
        assert start.warnings == ()
    assert strengths[3.0] / strengths[1.0] == pytest.approx(3.0, rel=0.25)
