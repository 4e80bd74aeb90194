"""Vox-UDA's noise generation module (spec B4): how strong is the noise of the target, and the source with as much.

The high frequencies of a few target subtomograms are taken for their noise. The paper leaves two things open, both are offered: which
frequencies are kept (``Geometry``) and whether the variance is that of the averaged noise volumes or the mean of theirs (``Reading``).
"""
from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .params import Geometry, NoiseKind, Reading

AXES = (-3, -2, -1)  # z, y, x
STEEPEST = -4.0  # power of the frequency with which noise may fall
POSSIBLE = (0.01, 10.0)  # signal-to-noise ratios that are believed
SMALLEST_POWER = 1e-16  # of both features together, below which they have no direction
POISSON_COUNTS = 24  # counts beyond have a probability below 1e-9 for every rate up to 5


@lru_cache(maxsize=8)
def high_pass(side: int, kept: float, geometry: Geometry) -> Tensor:
    """Kept frequencies of a cube's spectrum as (side, side, side) bool in the order of ``torch.fft.fftn``.

    ``corner_cube`` keeps the cube of side round(side kept^(1/3)) in the middle of the unshifted spectrum, where all three frequencies are
    high: with 0.244 of 32^3 its side is 20, 8000 frequencies (the published shares are such cubes to all digits printed). ``radial`` keeps
    the share ``kept`` farthest from zero; ``outside_cube`` removes the cube of that share about zero.
    """
    if geometry == "radial":
        axis = torch.fft.fftfreq(side) * side
        radius = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()
        return radius >= torch.quantile(radius.double().ravel(), 1 - kept)
    edge = round(side * kept ** (1 / 3))
    inside = torch.zeros(side, dtype=torch.bool)
    inside[(side - edge) // 2:(side - edge) // 2 + edge] = True
    if geometry == "outside_cube":
        return ~_cube(torch.fft.ifftshift(inside))
    return _cube(inside)


def _cube(inside: Tensor) -> Tensor:
    return inside[:, None, None] & inside[:, None] & inside


def high_frequencies(volumes: Tensor, passed: Tensor) -> Tensor:
    """The part of ``volumes`` (..., z, y, x) in the frequencies ``passed`` (z, y, x), real.

    The corner cube holds k = -16 but not 16, so the inverse is complex: its real part is taken.
    """
    spectrum = torch.fft.fftn(volumes.float(), dim=AXES)
    return torch.fft.ifftn(spectrum * passed.to(volumes.device), dim=AXES).real


def noise_deviation(volumes: Tensor, passed: Tensor, reading: Reading) -> Tensor:
    """sigma_t of N_s target subtomograms (n, ..., z, y, x), a scalar tensor.

    ``variance_of_mean``: the noise volumes are averaged first, so that sigma_t falls as 1/sqrt(N_s): the literal text.
    ``mean_of_variances`` does not depend on N_s. White noise of variance 1 gives 0.15 (N_s = 10) and 0.48.
    """
    noise = high_frequencies(volumes, passed)
    if reading == "variance_of_mean":
        return noise.mean(dim=0).var(correction=0).sqrt()
    return noise.flatten(1).var(dim=1, correction=0).mean().sqrt()


def perturbed(volumes: Tensor, sigma: Tensor | float, kind: NoiseKind, normal: Tensor, uniform: Tensor) -> Tensor:
    """x_s' = x_s + eps (Vox-UDA eq. 3) with eps normal of deviation sigma, Poisson of rate sigma, or x_s times normal (speckle).

    ``normal`` and ``uniform`` are draws in the shape of ``volumes``; each kind of noise uses one of them.
    """
    if kind == "gaussian":
        return volumes + sigma * normal
    if kind == "speckle":
        return volumes + sigma * normal * volumes
    return volumes + poisson(uniform, torch.as_tensor(sigma, dtype=volumes.dtype, device=volumes.device))


def power_spectra(volumes: Tensor) -> Tensor:
    """Half power spectra of ``volumes`` (n, 1, z, y, x), 0 at the zero frequency."""
    power = torch.fft.rfftn(volumes.float(), dim=AXES).abs().square()
    power[..., 0, 0, 0] = 0
    return power


def shells(side: int) -> Tensor:
    """Shell, one Fourier voxel wide, of every coefficient of a cube's half spectrum (side, side, side // 2 + 1)."""
    full, half = torch.fft.fftfreq(side) * side, torch.fft.rfftfreq(side) * side
    return (full[:, None, None] ** 2 + full[:, None] ** 2 + half**2).sqrt().round().long()


class Seen(NamedTuple):
    """What half power spectra tell of noise: its share of the power in each shell, and the signal-to-noise ratio of each spectrum (n,)."""

    share: Tensor
    snr: Tensor


def seen_noise(power: Tensor) -> Seen:
    """Part half power spectra (n, 1, z, y, x) into noise, whose power falls with a power of the frequency, and signal, the rest.

    The law is fitted to the mean over all spectra in the upper half of the frequencies, where the envelope has left next to no signal, and
    goes on from there to the lower ones; how strong its noise is in one spectrum, the upper half of that one tells.
    """
    side = power.shape[-2]
    shell = shells(side).to(power.device).flatten()
    members = torch.bincount(shell).to(power)[1:]
    sums = torch.zeros(len(power), len(members) + 1, device=power.device).index_add_(1, shell, power.flatten(1))[:, 1:]
    k = torch.arange(1, len(members) + 1, device=power.device)
    mean = (sums / members).mean(dim=0).clamp_min(1e-12)
    upper = (k > side // 4) & (k <= side // 2)  # a wedge leaves another part of the corners than of whole shells
    across = k.to(mean).log() - k[upper].to(mean).log().mean()
    height = mean[upper].log().mean()
    slope = (across[upper] * (mean[upper].log() - height)).sum() / across[upper].square().sum()
    law = torch.where(k > side // 2, mean, torch.minimum((height + slope.clamp(STEEPEST, 0) * across).exp(), mean))
    level = sums[:, upper].sum(dim=1) / (law * members)[upper].sum()
    snr = sums.sum(dim=1) / (level * (law * members).sum()) - 1
    return Seen(torch.cat([torch.ones_like(mean[:1]), law / mean])[shell].reshape(power.shape[1:]), snr.clamp(*POSSIBLE))


def coloured(power: Tensor, normal: Tensor) -> Tensor:
    """Noise with the half power spectrum ``power`` (1, z, y, x) and the phases of ``normal`` (batch, 1, z, y, x), variance 1.

    Subtomograms are mostly noise, so that noise with the mean spectrum of a few has the target's colour and missing wedge, which white
    noise lacks.
    """
    spectrum = torch.fft.rfftn(normal.float(), dim=AXES) * power.sqrt()
    return standardised(torch.fft.irfftn(spectrum, s=normal.shape[-3:], dim=AXES))


def mixed(volumes: Tensor, noise: Tensor, share: Tensor) -> Tensor:
    """Volumes and noise, both of variance 1, so that noise has the ``share`` (batch,) of the variance; again of mean 0 and variance 1."""
    share = share.reshape(-1, 1, 1, 1, 1)
    return standardised((1 - share).sqrt() * volumes + share.sqrt() * noise)


def share_at(snr: Tensor, uniform: Tensor) -> Tensor:
    """Shares of noise in the variance at ratios of signal to noise between both ``snr`` (2,), by even draws (n,); even in the logarithm."""
    least, largest = snr.log()
    return 1 / (1 + (least + uniform * (largest - least)).exp())


def standardised(volumes: Tensor) -> Tensor:
    """Each of (batch, 1, z, y, x) to mean 0 and variance 1."""
    deviation, mean = torch.std_mean(volumes, dim=(2, 3, 4), correction=0, keepdim=True)
    return (volumes - mean) / deviation.clamp(min=1e-12)


def poisson(uniform: Tensor, rate: Tensor) -> Tensor:
    """Poisson counts of ``rate`` from uniform draws: the number of k with P(count <= k) below the draw."""
    k = torch.arange(POISSON_COUNTS, device=uniform.device, dtype=rate.dtype)
    below = torch.special.gammaincc(k + 1, rate.expand_as(k))
    return torch.bucketize(uniform, below).to(uniform.dtype)


def without_high_frequencies(volumes: Tensor, passed: Tensor) -> Tensor:
    """The denoiser by the same filter: x_t minus its high frequencies."""
    return volumes - high_frequencies(volumes, passed)


def cosine_distance(first: Tensor, second: Tensor) -> Tensor:
    """1 - mean over voxels of the cosine along the channels of two features (batch, channels, z, y, x)."""
    a, b = first.float(), second.float()
    product, power = (a * b).sum(dim=1), (a * a).sum(dim=1) * (b * b).sum(dim=1)
    # not torch's own, which divides whole features before it adds up their channels: twice the time
    return 1 - (product / power.clamp_min(SMALLEST_POWER).sqrt()).mean()
