"""What a Vox-UDA training keeps on its device: all subtomograms, and what is made of them once instead of in every step."""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from . import noise
from .bilateral import Filtered, bilateral, degeneracy
from .data import Subtomograms
from .params import TrainVoxUdaParameters

TRUNCATION = 4.0  # deviations after which the Gaussian ends
MOST = (0.25, 0.9)  # quantiles of the signal-to-noise ratios found: the lowest are those that noise hides
NOISY = 0.8  # variance of the background of standardised subtomograms: 0.3 to 0.4 without noise, 0.95 and more at a ratio of 0.05
SAMPLE = 8  # subtomograms that tell whether a filter does anything


class Pools(NamedTuple):
    """Subtomograms (n, 1, z, y, x), the target as the teacher sees it, half power spectra of its noise, and the high-pass of the noise
    module.

    ``denoised`` is the target itself without pseudo-labels, ``power`` is empty for white noise. ``snr`` (2,) are the least and the largest
    signal-to-noise ratio that the target shows.
    """

    source: Tensor
    masks: Tensor
    target: Tensor
    denoised: Tensor
    power: Tensor
    passed: Tensor
    snr: Tensor

    @classmethod
    def of(cls, source: Subtomograms, target: Subtomograms, parameters: TrainVoxUdaParameters, device: torch.device) -> Pools:
        """Bring both domains to ``device`` and prepare the target there."""
        assert source.masks is not None
        volumes, masks, goal = (torch.from_numpy(part)[:, None].to(device) for part in (source.volumes, source.masks, target.volumes))
        passed = noise.high_pass(parameters.size, parameters.noise_share, parameters.noise_geometry).to(device)
        power, snr = _noise_power(goal, parameters)
        return cls(volumes, masks, goal, denoised(goal, parameters, passed) if parameters.pseudo_labels else goal, power, passed, snr)


def _noise_power(target: Tensor, parameters: TrainVoxUdaParameters) -> tuple[Tensor, Tensor]:
    """Half power spectra of the noise given to the source, none for white noise, and the range of the target's signal-to-noise ratios."""
    if not parameters.consistency or parameters.noise_kind not in ("target_snr", "target_spectrum"):
        return target[:0], target.new_zeros(2)
    power = noise.power_spectra(target)
    if parameters.noise_kind == "target_spectrum":
        return power, target.new_zeros(2)
    seen = noise.seen_noise(power)
    return power * seen.share, seen.snr.quantile(target.new_tensor(MOST))


def denoised(volumes: Tensor, parameters: TrainVoxUdaParameters, passed: Tensor) -> Tensor:
    """Volumes (n, 1, z, y, x) as the teacher sees them."""
    result = _filtered(volumes, parameters, passed)
    return noise.standardised(result) if parameters.restandardise else result


def _filtered(volumes: Tensor, parameters: TrainVoxUdaParameters, passed: Tensor) -> Tensor:
    if parameters.denoiser == "none":
        return volumes
    if parameters.denoiser == "noise_module":
        return noise.without_high_frequencies(volumes, passed)
    if parameters.denoiser == "gaussian":
        return gaussian(volumes, parameters.gaussian_sigma)
    return _bilateral(volumes, parameters).volumes


def _bilateral(volumes: Tensor, p: TrainVoxUdaParameters) -> Filtered:
    feature = "intensity" if p.denoiser == "bilateral" else p.range_feature
    return bilateral(volumes, p.domain_sigma, p.range_sigma, feature, p.filter_scale)


def filter_warning(target: Tensor, parameters: TrainVoxUdaParameters) -> str:
    """A warning where the bilateral filter does nothing to some of the target, or too much; else empty."""
    if not parameters.pseudo_labels or "bilateral" not in parameters.denoiser:
        return ""
    return degeneracy(float(_bilateral(target[:SAMPLE], parameters).weight_sum))


def source_warning(source: Tensor, masks: Tensor, parameters: TrainVoxUdaParameters) -> str:
    """A warning where noise of the target's strength is asked for and the source is noisy already; else empty."""
    if not parameters.consistency or parameters.noise_kind != "target_snr":
        return ""
    background = float(source[~masks].var())  # of a variance of 1; without noise it is the fringes of the optics alone
    if background <= NOISY:
        return ""
    return (f"the source has noise of its own (its background has {background:.0%} of the variance of all), to which noise of the target's "
            "strength is added: simulate it at a signal-to-noise ratio of 1000, or take the noise kind target_spectrum")


def gaussian(volumes: Tensor, sigma: float) -> Tensor:
    """Gaussian filter of (n, 1, z, y, x), edges repeated, cut as scipy's."""
    radius = int(TRUNCATION * sigma + 0.5)
    kernel = torch.exp(-(torch.arange(-radius, radius + 1, device=volumes.device, dtype=volumes.dtype) ** 2) / (2 * sigma**2))
    for axis in range(3):
        line = (kernel / kernel.sum()).reshape(1, 1, *(-1 if axis == other else 1 for other in range(3)))
        border = [part for other in (2, 1, 0) for part in (radius * (axis == other),) * 2]
        volumes = F.conv3d(F.pad(volumes, border, mode="replicate"), line)
    return volumes


def same_wedge(volumes: Tensor, turns: Tensor) -> Tensor:
    """Of each volume (n, 1, z, y, x) one of the four pictures that keep the missing wedge of tilts about y, by ``turns`` (n,) of 0 to 3:
    mirrored along y, turned about it."""
    mirrored, turned = ((turns & bit).bool().reshape(-1, 1, 1, 1, 1) for bit in (1, 2))
    volumes = torch.where(mirrored, volumes.flip(3), volumes)
    return torch.where(turned, volumes.flip((2, 4)), volumes)
