"""What a backbone is shown of a tomogram: prepared slabs, or stacks of neighbouring slices."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..volumes.cleaned import CleanedView
from .door import Backbone
from .frames import Frame
from .params import SegmentSlabsParameters
from .slabs import check_slab, prepare_slab, read_slab, stretched


class Pictures:
    """Pictures of the windows of any slab of ``volume`` (z, y, x), cleaned and with bright particles."""

    def __init__(self, volume: CleanedView, frame: Frame, backbone: Backbone, parameters: SegmentSlabsParameters) -> None:
        self._volume, self._frame = volume, frame
        self._slices, self._parameters = backbone.slices, parameters
        self._kept: dict[int, np.ndarray] = {}

    def showing(self, slabs: Sequence[int]) -> list[int]:
        """Those of the ``slabs`` that show sample; all where none does."""
        return [z for z in slabs if self.valid(z).any()] or list(slabs)

    def valid(self, z: int) -> np.ndarray:
        """Bool (y, x): voxels of a slice that show sample."""
        return self._volume.valid(z)

    def of_slab(self, z: int) -> np.ndarray:
        """Float32 pictures (windows, h, w), or (windows, slices, h, w) for a backbone that sees several slices."""
        if self._slices == 1:
            slab = read_slab(self._volume, z, self._parameters)
            return np.stack(self._frame.pictures(prepare_slab(slab, self._parameters, self._valid(z))))
        reach = self._slices // 2
        stack = [self._stretched_slice(index) for index in range(z - reach, z + reach + 1)]
        return np.stack([np.stack(self._frame.pictures(image)) for image in stack], axis=1)

    def intensity(self, z: int) -> np.ndarray:
        """Float32 (y, x) in [0, 1], bright particles: the slab averaged with its two neighbours."""
        return np.mean([self._stretched_slice(index) for index in (z - 1, z, z + 1)], axis=0, dtype=np.float32)

    def _stretched_slice(self, index: int) -> np.ndarray:
        index = self._with_sample(_reflected(index, self._volume.shape[0]))
        if index not in self._kept:
            self._kept = {key: image for key, image in self._kept.items() if abs(key - index) <= self._slices}
            slab = self._volume[index]
            check_slab(slab)
            self._kept[index] = stretched(slab, self._parameters, self._valid(index))
        return self._kept[index]

    def _with_sample(self, index: int) -> int:
        """The slice itself, or the nearest one of the stack that shows sample where it shows none: no network shall see a step."""
        near = sorted(range(max(0, index - self._slices), min(self._volume.shape[0], index + self._slices + 1)),
                      key=lambda z: (abs(z - index), z))
        return next((z for z in near if self.valid(z).any()), index)

    def _valid(self, z: int) -> np.ndarray | None:
        """Voxels (y, x) of a slice that show sample; None where all do."""
        invalid = self._volume.grey.invalid
        return self._volume.valid(z) if invalid is not None and invalid.any_in(z, z + 1) else None


def _reflected(index: int, depth: int) -> int:
    """``index`` mirrored at the first and the last slice."""
    if depth == 1:
        return 0
    index = abs(index)
    return index if index < depth else max(0, 2 * (depth - 1) - index)
