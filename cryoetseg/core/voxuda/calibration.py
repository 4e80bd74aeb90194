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

from .evaluate import logits
from .network import VoxResNet
from .params import Calibration

logger = logging.getLogger(__name__)
LARGEST_SAMPLE = 500  # subtomograms of which the histogram is made
MOST_FOREGROUND = 0.22  # share of the target from which the border may part noise from noise: normal logits are split at 0.24


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
