"""Fourier shell correlation."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import fft

from ..runtime.errors import InputError


class ShellCorrelation(NamedTuple):
    """``frequency`` (n,) in 1/Angstrom at the middle of each shell, its ``correlation`` and number of Fourier ``coefficients``."""

    frequency: np.ndarray
    correlation: np.ndarray
    coefficients: np.ndarray


def fourier_shell_correlation(first: np.ndarray, second: np.ndarray, voxel_size: float) -> ShellCorrelation:
    """FSC (Harauz and van Heel 1986) of two volumes (z, y, x) up to Nyquist, in shells one Fourier voxel of the longest axis wide."""
    if first.shape != second.shape:
        raise InputError(f"volumes of shapes {first.shape} and {second.shape}", "equal shapes")
    a, b = (fft.rfftn(np.asarray(volume, dtype=np.float32) - np.float32(np.mean(volume))) for volume in (first, second))
    longest = max(first.shape)
    z, y = (fft.fftfreq(size).astype(np.float32) for size in first.shape[:2])
    x = fft.rfftfreq(first.shape[2]).astype(np.float32)
    shell = np.rint(longest * np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)).astype(np.int64).ravel()
    weight = np.broadcast_to(_conjugate_pairs(first.shape[2]), a.shape).ravel()  # the half spectrum stands for both halves
    count = longest // 2 + 1

    def over_shells(values: np.ndarray) -> np.ndarray:
        return np.bincount(shell, weights=values.ravel() * weight, minlength=count)[1:count]

    cross, power_a, power_b = over_shells((a * b.conj()).real), over_shells(np.abs(a) ** 2), over_shells(np.abs(b) ** 2)
    scale = np.sqrt(power_a * power_b)
    correlation = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)
    return ShellCorrelation(np.arange(1, count) / (longest * voxel_size), correlation, over_shells(np.ones(a.shape)))


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
