"""Optics against published numbers."""
import numpy as np
import pytest

from cryoetseg.core.simulation.ctf import ctf, damage, electron_wavelength, envelope, frequencies


def test_wavelength_at_300_kv():
    assert electron_wavelength(300) == pytest.approx(0.01969, abs=5e-6)


@pytest.mark.parametrize(("defocus", "zero"), [(2.0, 20.1), (3.0, 24.6), (5.0, 31.7)])
def test_first_zero_of_the_ctf(defocus: float, zero: float):
    k = np.linspace(0.001, 0.06, 20001)
    values = ctf(k, defocus, 300, 2.7, 0.07)
    first = k[np.argmax(values > 0)]
    assert 1 / first == pytest.approx(zero, abs=0.06)


def test_dense_is_dark_at_low_frequency():
    assert ctf(np.array([0.0]), 3, 300, 2.7, 0.07)[0] == pytest.approx(-0.07)
    assert (ctf(np.linspace(0, 0.03, 50), 3, 300, 2.7, 0.07) < 0).all()


def test_envelope_and_damage_fade_with_frequency_and_dose():
    k = np.array([0.0, 0.05, 0.1])
    assert envelope(k, 200)[2] == pytest.approx(np.exp(-0.5))
    assert damage(k, 0).tolist() == [1, 1, 1]
    late = damage(k, 60)
    assert late[0] == 1
    assert late[0] > late[1] > late[2]
    # Grant & Grigorieff 2015: the critical dose at 1/10 A is 0.24499 * 0.1**-1.6649 + 2.8141 = 14.1 e/A2
    assert damage(np.array([0.1]), 2 * 14.14)[0] == pytest.approx(np.exp(-1), rel=0.01)


def test_frequencies_reach_nyquist():
    k = frequencies((8, 8), 10.0)
    assert k.shape == (8, 5)
    assert k[0, 4] == pytest.approx(0.05)
