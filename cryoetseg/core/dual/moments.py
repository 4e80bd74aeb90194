"""How much of a tomogram's power is structure, band by band, from unpaired sets.

Band-passed, a tomogram is t_a = A_a v_a + n_a with the density v of its sample. In E[t_a^2 t_b] = A_a^2 A_b E[v_a^2 v_b] the noise drops
out, because it is symmetric and independent of structure, however its power depends on frequency and place. Second moments cannot tell
noise from structure, and fourth moments take noise whose power changes from place to place for structure.

Where a tomogram has half maps, nothing need be inferred: their noise is independent, so that what they have in common is structure.
"""
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import fft
from scipy.optimize import least_squares

from .data import Domain

BANDS = 8
INNERMOST, OUTERMOST = 1.5, 0.95  # Fourier voxels of a patch, below which means mix in; part of Nyquist
SEEN = np.tan(np.radians(50))  # |kz| over |kx| up to which every usual tilt range measures
WINDOWS, LARGEST_WINDOW = 24, 96
SIGNIFICANT = 3.0  # standard errors above 0
FEWEST = 3
STIFFNESS = 2.0  # weight of a straight line of log shares beside moments, which weigh 1 over their errors
FALLBACK_NOISE = 4.0  # deviation of white noise on standardised density, where moments do not tell
SMALLEST_SHARE, LARGEST_SHARE = 1e-6, 0.95


class Moments(NamedTuple):
    """E[x_a^2 x_b] of a set's band-passed volumes (bands, bands) and its standard error."""

    mean: np.ndarray
    error: np.ndarray


def band_edges(patch: int) -> np.ndarray:
    """Limits of the bands in cycles per voxel: (BANDS + 1,)."""
    return np.linspace(INNERMOST / patch, OUTERMOST / 2, BANDS + 1)


def band_masks(shape: tuple[int, ...], patch: int, half: bool) -> list[np.ndarray]:
    """Where each band lies, outside any usual missing wedge, in a spectrum of ``shape`` (z, y, x); ``half`` for real transforms."""
    z, y = fft.fftfreq(shape[0])[:, None, None], fft.fftfreq(shape[1])[:, None]
    x = fft.rfftfreq(shape[2]) if half else fft.fftfreq(shape[2])
    length, seen = np.sqrt(z**2 + y**2 + x**2), np.abs(z) <= SEEN * np.abs(x)
    edges = band_edges(patch)
    return [seen & (length >= low) & (length < high) for low, high in zip(edges, edges[1:])]


def third_moments(domain: Domain, generator: np.random.Generator) -> Moments:
    """The moments of a set from windows at random places; blocks as large as a patch tell the error."""
    samples = []
    for number, window in _windows(domain, generator):
        volume = domain.views[number][window]
        spectrum = fft.rfftn(volume)
        bands = [fft.irfftn(spectrum * mask, s=volume.shape) for mask in band_masks(volume.shape, domain.patch, half=True)]
        samples.append(np.array([[_block_means(a * a * b, domain.patch) for b in bands] for a in bands]))
    values = np.concatenate(samples, axis=2)
    return Moments(values.mean(axis=2), values.std(axis=2) / np.sqrt(values.shape[2]))


def _windows(domain: Domain, generator: np.random.Generator) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Large windows (z, y, x) at random places: which volume, and where in it."""
    for _ in range(WINDOWS):
        number = int(generator.choice(len(domain.views), p=domain.chances))
        shape = domain.views[number].shape
        sides = [min(LARGEST_WINDOW, side) // domain.patch * domain.patch for side in shape]
        corner = [int(generator.integers(whole - side + 1)) for whole, side in zip(shape, sides)]
        yield number, tuple(slice(first, first + side) for first, side in zip(corner, sides))


def shares_of_halves(first: Domain, second: Domain, generator: np.random.Generator) -> np.ndarray:
    """Share of structure in the power of each band (bands,) of the mean of two half maps: their common power over its own.

    Volume i of ``first`` and of ``second`` are the halves of one tomogram, of one shape and scale. As elsewhere, shares do not rise with
    frequency.
    """
    common, whole = np.zeros(BANDS), np.zeros(BANDS)
    for number, window in _windows(first, generator):
        one, other = (domain.views[number][window] for domain in (first, second))
        fade = np.hanning(one.shape[0])[:, None, None] * np.hanning(one.shape[1])[:, None] * np.hanning(one.shape[2])
        spectra = fft.rfftn(one * fade), fft.rfftn(other * fade)
        product, mean = (spectra[0] * spectra[1].conj()).real, np.abs((spectra[0] + spectra[1]) / 2) ** 2
        for band, mask in enumerate(band_masks(one.shape, first.patch, half=True)):
            common[band] += product[mask].sum()
            whole[band] += mean[mask].sum()
    shares = np.clip(common / np.maximum(whole, np.finfo(float).tiny), SMALLEST_SHARE, LARGEST_SHARE)
    return np.minimum.accumulate(shares)


def tell_noise(noisy: Moments, clean: Moments) -> bool:
    """Whether the moments of both sets are clear enough to tell structure from noise; else white noise is guessed."""
    clear = [moments.mean > SIGNIFICANT * moments.error for moments in (noisy, clean)]
    return int(np.sum(clear[0] & clear[1])) >= FEWEST


def structure_shares(noisy: Moments, clean: Moments, noisy_power: np.ndarray, clean_power: np.ndarray) -> np.ndarray:
    """Share of structure in the noisy set's power of each band (bands,), from the moments and mean powers of both sets.

    Fits T_ab = A_a^2 A_b V_ab, with A^2 = share P_t / P_v, in units of the moments' errors; bands whose moments say nothing follow the
    straight line through the logarithms of the others. Moments without weight count too: they say that there is little structure.
    Shares do not rise with frequency, as the power of densities falls faster than that of noise: a clean set that is more or less crowded
    than the sample has other moments in its lowest bands, and would have structure taken for noise there.
    """
    guess = clean_power / (clean_power + FALLBACK_NOISE**2)
    if not tell_noise(noisy, clean):
        return guess
    known = clean.mean > SIGNIFICANT * clean.error

    def misfit(steps: np.ndarray) -> np.ndarray:
        logs = np.cumsum(steps)
        amplitude = np.sqrt(np.exp(logs) * noisy_power / clean_power)
        gain = amplitude[:, None] ** 2 * amplitude
        moments = (noisy.mean - gain * clean.mean) / np.hypot(noisy.error, gain * clean.error)
        return np.concatenate([moments[known], STIFFNESS * np.diff(logs, n=2)])

    lowest, highest = np.log(SMALLEST_SHARE), np.log(LARGEST_SHARE)
    first = np.minimum.accumulate(np.clip(np.log(guess), lowest, highest))
    bounds = [lowest] * len(guess), [highest] + [0.0] * (len(guess) - 1)
    start = np.clip(np.diff(first, prepend=0.0), bounds[0], bounds[1])
    return np.exp(np.maximum(np.cumsum(least_squares(misfit, start, bounds=bounds, loss="soft_l1").x), lowest))


def _block_means(volume: np.ndarray, side: int) -> np.ndarray:
    z, y, x = (length // side for length in volume.shape)
    return volume.reshape(z, side, y, side, x, side).mean(axis=(1, 3, 5)).ravel()
