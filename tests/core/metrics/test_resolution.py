"""Fourier shell correlation."""
import numpy as np
import pytest
from scipy import fft

from cryoetseg.core.metrics.resolution import fourier_shell_correlation, resolution_at


def test_equal_volumes_correlate_fully_and_noise_not_at_all():
    first, second = np.random.default_rng(0).standard_normal((2, 32, 32, 32)).astype(np.float32)
    same = fourier_shell_correlation(first, 3 * first + 7, 10.0)
    np.testing.assert_allclose(same.correlation, 1.0, atol=1e-4)
    assert resolution_at(same) == pytest.approx(20.0)
    other = fourier_shell_correlation(first, second, 10.0)
    assert abs(other.correlation[5:]).max() < 0.15
    assert np.isnan(resolution_at(other, 0.9))


def test_a_low_pass_shows_at_its_frequency():
    generator = np.random.default_rng(1)
    size, cut = 48, 12
    truth, noise = generator.standard_normal((2, size, size, size))
    radius = np.sqrt(sum(np.meshgrid(*[(fft.fftfreq(size) * size) ** 2] * 3, indexing="ij")))
    mixed = fft.ifftn(np.where(radius <= cut, fft.fftn(truth), fft.fftn(noise))).real
    assert resolution_at(fourier_shell_correlation(mixed, truth, 5.0), 0.5) == pytest.approx(size * 5.0 / cut, rel=0.03)


@pytest.mark.parametrize("shape", [(16, 16, 16), (16, 15, 17), (8, 20, 12)])
def test_half_spectrum_counts_as_the_full_one(shape):
    first, second = np.random.default_rng(2).standard_normal((2, *shape))
    curve = fourier_shell_correlation(first, second, 1.0)
    a, b = fft.fftn(first - first.mean()), fft.fftn(second - second.mean())
    grid = np.meshgrid(*[fft.fftfreq(size) for size in shape], indexing="ij")
    shell = np.rint(max(shape) * np.sqrt(sum(axis**2 for axis in grid))).astype(int)
    for number in (1, 3, max(shape) // 2):
        inside = shell == number
        expected = (a * b.conj())[inside].real.sum() / np.sqrt((abs(a[inside]) ** 2).sum() * (abs(b[inside]) ** 2).sum())
        assert curve.correlation[number - 1] == pytest.approx(expected, abs=1e-5)
        assert curve.coefficients[number - 1] == inside.sum()


@pytest.mark.parametrize("shape", [(9, 12, 15), (16, 10, 8)])
def test_streamed_shells_are_those_of_the_whole_spectrum(shape):
    rng = np.random.default_rng(3)
    first, second = rng.normal(5.0, 1.0, shape), rng.normal(size=shape)
    curve = fourier_shell_correlation(first.astype(np.float32), second.astype(np.float32), 2.0)
    a, b = np.fft.fftn(first), np.fft.fftn(second)
    shell = np.rint(max(shape) * np.sqrt(sum(np.meshgrid(*(np.fft.fftfreq(size) ** 2 for size in shape), indexing="ij"))))
    for number in range(1, max(shape) // 2 + 1):
        here = shell == number
        expected = (a[here] * b[here].conj()).sum().real / np.sqrt((np.abs(a[here]) ** 2).sum() * (np.abs(b[here]) ** 2).sum())
        assert curve.correlation[number - 1] == pytest.approx(expected, abs=1e-4)
        assert curve.coefficients[number - 1] == here.sum()
