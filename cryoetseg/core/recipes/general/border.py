"""Where the membrane model draws its border: at the probability at which held-out scenes are segmented best; it becomes one half."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from scipy.special import logit

from ...metrics.segmentation import dice_from_counts
from ...models.membrane_unet3d import MEMBRANE_OUTPUT, MembraneUNet3d
from ...students.membranes.network import MembraneModel
from .judge import FROM, probability_of
from .scenes import MEMBRANE, Scene

TRIED = np.round(np.arange(0.2, 0.81, 0.05), 2)


def best_border(scenes: Iterable[Scene], model: MembraneModel, device: torch.device) -> float:
    """The one of :data:`TRIED` at which Dice over all voxels of the scenes together, those without membranes included, is highest."""
    counts = np.zeros((len(TRIED), 3))
    for scene in scenes:
        found, truth = probability_of(scene, model, device), scene.classes == MEMBRANE
        for row, border in enumerate(TRIED):
            called = found >= border
            counts[row] += [np.count_nonzero(part) for part in (called & truth, called & ~truth, ~called & truth)]
    return float(TRIED[np.argmax([dice_from_counts(*row) for row in counts])])


def move_border(network: MembraneUNet3d, border: float) -> None:
    """Make the probability ``border`` of membrane one half; what the network says of filaments by themselves stays."""
    bias = network.head.bias
    assert bias is not None
    with torch.no_grad():
        bias[network.voxels_of(MEMBRANE_OUTPUT)] += float(logit(FROM) - logit(border))
