"""What happens to a reconstruction before a user has it: other spectra, light denoising, binning, clipping, bytes, compression."""
from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, median_filter, uniform_filter

Volume = NDArray[np.float32]
SHELLS = 5  # points of a random spectrum between frequency 0 and Nyquist


class Finishing(NamedTuple):
    """What is done to a reconstruction, in this order.

    ``spectrum`` holds the logarithms of the factors on the amplitudes at :data:`SHELLS` frequencies from 0 to Nyquist; ``width_px`` is
    the Gaussian's sigma or the side of median and mean; ``clip`` in standard deviations, 0 clips nothing; ``grey_steps`` of the range
    that is left, 0 keeps floating point.
    """

    spectrum: tuple[float, ...] = ()
    smoothing: Literal["none", "gaussian", "median", "mean"] = "none"
    width_px: float = 0.0
    clip: float = 0.0
    grey_steps: int = 0


def draw_finishing(rng: np.random.Generator) -> Finishing:
    """Draw what is done: half of the volumes get another spectrum, a third is smoothed, half is clipped, a third becomes bytes."""
    drawn = rng.random(5)
    spectrum = tuple(float(value) for value in np.cumsum(rng.normal(0, 0.35, SHELLS))) if drawn[0] < 0.5 else ()
    kinds: tuple[Literal["gaussian", "median", "mean"], ...] = ("gaussian", "median", "mean")
    smoothing, width = "none", 0.0
    if drawn[1] < 1 / 3:
        smoothing = kinds[int(rng.integers(3))]
        width = float(rng.uniform(0.5, 1.5)) if smoothing == "gaussian" else 3.0
    clip = float(rng.uniform(2.5, 4.5)) if drawn[3] < 0.5 else 0.0
    return Finishing(spectrum, smoothing, width, clip, int(rng.choice([32, 64, 256])) if drawn[4] < 1 / 3 else 0)  # type: ignore[arg-type]


def finish(volume: Volume, finishing: Finishing) -> Volume:
    """A finished copy (z, y, x) with mean 0 and standard deviation 1 before it is clipped and rounded."""
    result = with_spectrum(volume, finishing.spectrum) if finishing.spectrum else np.array(volume, dtype=np.float32)
    if finishing.smoothing == "gaussian":
        result = gaussian_filter(result, finishing.width_px)
    elif finishing.smoothing == "median":
        result = median_filter(result, int(finishing.width_px))
    elif finishing.smoothing == "mean":
        result = uniform_filter(result, int(finishing.width_px))
    result = (result - result.mean()) / max(float(result.std()), 1e-12)
    if finishing.clip:
        result = np.clip(result, -finishing.clip, finishing.clip)
    return rounded(result, finishing.grey_steps) if finishing.grey_steps else result.astype(np.float32)


def with_spectrum(volume: Volume, log_factors: tuple[float, ...]) -> Volume:
    """``volume`` with its amplitudes multiplied by a factor of the spatial frequency, linear in its logarithm between shells."""
    axes = [np.fft.fftfreq(side) for side in volume.shape[:2]] + [np.fft.rfftfreq(volume.shape[2])]
    k = np.sqrt(axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2)
    factor = np.exp(np.interp(k, np.linspace(0, 0.5, len(log_factors)), log_factors)).astype(np.float32)
    return np.fft.irfftn(np.fft.rfftn(volume) * factor, s=volume.shape, axes=(0, 1, 2)).astype(np.float32)


def rounded(volume: Volume, steps: int) -> Volume:
    """Grey values rounded to ``steps`` equal steps between the smallest and the largest."""
    low, high = float(volume.min()), float(volume.max())
    width = max(high - low, 1e-12) / (steps - 1)
    return (np.rint((volume - low) / width) * width + low).astype(np.float32)
