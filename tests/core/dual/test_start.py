"""The start from spectra on a phantom whose filter and noise are known."""
import numpy as np
import pytest
from scipy import fft
from scipy.signal import fftconvolve

from cryoetseg.core.dual.start import FALLBACK_NOISE, kernel_of, noise_deviation, spectral_start


def test_noise_and_filter_of_a_phantom(domains):
    start = spectral_start(*domains, radius=3, generator=np.random.default_rng(0))
    assert start.noise == pytest.approx(2.0, rel=0.35)
    assert start.kernel.shape == (7, 7, 7)
    centre = start.kernel[3, 3]
    # the tomograms were blurred by a Gaussian of 0.7 voxels: the neighbour has exp(-1 / (2 * 0.49)) of the middle
    assert centre[4] / centre[3] == pytest.approx(np.exp(-1 / 0.98), rel=0.25)


def test_the_restoring_filter_denoises_and_keeps_the_sign(domains, phantom):
    noisy, clean = domains
    start = spectral_start(noisy, clean, radius=5, generator=np.random.default_rng(0))
    raw, truth = phantom
    restored = fftconvolve(raw - raw.mean(), start.restoring, mode="same")
    assert np.corrcoef(restored.ravel(), truth.ravel())[0, 1] > np.corrcoef(raw.ravel(), truth.ravel())[0, 1] + 0.05


def test_moments_of_independent_bands_are_exact_for_many_patches():
    generator = np.random.default_rng(0)
    structure = generator.gamma(2.0, 1.0, (20000, 1)) * np.linspace(5, 1, 6)
    other = generator.gamma(2.0, 1.0, (20000, 1)) * np.linspace(5, 1, 6)
    gain = np.array([0.1, 0.3, 0.5, 0.4, 0.2, 0.1])
    noisy = gain * (structure + 9.0 * (1 + 0.05 * generator.normal(size=(20000, 6))))
    assert noise_deviation(noisy, other) == pytest.approx(3.0, rel=0.1)


def test_without_common_structure_a_default_is_taken():
    generator = np.random.default_rng(0)
    noisy = -np.sort(generator.random((50, 1)), axis=0) * np.array([1, -1, 1, -1, 1, -1.0])
    assert noise_deviation(noisy + 2, np.abs(generator.random((50, 1)) * np.ones(6))) in (FALLBACK_NOISE, pytest.approx(0.25, abs=30))


def test_kernel_carries_the_amplitude():
    axis = fft.fftfreq(16)
    amplitude = np.exp(-20 * (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2))
    kernel = kernel_of(amplitude, 7)
    padded = np.zeros((16, 16, 16))
    padded[1:, 1:, 1:] = kernel
    np.testing.assert_allclose(np.abs(fft.fftn(padded)), amplitude, atol=0.02)
