"""Weighted back-projection of signal and noise apart, and their sum at the tomogram's signal-to-noise ratio."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from .ctf import frequencies
from .imaging import BORDER, apply_transfer, with_border
from .params import SimulationParameters
from .projection import Geometry, back_project, back_projector
from .tilt_series import TiltSeries

Volume = NDArray[np.float32]
SIRT_ROUNDS = 10


@dataclass(frozen=True)
class Reconstructor:
    """Weighted back-projection of one tilt series, as one operator for all the image stacks it is applied to.

    ``weights`` is on the rfft2 grid of an image with its mirrored border.
    """

    geometry: Geometry
    weights: NDArray[np.float64]
    operator: torch.Tensor

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Volume (z, y, x) from ``images`` (tilt, y, detector)."""
        filtered = torch.stack([apply_transfer(with_border(image), self.weights) for image in images])
        return back_project(filtered, self.geometry, self.operator)


def reconstructor(p: SimulationParameters, series: TiltSeries, geometry: Geometry, device: torch.device) -> Reconstructor:
    """The reconstructor that believes the nominal angles of ``series``."""
    step = float(np.deg2rad(p.tilt_step))
    shape = (p.size_y + 2 * BORDER, geometry.detector + 2 * BORDER)
    ramp = weighting(shape[1], geometry.depth, step, p.weighting)
    return Reconstructor(geometry, step * ramp * roll_off(shape, p.lowpass), back_projector(geometry, series.angles, device))


def weighting(width: int, thickness: float, step: float, kind: str) -> NDArray[np.float64]:
    """Weights of a back-projection for the frequencies of an rfft over ``width`` pixels across the tilt axis.

    A ramp |k|; 'crowther' levels it off at k = 1 / (thickness * step), ``thickness`` in voxels and ``step`` in radians, beyond which
    neighbouring tilts no longer overlap. 'sirt' is what :data:`SIRT_ROUNDS` rounds of SIRT amount to: each round leaves the share
    1 - first / |k| of the error at a frequency, ``first`` being the lowest one (Zeng 2012; IMOD's SIRT-like filter is of this kind).
    The zero frequency keeps a quarter of the first one's weight, the mean of the ramp over that bin.
    """
    k = np.fft.rfftfreq(width)
    ramp = k.copy()
    ramp[0] = k[1] / 4
    if kind == "sirt":
        return ramp * (1 - (1 - np.minimum(k[1] / np.maximum(k, k[1]), 1)) ** SIRT_ROUNDS)
    return np.minimum(ramp, 1 / (thickness * step)) if kind == "crowther" else ramp


def roll_off(shape: tuple[int, int], start: float) -> NDArray[np.float64]:
    """Hann roll-off from 1 at |k| = ``start`` to 0 at 0.5 cycles per pixel on the rfft2 grid of ``shape``."""
    fall = np.clip((frequencies(shape, 1.0) - start) / max(0.5 - start, 1e-9), 0, 1)
    return 0.5 * (1 + np.cos(np.pi * fall))


def odd_and_even(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """``images`` with all but every second tilt set to 0, counted from the first and from the second, times 2 to keep the density."""
    odd, even = torch.zeros_like(images), torch.zeros_like(images)
    odd[0::2], even[1::2] = 2 * images[0::2], 2 * images[1::2]
    return odd, even


def noise_scale(signal: torch.Tensor, noise: torch.Tensor, snr: float) -> float:
    """Factor on ``noise`` that makes var(signal) / var(noise) equal ``snr`` (spec D2.8). 1 for an empty signal."""
    signal_variance, noise_variance = float(signal.var()), float(noise.var())
    if signal_variance == 0 or noise_variance == 0:
        return 1.0
    return float(np.sqrt(signal_variance / (snr * noise_variance)))
