"""Fourier shell correlation."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import fft

from ..runtime.errors import InputError
from ..volumes.normalisation import mean_and_deviation
from ..volumes.streaming import read_rows, release_pages, temporary_volume, z_slabs


class ShellCorrelation(NamedTuple):
    """``frequency`` (n,) in 1/Angstrom at the middle of each shell, its ``correlation`` and number of Fourier ``coefficients``."""

    frequency: np.ndarray
    correlation: np.ndarray
    coefficients: np.ndarray


def fourier_shell_correlation(first: Any, second: Any, voxel_size: float) -> ShellCorrelation:
    """FSC (Harauz and van Heel 1986) of two volumes (z, y, x) up to Nyquist, in shells one Fourier voxel of the longest axis wide.

    Transformed plane by plane and then row by row through files that vanish, so that whole tomograms need little memory.
    """
    if first.shape != second.shape:
        raise InputError(f"volumes of shapes {first.shape} and {second.shape}", "equal shapes")
    spectra = [_planes_transformed(volume) for volume in (first, second)]
    longest, count = max(first.shape), max(first.shape) // 2 + 1
    z, y = (fft.fftfreq(size) for size in first.shape[:2])
    x = fft.rfftfreq(first.shape[2])
    sums = np.zeros((4, count + longest))  # cross spectrum, both powers, coefficients; corners lie beyond Nyquist
    for rows in z_slabs((first.shape[1], first.shape[0], len(x)), 2 * spectra[0].itemsize):
        a, b = (fft.fft(read_rows(spectrum, rows), axis=0, overwrite_x=True) for spectrum in spectra)
        shell = np.rint(longest * np.sqrt(z[:, None, None] ** 2 + y[rows, None] ** 2 + x**2)).astype(np.int64).ravel()
        weight = np.broadcast_to(_conjugate_pairs(first.shape[2]), a.shape)  # the half spectrum stands for both halves
        for total, values in zip(sums, ((a * b.conj()).real, np.abs(a) ** 2, np.abs(b) ** 2, np.ones(1))):
            total += np.bincount(shell, weights=(values * weight).ravel(), minlength=sums.shape[1])
    cross, power_a, power_b, coefficients = sums[:, 1:count]
    scale = np.sqrt(power_a * power_b)
    correlation = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)
    return ShellCorrelation(np.arange(1, count) / (longest * voxel_size), correlation, coefficients)


def _planes_transformed(volume: Any) -> np.ndarray:
    """Each plane of a volume transformed, in a file that vanishes: (z, y, half of x), complex. The mean goes first, for precision."""
    mean, _ = mean_and_deviation(volume)
    target = temporary_volume((*volume.shape[:2], volume.shape[2] // 2 + 1), np.complex64)
    for window in z_slabs(volume.shape):
        target[window] = fft.rfft2(np.asarray(volume[window], np.float32) - np.float32(mean), axes=(1, 2))
        release_pages(target)
        release_pages(volume)
    return target


def _conjugate_pairs(size: int) -> np.ndarray:
    weights = np.full(size // 2 + 1, 2.0)
    weights[0] = 1.0
    if size % 2 == 0:
        weights[-1] = 1.0
    return weights


def resolution_at(curve: ShellCorrelation, threshold: float = 0.143) -> float:
    """Resolution in Angstrom where the curve first falls below ``threshold`` (linear between shells); NaN when it starts below it.

    0.143 is for two independent half maps (Rosenthal and Henderson 2003), 0.5 for a map against a truth. A curve that never falls
    below gives Nyquist's resolution.
    """
    below = np.flatnonzero(curve.correlation < threshold)
    if len(below) == 0:
        return float(1 / curve.frequency[-1])
    if below[0] == 0:
        return float("nan")
    left, right = below[0] - 1, below[0]
    share = (curve.correlation[left] - threshold) / (curve.correlation[left] - curve.correlation[right])
    return float(1 / (curve.frequency[left] + share * (curve.frequency[right] - curve.frequency[left])))
