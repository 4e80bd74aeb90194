"""Where foreground begins in the target: a threshold found without labels after training (Otsu 1979).

A network calls foreground as rarely as its source, in which particles are smaller or larger than in the target, and noise given in training
makes it call still less. How it ranks voxels carries over better than its zero. So the logits of the unlabelled target are split into two
classes of the least variance within, and the bias of the network moves so that their border becomes probability 1/2. Half of all voxels
are taken for background at once: how surely they are it varies widely and would draw the border down.
"""
from __future__ import annotations

import logging
from typing import NamedTuple, cast

import numpy as np
import torch
from skimage.filters import threshold_otsu
from torch import nn

from ..runtime.seeds import numpy_generator
from .evaluate import logits
from .network import VoxResNet
from .params import Calibration

logger = logging.getLogger(__name__)
LARGEST_SAMPLE = 500  # subtomograms of which the histogram is made
MOST_FOREGROUND = 0.22  # share of the target from which the border may part noise from noise: normal logits are split at 0.24


NULL_SAMPLE = 100  # subtomograms of the null test
SUSPICIOUS = 0.5  # share called in phase-randomised targets, over that in the targets


class Border(NamedTuple):
    """Logit at which foreground begins, and the shares of the target's voxels above zero and above it."""

    logit: float
    share_above_zero: float
    share: float


def border(network: VoxResNet, target: np.ndarray, rule: Calibration) -> Border:
    """Of standardised subtomograms (n, z, y, x): Otsu's threshold of their logits, those below the median raised to it, or 0 with
    ``none`` (probability 1/2, published)."""
    places = np.linspace(0, len(target) - 1, min(len(target), LARGEST_SAMPLE)).round().astype(int)
    found = logits(network, target[places])
    split = float(threshold_otsu(np.maximum(found, np.median(found)))) if rule == "otsu" else 0.0
    return Border(split, float((found > 0).mean()), float((found > split).mean()))


def calibrate(network: VoxResNet, target: np.ndarray, rule: Calibration) -> tuple[Border, list[str]]:
    """Move the bias of ``network`` so that its logit is 0 at the border; the border before, and what there is to warn of."""
    found = border(network, target, rule)
    classifier = cast("nn.Conv3d", cast("nn.Sequential", network.heads[0])[1])
    with torch.no_grad():
        cast("torch.Tensor", classifier.bias).sub_(found.logit)  # the logit is the sum of the heads: one bias moves it
    if rule == "none" or found.share <= MOST_FOREGROUND:
        return found, []
    warning = (f"{found.share:.0%} of the target would be foreground at Otsu's threshold: the network may not part particles from "
               "background; look at the masks, or set calibration to none")
    logger.warning(warning)
    return found, [warning]


def null_test(network: VoxResNet, target: np.ndarray, seed: int) -> tuple[dict[str, float], list[str]]:
    """Share of foreground that a calibrated network calls in standardised targets (n, z, y, x), and in the same with random phases.

    Random phases keep colour and missing wedge and leave no structure: whatever is called there is called wrongly.
    """
    places = np.linspace(0, len(target) - 1, min(len(target), NULL_SAMPLE)).round().astype(int)
    real = float((logits(network, target[places]) > 0).mean())
    null = float((logits(network, phase_randomised(target[places], seed)) > 0).mean())
    shares = {"called_share": real, "null_share": null}
    if null <= SUSPICIOUS * real:
        return shares, []
    warning = (f"the network calls {null:.1%} of targets with random phases, which hold no structure, and {real:.1%} of the real ones: "
               "much of what it calls may be noise; look at the masks before you use them")
    logger.warning(warning)
    return shares, [warning]


def phase_randomised(volumes: np.ndarray, seed: int) -> np.ndarray:
    """Each of (n, z, y, x) with its own Fourier amplitudes and the phases of white noise: mean 0, variance as before, float32."""
    axes = (1, 2, 3)
    white = numpy_generator(seed, "null test").normal(size=volumes.shape)
    phases = np.fft.rfftn(white, axes=axes)
    phases /= np.maximum(np.abs(phases), 1e-12)
    mixed = np.fft.irfftn(np.abs(np.fft.rfftn(volumes, axes=axes)) * phases, s=volumes.shape[1:], axes=axes)
    return standardised_rows(mixed).astype(np.float32)


def standardised_rows(volumes: np.ndarray) -> np.ndarray:
    """Each of (n, z, y, x) to mean 0 and variance 1."""
    centred = volumes - volumes.mean(axis=(1, 2, 3), keepdims=True)
    return centred / np.maximum(centred.std(axis=(1, 2, 3), keepdims=True), 1e-12)
