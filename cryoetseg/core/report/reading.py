"""A picture of how a tomogram is read: what is taken as invalid, and what as ice beside the sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..volumes.cleaned import CleanedView
from ..volumes.sample import SampleRegion, find_sample
from .figures import SKY, VERMILION, draw_orthogonal, new_figure, save_figure

INVALID, BESIDE = 1, 2
COLOURS = (VERMILION, SKY)
INCHES = 9.0


class ReadingLabels:
    """int8 (z, y, x), made where it is sliced: :data:`INVALID` voxels, valid ones :data:`BESIDE` the sample, 0 elsewhere."""

    def __init__(self, view: CleanedView, region: SampleRegion | None) -> None:
        self._view, self._region, self.shape = view, region, view.shape

    def __getitem__(self, key: Any) -> np.ndarray:
        """Planes of the first axis, by number or by slice."""
        valid = self._view.valid(key)
        return np.where(valid, BESIDE * ~self._sample(key), INVALID).astype(np.int8)

    def _sample(self, key: Any) -> np.ndarray:
        """Bool of the shape at ``key``; all of it where sample and ice cannot be told apart."""
        planes = np.arange(self.shape[0])[key]
        if self._region is None:
            return np.ones((*planes.shape, *self.shape[1:]), dtype=bool)
        z, y, x = (np.minimum(np.arange(size) // self._region.side, cells - 1)
                   for size, cells in zip(self.shape, self._region.mask.shape))
        return self._region.mask[z[planes][..., None, None], y[:, None], x]


def draw_reading(view: CleanedView, voxel_size: float, path: Path) -> None:
    """Draw three planes through the middle of the sample, as methods see them: invalid voxels red, ice beside the sample blue."""
    region = find_sample(view.grey)
    depth, height, width = view.shape
    middle = sum(region.z_range) // 2 if region else depth // 2
    figure = new_figure(INCHES, INCHES * (depth + height) / (depth + width))
    draw_orthogonal(figure, view, ReadingLabels(view, region), centre=[middle, height // 2, width // 2], voxel_size=voxel_size,
                    mask_colours=COLOURS)
    sample = "sample and ice not told apart"
    if region is not None:
        sample = f"sample in slices {region.z_range[0]} to {region.z_range[1] - 1}, beside it blue"
    figure.suptitle(f"invalid (red): {view.grey.invalid_share:.1%} of the voxels; {sample}", fontsize="small")
    save_figure(path, figure)
