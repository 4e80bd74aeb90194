"""Geometry of the missing wedge: which Fourier coefficients a tilt series about y has measured (beam along z).

The wedge does not depend on ky, so planes (z, x) can be worked on one by one.
"""
from __future__ import annotations

from typing import Any

import numpy as np

from ..runtime.errors import ParameterError

WIDEST = 180.0


def check_tilt_range(tilt_min: float, tilt_max: float) -> None:
    """Raises :class:`ParameterError` for a range without width or without a missing wedge."""
    if not -90 <= tilt_min < tilt_max <= 90 or tilt_max - tilt_min >= WIDEST:
        raise ParameterError(f"tilt range {tilt_min:g} to {tilt_max:g} degrees", "more than 0 and less than 180 degrees between -90 and 90",
                             "give the first and the last angle of the tilt series, for example -60 and 60")


def measured_plane(depth: int, width: int, tilt_min: float, tilt_max: float, softness_px: float = 0.0) -> np.ndarray:
    """Weights (depth, width // 2 + 1) of the rfft2 grid of a plane (z, x): 1 where measured, falling to 0 inside the missing wedge.

    The fall is half a cosine over ``softness_px`` Fourier voxels (of the shorter axis) and begins at the edge, so that nothing measured
    loses weight. Angles in degrees; an asymmetric range is allowed. The zero frequency counts as measured.
    """
    check_tilt_range(tilt_min, tilt_max)
    kz, kx = np.fft.fftfreq(depth)[:, None], np.fft.rfftfreq(width)[None]
    # how far a coefficient lies beyond either edge of the measured fan, across that edge; the fan is kx >= 0 by symmetry
    beyond = np.maximum(*(sign * (kz * np.cos(np.radians(edge)) - kx * np.sin(np.radians(edge)))
                          for sign, edge in ((1, tilt_max), (-1, tilt_min))))
    # on the line kx = 0 both halves of the fan meet: the conjugate coefficient may be the measured one
    mirrored = np.maximum(*(sign * (-kz * np.cos(np.radians(edge)) + kx * np.sin(np.radians(edge)))
                            for sign, edge in ((1, tilt_max), (-1, tilt_min))))
    beyond = np.where(kx == 0, np.minimum(beyond, mirrored), beyond)
    distance = np.maximum(beyond, 0) * min(depth, width)
    if softness_px <= 0:
        return (distance <= 1e-9).astype(np.float64)
    return 0.5 * (1 + np.cos(np.pi * np.minimum(distance / softness_px, 1)))


def missing_cube(side: int, tilt_min: float, tilt_max: float) -> np.ndarray:
    """Which coefficients (side, side, side) of a cube's whole transform, in the order of ``np.fft.fftn``, no tilt has measured."""
    half = measured_plane(side, side, tilt_min, tilt_max) == 0
    plane = np.zeros((side, side), dtype=bool)
    plane[:, :side // 2 + 1] = half
    mirrored = half[-np.arange(side) % side]  # the coefficient at -k is the conjugate of that at k
    plane[:, side // 2 + 1:] = mirrored[:, (side - 1) // 2:0:-1]
    return np.repeat(plane[:, None], side, axis=1)


def missing_energy(volume: Any, tilt_min: float, tilt_max: float) -> float:
    """Mean power per Fourier coefficient inside the missing wedge over that outside, of a (z, y, x) array without its mean.

    The corners beyond Nyquist are left out. 0 for an empty wedge, about 1 where nothing is missing from white noise.
    """
    depth, _, width = volume.shape
    power = np.zeros((depth, width // 2 + 1))
    for row in range(volume.shape[1]):
        plane = np.asarray(volume[:, row], dtype=np.float32)
        power += np.abs(np.fft.rfft2(plane - plane.mean())) ** 2
    return wedge_energy(power, width, tilt_min, tilt_max, innermost=1.5)


def wedge_energy(power: np.ndarray, width: int, tilt_min: float, tilt_max: float, innermost: float) -> float:
    """As :func:`missing_energy`, of the power (depth, width // 2 + 1) on the rfft2 grid of planes (z, x).

    Coefficients up to ``innermost`` Fourier voxels (of the shorter axis) are left out: the mean leaks into them.
    """
    depth = power.shape[0]
    measured = measured_plane(depth, width, tilt_min, tilt_max)
    length = np.hypot(np.fft.fftfreq(depth)[:, None], np.fft.rfftfreq(width)[None])
    counted = (length > innermost / min(depth, width)) & (length <= 0.5)
    inside, outside = power[counted & (measured == 0)], power[counted & (measured == 1)]
    return float(inside.mean() / outside.mean()) if inside.size and outside.size and outside.mean() > 0 else 0.0
