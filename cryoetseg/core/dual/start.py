"""A start for denoiser and structural generator from the statistics of the two sets. No pair of volumes is needed.

A tomogram is modelled as t = H (S v + n): the optics' transfer S of the density v, white noise n of deviation s, and the reconstruction's
filter H with the missing wedge. With rho, the share of structure in the power P_t of tomograms (:mod:`.moments`), and the power P_v of
densities: H^2 = (1 - rho) P_t / s^2 and S^2 = s^2 rho / ((1 - rho) P_v). S must come before the noise, because the zero of the contrast
transfer at low frequency weakens structure and not noise. s is chosen so that S v has the deviation 1.

The denoiser starts from the Wiener filter of the same spectra, H S P_v / (P_t + floor): the best that is linear.
"""
from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
from scipy import fft

from .data import Domain
from .moments import FALLBACK_NOISE, band_edges, band_masks, shares_of_halves, structure_shares, tell_noise, third_moments

logger = logging.getLogger(__name__)
PATCHES = 192
SPECTRUM_SIDE = 64  # voxels: fine enough for the edge of the missing wedge
GUESSED = (f"the two sets do not tell how strong the noise is: the training started from white noise of {FALLBACK_NOISE:g} times the "
           "density's deviation, which is a guess; give more or larger volumes, and clean ones that resemble the sample")
WIENER_FLOOR = 1.0  # of the mean power: where tomograms hold next to nothing (the wedge) the kernel's edge would blow up


Halves = tuple[Domain, Domain]  # of the noisy tomograms, in one order


class Start(NamedTuple):
    """Kernels (2 r + 1)^3 of transfer S, filter H and restoring filter, and standard deviation s of the noise mask.

    Densities and tomograms are standardised, so the noise is in units of the transferred density's deviation. ``warnings`` say what was
    guessed.
    """

    transfer: np.ndarray
    kernel: np.ndarray
    restoring: np.ndarray
    noise: float
    warnings: tuple[str, ...] = ()


def spectral_start(noisy: Domain, clean: Domain, radius: int, generator: np.random.Generator, halves: Halves | None = None) -> Start:
    """Estimate transfer, filter and noise of the noisy set as seen from the clean one; ``halves`` of noisy tomograms, where there are
    any, tell the noise better than moments do."""
    side = min(SPECTRUM_SIDE, *(length // 2 * 2 for domain in (noisy, clean) for view in domain.views for length in view.shape))
    noisy_power, clean_power = power_spectrum(noisy, side, generator), power_spectrum(clean, side, generator)
    masks = band_masks(noisy_power.shape, noisy.patch, half=False)
    means = [np.array([power[mask].mean() for mask in masks]) for power in (noisy_power, clean_power)]
    if halves is None:
        moments = third_moments(noisy, generator), third_moments(clean, generator)
        shares, told = structure_shares(*moments, *means), tell_noise(*moments)
    else:
        shares, told = shares_of_halves(*halves, generator), True
    share = radial_field(shares, side, noisy.patch)
    # below the bands power rises steeply, which shells follow; where it vanishes the bands' means keep the quotient finite
    density_power = np.maximum(radial_mean(clean_power), radial_field(means[1], side, noisy.patch))
    ratio = share / (1 - share)
    noise = float(1 / np.sqrt(ratio.mean()))
    logger.info("start: %.0f %% of the power in the innermost band is structure, noise mask of deviation %.2f",
                100 * shares[0], noise)
    transfer, amplitude = noise * np.sqrt(ratio / density_power), np.sqrt((1 - share) * noisy_power) / noise
    wiener = np.sqrt(share * noisy_power * clean_power) / (noisy_power + WIENER_FLOOR * noisy_power.mean())
    return Start(kernel_of(transfer, radius), kernel_of(amplitude, radius), kernel_of(wiener, radius), noise,
                 () if told else (GUESSED,))


def power_spectrum(domain: Domain, side: int, generator: np.random.Generator) -> np.ndarray:
    """Mean power spectrum (side, side, side) of Hann-windowed cubes of a set, per voxel of window."""
    axis = np.hanning(side + 2)[1:-1]
    window = axis[:, None, None] * axis[:, None] * axis
    window /= np.sqrt(np.mean(window**2))
    cubes = Domain(domain.views, side)
    return sum((np.abs(fft.fftn(cubes.cut(cubes.random_place(generator))[0] * window)) ** 2 for _ in range(PATCHES)),
               start=np.zeros((side,) * 3)) / (PATCHES * side**3)


def radial_field(values: np.ndarray, side: int, patch: int) -> np.ndarray:
    """Positive values of the bands (bands,) as a spectrum (side, side, side), interpolated in their logarithms."""
    axis = fft.fftfreq(side)
    edges = band_edges(patch)
    length = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return np.exp(np.interp(length, (edges[1:] + edges[:-1]) / 2, np.log(values)))


def radial_mean(power: np.ndarray) -> np.ndarray:
    """A cubic spectrum with every value replaced by the mean of its shell, one Fourier voxel wide."""
    axis = fft.fftfreq(power.shape[0]) * power.shape[0]
    shell = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).round().astype(int)
    means = np.bincount(shell.ravel(), power.ravel()) / np.bincount(shell.ravel())
    return means[shell]


def kernel_of(amplitude: np.ndarray, radius: int) -> np.ndarray:
    """Zero-phase kernel of (2 radius + 1)^3 voxels with the Fourier amplitude (n, n, n) as nearly as its size allows.

    What is cut off would let low frequencies through that optics suppress and density is full of: the zero frequency is set right.
    """
    whole = fft.fftshift(fft.ifftn(amplitude).real)
    centre = amplitude.shape[0] // 2
    reach = min(radius, centre - 1)
    kernel = np.zeros((2 * radius + 1,) * 3, dtype=np.float32)
    inside = slice(radius - reach, radius + reach + 1)
    kernel[inside, inside, inside] = whole[(slice(centre - reach, centre + reach + 1),) * 3]
    axis = np.hanning(2 * radius + 3)[1:-1]
    window = axis[:, None, None] * axis[:, None] * axis
    return (kernel - (kernel.sum() - amplitude[0, 0, 0]) * window / window.sum()).astype(np.float32)
