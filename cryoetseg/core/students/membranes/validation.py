"""How well a membrane network does on slices whose labels are known."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from ...models.membrane_unet3d import MembraneUNet3d, membrane_logit
from ...models.unet2d import DIVISOR
from .data import LabelledTomogram

SLICES = 6  # of each tomogram that are looked at
SEEN_SLICES = 32  # around a slice that a network of volumes is shown


def membrane_counts(network: nn.Module, inputs: int, tomograms: Sequence[LabelledTomogram], slices: Sequence[np.ndarray]) -> np.ndarray:
    """True positives, false positives and false negatives among the counting voxels of a few of the ``slices`` of each tomogram;
    ``inputs`` is how many neighbouring slices the network sees."""
    counts = np.zeros(3)
    for tomogram, numbers in zip(tomograms, slices):
        for z in spread(numbers, SLICES):
            target = tomogram.targets.plane(int(z), (0, 0), _padded_plane(tomogram))
            found, truth, counted = found_membrane(network, inputs, tomogram, int(z)), target.labels > 0, target.weights > 0
            pairs = [(found, truth), (found, ~truth), (~found, truth)]
            counts += [np.count_nonzero(one & other & counted) for one, other in pairs]
    return counts


@torch.no_grad()
def found_membrane(network: nn.Module, inputs: int, tomogram: LabelledTomogram, z: int) -> np.ndarray:
    """Membrane in slice ``z``, bool (y, x), padded to what the network takes."""
    first, shape = next(network.parameters()), _padded_plane(tomogram)
    if isinstance(network, MembraneUNet3d):
        volume = torch.from_numpy(tomogram.block(z - SEEN_SLICES // 2, (0, 0), shape, SEEN_SLICES))[None, None]
        logits = network(volume.to(first.device).contiguous(memory_format=torch.channels_last_3d))
        return (membrane_logit(logits)[0, 0, SEEN_SLICES // 2] > 0).cpu().numpy()
    image = torch.from_numpy(tomogram.stack(z, (0, 0), shape, inputs))[None]
    logits = network(image.to(first.device).contiguous(memory_format=torch.channels_last))[0]
    return (logits[1] > logits[0]).cpu().numpy()


def spread(numbers: np.ndarray, count: int) -> np.ndarray:
    """At most ``count`` of the ``numbers``, evenly spread."""
    return numbers[np.linspace(0, len(numbers) - 1, min(count, len(numbers))).round().astype(int)]


def padded(size: int) -> int:
    """The size a network takes that holds ``size`` voxels."""
    return -(-size // DIVISOR) * DIVISOR


def _padded_plane(tomogram: LabelledTomogram) -> list[int]:
    return [padded(size) for size in tomogram.volume.header.shape[1:]]
