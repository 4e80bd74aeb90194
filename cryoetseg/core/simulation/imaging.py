"""From projections to recorded images: optics on the signal, and noise of unit strength shaped as a detector gives it.

Signal and noise stay apart: everything after this is linear, so their ratio can be set exactly on the reconstructions.
"""
from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from .ctf import ctf, damage, envelope, frequencies
from .params import SimulationParameters
from .tilt_series import TiltSeries

Array = NDArray[np.float64]
BORDER = 32  # pixels of mirrored border, so that a transform's periodicity does not wrap the optics around


def optics(p: SimulationParameters, series: TiltSeries, shape: tuple[int, int]) -> list[Array]:
    """Transfer function of each tilt's signal on the rfft2 grid of ``shape``: CTF, envelope, damage, phase flip."""
    k = frequencies(shape, p.voxel_size)
    fading = envelope(k, p.b_factor)
    transfers = []
    for defocus, dose in zip(series.defocus, series.dose_before):
        transfer = fading * damage(k, float(dose))
        if p.optics == "none":
            transfers.append(-transfer)
            continue
        contrast = ctf(k, float(defocus), p.voltage, p.spherical_aberration, p.amplitude_contrast)
        # flipping makes all frequencies as dark as the low ones already are
        transfers.append(transfer * (-np.abs(contrast) if p.ctf_correction == "phase_flip" else contrast))
    return transfers


def bordered(shape: torch.Size) -> tuple[int, int]:
    """Size of an image of a stack of ``shape`` (tilt, y, detector) with its mirrored border."""
    return shape[1] + 2 * BORDER, shape[2] + 2 * BORDER


def detector_blur(shape: tuple[int, int]) -> Array:
    """Modulation transfer of the detector, sinc of the pixel (spec D2.8), on the rfft2 grid."""
    y, x = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    return np.multiply(np.sinc(y), np.sinc(x))


def apply_transfer(image: torch.Tensor, transfer: Array, shift: Array | None = None) -> torch.Tensor:
    """Filter a mirrored-border image by ``transfer``, moved by ``shift`` (y, x) pixels, and cut the border off."""
    height, width = image.shape
    factor = transfer.astype(np.float32)
    if shift is not None and shift.any():
        y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
        factor = (factor * np.exp(-2j * np.pi * (y * shift[0] + x * shift[1]))).astype(np.complex64)
    filtered = torch.fft.irfft2(torch.fft.rfft2(image) * torch.from_numpy(factor).to(image.device), s=(height, width))
    return filtered[BORDER:-BORDER, BORDER:-BORDER]


def with_border(image: torch.Tensor) -> torch.Tensor:
    """``image`` (y, x) with a mirrored border."""
    rows, columns = (torch.from_numpy(np.pad(np.arange(side), BORDER, mode="symmetric")).to(image.device) for side in image.shape)
    return image[rows][:, columns]


def signal_images(projections: torch.Tensor, transfers: list[Array], shifts: Array) -> torch.Tensor:
    """Noise-free images (tilt, y, detector), dark where dense, moved by the ``shifts`` (tilt, 2) left by alignment."""
    images = torch.empty_like(projections)
    for tilt, projection in enumerate(projections):
        images[tilt] = apply_transfer(with_border(projection), transfers[tilt], shifts[tilt])
    return images


def noise_images(
    projections: torch.Tensor, transfers: list[Array], p: SimulationParameters, series: TiltSeries, rng: np.random.Generator,
) -> torch.Tensor:
    """Noise (tilt, y, detector) with unit variance at full transmission: part through the optics, part blurred by the detector.

    The variance grows as 1 / transmission. AITom adds half of it before the CTF (spec D2.8).
    """
    images = torch.empty_like(projections)
    shape = bordered(projections.shape)
    share, blur = p.noise_before_optics, detector_blur(shape)
    blurred = (1 - share) * blur**2 / _power(blur, shape)
    for tilt, (projection, passed) in enumerate(zip(projections, transfers)):
        transmission = float(series.transmission[tilt])
        # two independent noises with two filters are one noise whose power is the sum of theirs
        power = share * passed**2 / max(_power(passed, shape), 1e-12) + blurred
        images[tilt] = apply_transfer(_white(projection, p, transmission, rng), np.sqrt(power / transmission))
    return images


def _power(transfer: Array, shape: tuple[int, int]) -> float:
    """Variance of unit white noise after ``transfer`` on an rfft2 grid, whose columns but the first and last count twice."""
    counts = np.full(transfer.shape[1], 2.0)
    counts[0] = 1.0
    if shape[1] % 2 == 0:
        counts[-1] = 1.0
    return float((transfer**2 * counts).sum() / (shape[0] * shape[1]))


def _white(projection: torch.Tensor, p: SimulationParameters, transmission: float, rng: np.random.Generator) -> torch.Tensor:
    """White noise of unit variance with a border: Gaussian, or centred Poisson counts whose rate follows the projection."""
    shape = bordered(torch.Size([1, *projection.shape]))
    if p.noise_model == "gaussian":
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32)).to(projection.device)
    tilts = max(1, round((p.tilt_max - p.tilt_min) / p.tilt_step) + 1)
    electrons = max(p.total_dose, 1.0) / tilts * p.voxel_size**2 * transmission
    padded = with_border(projection).cpu().numpy().astype(np.float64)
    scattered = (padded - padded.mean()) / max(padded.std(), 1e-9) * 0.1  # images vary by about a tenth of their mean
    rate = electrons * np.clip(1 - scattered, 0.05, None)
    counts = rng.poisson(rate)
    return torch.from_numpy(((counts - rate) / np.sqrt(rate.mean())).astype(np.float32)).to(projection.device)
