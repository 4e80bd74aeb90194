"""Class maps of volumes of any size: tiles, averaged softmax, bounded memory."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ...inference.network import network_function
from ...inference.tiled import TileFunction, apply_tiled
from ...models.deepfinder import DIVISOR
from ...runtime.device import choose_device
from ...volumes.normalisation import mean_and_deviation
from ...volumes.streaming import release_pages
from ...volumes.tiles import Tiling, fitted_edge
from .params import SegmentClassesParameters

BAND_BYTES = 256 * 1024**2  # of class probabilities that are averaged at a time
PERCENT = 100
STANDARD = (0.0, 1.0, 1.0)  # scaling of a volume that is standardised already


@dataclass(frozen=True)
class ClassVolumes:
    """Results, each (z, y, x) int8 and an array or memory map: the class of every voxel (0 background), the probability of that class
    in percent, and, where wanted, the probabilities of all classes in percent, background first.
    """

    classes: Any
    confidence: Any
    probabilities: Sequence[Any] = ()

    @classmethod
    def in_memory(cls, shape: Sequence[int], classes: int, probabilities: bool = False) -> ClassVolumes:
        """Zeros of ``shape``; ``classes`` counts the background."""
        return cls(np.zeros(shape, np.int8), np.zeros(shape, np.int8), [np.zeros(shape, np.int8) for _ in range(classes * probabilities)])


def segment_classes(
    volume: Any, network: nn.Module, parameters: SegmentClassesParameters | None = None, device: str = "auto", *,
    scaling: tuple[float, float, float] | None = None, into: ClassVolumes | None = None,
) -> ClassVolumes:
    """Class of every voxel of ``volume`` (z, y, x) at the network's voxel size: softmax, averaged over overlapping tiles, the largest.

    ``scaling``: mean, deviation and sign that make the volume standardised with bright particles; None measures the first two and
    takes particles as bright. ``into`` takes the results, for volumes larger than memory; None makes arrays.
    """
    parameters = parameters or SegmentClassesParameters()
    chosen = choose_device(device)
    network = network.to(chosen).to(memory_format=torch.channels_last_3d).eval()  # type: ignore[call-overload]  # a sixth faster on a processor
    classes = classes_of(network)
    results = into or ClassVolumes.in_memory(volume.shape, classes, parameters.probabilities)
    function = _probabilities(network, chosen, scaling or (*mean_and_deviation(volume), 1.0))
    tile, overlap = parameters.tile_px, min(parameters.overlap_px, parameters.tile_px // 2)
    for first, last in strips(volume.shape, tile, overlap, classes):
        margin = -(-overlap // DIVISOR) * DIVISOR  # strips start at the network's grid too, so that they give the values of one piece
        start, stop = max(0, first - margin), min(volume.shape[1], last + margin)
        source = volume[:, start:stop]
        target = _Strip(results, start, (first, last), (classes, *source.shape))
        tiling = tiling_of(source.shape, parameters)
        apply_tiled(function, source, target, tiling.edges, tiling.overlaps, parameters.batch_size, "cosine", tile_multiple=DIVISOR,
                    align=tiling.align, description="classes")
    return results


def tiling_of(shape: Sequence[int], parameters: SegmentClassesParameters) -> Tiling:
    """Tiles of a volume (z, y, x), at multiples of what the network shrinks by: no larger than the volume needs where the overlap is such a
    multiple too; with another one, as the published of 55 voxels, of the given side."""
    tile, overlap = parameters.tile_px, min(parameters.overlap_px, parameters.tile_px // 2)
    z, y, x = (tile if overlap % DIVISOR else fitted_edge(size, tile, overlap, DIVISOR) for size in shape)
    return Tiling((z, y, x), (overlap,) * 3, (DIVISOR,) * 3)


def classes_of(network: nn.Module) -> int:
    """Outputs of a network, background included: the channels of its last convolution."""
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv3d)][-1].out_channels


def strips(shape: Sequence[int], tile: int, overlap: int, classes: int) -> list[tuple[int, int]]:
    """Ranges of y that are worked through one after the other, so that averaging holds at most about BAND_BYTES.

    A strip is never thinner than two tiles, or the margins would cost more than the strip; its ends are multiples of the divisor.
    """
    row = 4 * classes * min(tile, shape[0]) * shape[2]
    rows = max(BAND_BYTES // row - 2 * overlap, 2 * tile)
    count = max(1, -(-shape[1] // rows))
    cuts = [round(shape[1] * number / count / DIVISOR) * DIVISOR for number in range(count)] + [shape[1]]
    return list(zip(cuts, cuts[1:]))


def _probabilities(network: nn.Module, device: torch.device, scaling: tuple[float, float, float]) -> TileFunction:
    """Softmax, so that what is averaged are probabilities, of standardised tiles."""
    mean, deviation, sign = scaling
    function = network_function(nn.Sequential(network, nn.Softmax(dim=1)), device)
    factor = np.float32(sign / deviation if deviation > 0 else 0.0)
    return lambda tiles: function((tiles - np.float32(mean)) * factor)


class _Strip:
    """A target of class probabilities (classes, z, y, x) of a strip of y: keeps what lies in ``core`` as classes and percent."""

    ndim = 4
    dtype = np.dtype(np.float32)

    def __init__(self, results: ClassVolumes, start: int, core: tuple[int, int], shape: tuple[int, ...]) -> None:
        self._results, self._start, self._core, self.shape = results, start, core, shape

    def __setitem__(self, where: tuple[slice, ...], block: np.ndarray) -> None:
        _, z, y, x = where
        first, last = max(y.start + self._start, self._core[0]), min(y.stop + self._start, self._core[1])
        if last <= first:
            return
        kept = block[:, :, first - self._start - y.start:last - self._start - y.start]
        place = (z, slice(first, last), x)
        self._results.classes[place] = kept.argmax(axis=0)
        self._results.confidence[place] = np.rint(PERCENT * kept.max(axis=0))
        for target, values in zip(self._results.probabilities, kept):
            target[place] = np.rint(PERCENT * values)
        for target in (self._results.classes, self._results.confidence, *self._results.probabilities):
            release_pages(target)
