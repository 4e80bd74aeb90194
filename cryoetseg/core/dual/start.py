"""A start for denoiser and structural generator from the two sets' power spectra. No pair of volumes is needed.

With a white noise mask of deviation s the generator's linear part H must satisfy P_t = H^2 (P_v + s^2), P_t and P_v being the mean power
spectra of tomograms and densities. What share of P_t is structure follows from how the power of two frequency bands varies together from
patch to patch: noise of different bands is independent, structure is not, so cov_t(a, b) = H_a^2 H_b^2 cov_v(a, b).

The denoiser starts from the Wiener filter of the same spectra, H P_v / (P_t + floor): the best that is linear.
"""
from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from scipy import fft

from .data import Domain

logger = logging.getLogger(__name__)
PATCHES = 384
BANDS = 6
INNERMOST = 1.5  # Fourier voxels; below, the window mixes in the mean
OUTERMOST = 0.7  # of Nyquist: beyond, tomograms hold hardly any structure
FALLBACK_NOISE = 4.0  # deviation of the noise mask where the bands do not tell
WIENER_FLOOR = 1.0  # of the mean power: where tomograms hold next to nothing (the wedge) the kernel's edge would blow up
NOISE_RANGE = (0.25, 30.0)
FEWEST_PAIRS = 3


class Start(NamedTuple):
    """Kernels (2 r + 1)^3 of the generator's and of the denoiser's linear filter, and standard deviation of the noise mask.

    Densities and tomograms are standardised, so the noise is in units of the density's deviation.
    """

    kernel: np.ndarray
    restoring: np.ndarray
    noise: float


class Spectra(NamedTuple):
    """Mean power spectrum (n, n, n) of Hann-windowed patches per voxel of window, and each patch's power in each band (patches, bands)."""

    mean: np.ndarray
    bands: np.ndarray


def spectral_start(noisy: Domain, clean: Domain, radius: int, generator: np.random.Generator) -> Start:
    """Estimate the linear filter and the noise of the noisy set as seen from the clean one."""
    of_noisy, of_clean = power_spectra(noisy, generator), power_spectra(clean, generator)
    noise = noise_deviation(of_noisy.bands, of_clean.bands)
    amplitude = np.sqrt(of_noisy.mean / (of_clean.mean + noise**2))
    logger.info("start from spectra: noise mask of deviation %.2f", noise)
    wiener = amplitude * of_clean.mean / (of_noisy.mean + WIENER_FLOOR * of_noisy.mean.mean())
    return Start(kernel_of(amplitude, radius), kernel_of(wiener, radius), noise)


def power_spectra(domain: Domain, generator: np.random.Generator) -> Spectra:
    """Spectra of random patches of a set."""
    axis = np.hanning(domain.patch + 2)[1:-1]
    window = axis[:, None, None] * axis[:, None] * axis
    window /= np.sqrt(np.mean(window**2))
    masks = _bands(domain.patch)
    total, bands = np.zeros((domain.patch,) * 3), []
    for _ in range(PATCHES):
        patch = domain.cut(domain.random_place(generator))[0]
        power = np.abs(fft.fftn(patch * window)) ** 2 / patch.size
        total += power
        bands.append([power[mask].mean() for mask in masks])
    return Spectra(total / PATCHES, np.asarray(bands))


def noise_deviation(noisy: np.ndarray, clean: np.ndarray) -> float:
    """Deviation s of the white mask from the patches' band powers (patches, bands) of both sets, by the method of moments."""
    ratio = np.cov(noisy.T) / np.maximum(np.abs(np.cov(clean.T)), 1e-12)
    pairs = [(a, b) for a in range(BANDS) for b in range(a) if ratio[a, b] > 0 and np.cov(clean.T)[a, b] > 0]
    seen = {band for pair in pairs for band in pair}
    if len(pairs) < FEWEST_PAIRS or len(seen) < FEWEST_PAIRS:
        logger.warning("the spectra do not tell the strength of the noise; starting with %.1f", FALLBACK_NOISE)
        return FALLBACK_NOISE
    rows = np.array([[float(band in pair) for band in range(BANDS)] for pair in pairs])
    gain = np.exp(np.linalg.lstsq(rows, np.log([ratio[pair] for pair in pairs]), rcond=None)[0])  # H^2 of each band
    variances = [noisy[:, band].mean() / gain[band] - clean[:, band].mean() for band in sorted(seen)]
    estimate = float(np.sqrt(max(float(np.median(variances)), 0.0)))
    if estimate == 0:
        logger.warning("the spectra do not tell the strength of the noise; starting with %.1f", FALLBACK_NOISE)
        return FALLBACK_NOISE
    return float(np.clip(estimate, *NOISE_RANGE))


def kernel_of(amplitude: np.ndarray, radius: int) -> np.ndarray:
    """Zero-phase kernel of (2 radius + 1)^3 voxels with the Fourier amplitude (n, n, n) as nearly as its size allows."""
    whole = fft.fftshift(fft.ifftn(amplitude).real)
    centre = amplitude.shape[0] // 2
    reach = min(radius, centre - 1)
    kernel = np.zeros((2 * radius + 1,) * 3, dtype=np.float32)
    inside = slice(radius - reach, radius + reach + 1)
    kernel[inside, inside, inside] = whole[(slice(centre - reach, centre + reach + 1),) * 3]
    return kernel


def _bands(patch: int) -> list[np.ndarray]:
    axis = fft.fftfreq(patch) * patch
    length = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    # the missing wedge of any usual tilt range holds no power in tomograms, and would be taken for a weak filter
    seen = np.abs(axis[:, None, None]) <= np.tan(np.radians(50)) * np.abs(axis)
    edges = np.linspace(INNERMOST, OUTERMOST * patch / 2, BANDS + 1)
    return [np.broadcast_to((length >= a) & (length < b) & seen, length.shape) for a, b in zip(edges, edges[1:])]
