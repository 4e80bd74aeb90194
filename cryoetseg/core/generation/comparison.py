"""What generated particles are judged by, on arrays (n, z, y, x) of standardised cubes (spec A8)."""
from __future__ import annotations

import numpy as np
from scipy import fft

from ..metrics.resolution import fourier_shell_correlation, resolution_at
from ..runtime.errors import InputError
from .data import half_turn

CHUNK = 64


def radial_power(cubes: np.ndarray) -> np.ndarray:
    """Mean power per Fourier voxel in shells 1 to Nyquist, (side / 2,), averaged over the cubes; 1 throughout for white unit noise."""
    side = cubes.shape[-1]
    shell = np.rint(side * _radius(fft.fftfreq(side), side)).astype(np.int64).ravel()
    inside = shell <= side // 2
    members = np.bincount(shell[inside])
    total = np.zeros(side // 2 + 1)
    for start in range(0, len(cubes), CHUNK):
        power = np.abs(fft.fftn(cubes[start : start + CHUNK], axes=(1, 2, 3))) ** 2
        total += np.bincount(shell[inside], weights=power.sum(axis=0).ravel()[inside])
    return (total / members / side**3 / len(cubes))[1:]


def radial_profile(cube: np.ndarray) -> np.ndarray:
    """Mean grey value over distance from the middle voxel, in shells one voxel wide, (side / 2,)."""
    side = cube.shape[-1]
    distance = np.rint(_radius(np.arange(side) - side // 2, side)).astype(np.int64).ravel()
    members = np.bincount(distance)
    return (np.bincount(distance, weights=cube.ravel()) / members)[: side // 2]


def _radius(axis: np.ndarray, side: int) -> np.ndarray:
    return np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)


def hollowness(profile: np.ndarray) -> float:
    """How far the middle (first two shells) lies below the profile's maximum, in units of the maximum above the outermost shells.

    0 for a solid body, 1 for a core as empty as the surroundings.
    """
    rim, core, outside = float(profile.max()), float(profile[:2].mean()), float(profile[-3:].mean())
    return (rim - core) / (rim - outside) if rim > outside else 0.0


def correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pearson correlation of every cube of ``first`` with every one of ``second``, (n, m)."""
    if first.shape[1:] != second.shape[1:]:
        raise InputError(f"cubes of shapes {first.shape[1:]} and {second.shape[1:]}", "equal shapes",
                         "cut real particles with the model's box")
    return _unit(first) @ _unit(second).T


def _unit(cubes: np.ndarray) -> np.ndarray:
    rows = cubes.reshape(len(cubes), -1).astype(np.float32)
    rows = rows - rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def nearest(generated: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Largest correlation of each generated cube with any training cube or its half turn about the tilt axis, (n,)."""
    turned = np.stack([half_turn(cube) for cube in training])
    return np.maximum(correlations(generated, training), correlations(generated, turned)).max(axis=1)


def mean_pair_correlation(cubes: np.ndarray, largest: int) -> float:
    """Mean correlation between different cubes: near 1 when all are alike; NaN for a single cube."""
    chosen = cubes[:largest]
    if len(chosen) < 2:
        return float("nan")
    table = correlations(chosen, chosen)
    return float((table.sum() - np.trace(table)) / (len(chosen) * (len(chosen) - 1)))


def mean_cubes(cubes: np.ndarray, kinds: np.ndarray, classes: int) -> np.ndarray:
    """Mean cube of each class (classes, z, y, x)."""
    return np.stack([cubes[kinds == number].mean(axis=0) for number in range(classes)])


def means_resolution(generated: np.ndarray, real: np.ndarray, voxel_size: float) -> float:
    """Resolution in Angstrom at which the Fourier shell correlation of two mean cubes falls below 0.5."""
    return resolution_at(fourier_shell_correlation(generated, real, voxel_size), 0.5)


def largest_deviation(generated: np.ndarray, real: np.ndarray, least: float) -> tuple[float, int]:
    """Largest relative deviation of two spectra, over shells with at least ``least`` of the strongest shell's real power, and in
    how many of those shells it is above a quarter."""
    counted = real >= least * real.max()
    deviation = np.abs(generated[counted] / real[counted] - 1)
    return float(deviation.max()), int((deviation > 0.25).sum())
