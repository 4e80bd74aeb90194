"""Contrast transfer function, envelope and radiation damage of tilt images.

CTF = -(sqrt(1 - A2) sin chi + A cos chi), chi = pi lambda df k2 - (pi / 2) Cs lambda3 k4 (spec D2.7): underfocus positive, so that
dense objects are dark.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def electron_wavelength(voltage: float) -> float:
    """Relativistic wavelength in Angstrom for ``voltage`` in kV (0.01969 A at 300 kV)."""
    volts = voltage * 1e3
    return float(np.sqrt(150.412 / (volts * (1 + volts / 1.022e6))))


def phase_shift(k: Array, defocus: float, voltage: float, spherical_aberration: float) -> Array:
    """chi at spatial frequency ``k`` (1/A); ``defocus`` in um, ``spherical_aberration`` in mm."""
    wavelength = electron_wavelength(voltage)
    k2 = np.asarray(k) ** 2
    return np.pi * wavelength * defocus * 1e4 * k2 - np.pi / 2 * spherical_aberration * 1e7 * wavelength**3 * k2**2


def ctf(k: Array, defocus: float, voltage: float, spherical_aberration: float, amplitude_contrast: float) -> Array:
    """Contrast transfer at spatial frequency ``k`` (1/A), negative at low frequency."""
    # sqrt(1 - A2) sin chi + A cos chi = sin(chi + arcsin A)
    return -np.sin(phase_shift(k, defocus, voltage, spherical_aberration) + np.arcsin(amplitude_contrast))


def envelope(k: Array, b_factor: float) -> Array:
    """exp(-B k2 / 4)."""
    return np.exp(-b_factor * np.asarray(k) ** 2 / 4)


def damage(k: Array, dose: float) -> Array:
    """Amplitude left after ``dose`` (e/A2) at 300 kV: exp(-dose / (2 Nc)), Nc = 0.24499 k^-1.6649 + 2.8141 (Grant & Grigorieff 2015)."""
    with np.errstate(divide="ignore"):
        critical = 0.24499 * np.asarray(k, dtype=float) ** -1.6649 + 2.8141
    return np.exp(-0.5 * dose / critical)


def frequencies(shape: tuple[int, int], pixel_size: float) -> Array:
    """|k| in 1/A on the grid of a 2D real Fourier transform (rfft2) of ``shape``."""
    return np.hypot(np.fft.fftfreq(shape[0], pixel_size)[:, None], np.fft.rfftfreq(shape[1], pixel_size))
