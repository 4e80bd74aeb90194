"""The part of each tomogram that a picker's training looks at, with its labels, ready on the device."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ...training import resident
from ...training.resident import ResidentVolumes
from .augmentation import draw_mirrors
from .data import Crops, LabelledVolume, Triple, crop_start
from .params import TrainPickerParameters

PER_VOXEL = 6  # bytes: float32 and int16
FAR = 1 << 30  # voxels, beyond every tomogram


class Boxes:
    """The same crops as :class:`.data.Crops` cuts. ``fit`` tells whether they can be had: not of tomograms that are too large to be
    kept, and not warped, which takes splines."""

    def __init__(self, crops: Crops, parameters: TrainPickerParameters) -> None:
        self._crops, self._side, self._kind = crops, parameters.patch_px, parameters.augmentation
        self._windows = [self._window(item) for item in crops.volumes]
        shapes = [shape for _, shape in self._windows]
        box = (parameters.patch_px,) * 3
        self._grey = ResidentVolumes(shapes, box, lambda number: crops.volumes[number].volume.crop(*self._windows[number]))
        self._labels = ResidentVolumes(shapes, box, lambda number: crops.labels(crops.volumes[number], *self._windows[number]))
        self.fit = parameters.augmentation != "published" and PER_VOXEL * self._grey.voxels <= resident.MOST_BYTES

    def _window(self, item: LabelledVolume) -> tuple[Triple, Triple]:
        """First voxel and shape of what crops can reach: their centres are at most a side from the labelled slices."""
        first, last = item.z_range
        low, high = (crop_start((z, yx, yx), self._side, item.volume.sample_box)
                     for z, yx in ((first - self._side, -FAR), (last + self._side, FAR)))
        return low, (high[0] - low[0] + self._side, high[1] - low[1] + self._side, high[2] - low[2] + self._side)

    def place(self, index: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Where crop ``index`` lies and how it is mirrored."""
        number, start = self._crops.window(index, generator)
        corner = np.asarray(start) - self._windows[number][0]
        return {"place": self._grey.place(number, corner, draw_mirrors(self._kind, generator))}

    def crops(self, places: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Grey values (batch, 1, n, n, n) and labels (batch, 1, n, n, n) int64 of drawn places."""
        return {"volume": self._grey.read(places["place"])[:, None],
                "labels": self._labels.read(places["place"])[:, None].long()}
