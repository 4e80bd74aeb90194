"""The slices that a membrane training learns from, ready on its device, and where the crops lie in them."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...training import resident
from .data import LabelledTomogram

PER_VOXEL = 5  # bytes
MEMBRANE, COUNTS = 1, 2  # bits of a target


class Layout(NamedTuple):
    """Planes of one tomogram: their slice numbers, height and width, and how many voxels lie before the first one."""

    slices: np.ndarray
    height: int
    width: int
    first: int

    def start(self, z: int, start_yx: Sequence[int]) -> int:
        """Place of the voxel ``start_yx`` of slice ``z``; of slices that are not kept that of the nearest."""
        plane = min(int(np.searchsorted(self.slices, z)), len(self.slices) - 1)
        return self.first + (plane * self.height + start_yx[0]) * self.width + start_yx[1]


class Planes:
    """Slices of tomograms with crops of ``side`` pixels that see ``reach`` slices to both sides of a training slice.

    ``crops`` is how many the whole training shows: where they have fewer pixels than the slices, these are not made whole.
    """

    def __init__(self, tomograms: Sequence[LabelledTomogram], side: int, reach: int, crops: int) -> None:
        self._tomograms, self._side = tomograms, side
        self._layouts: list[Layout] = []
        self._kept: tuple[Tensor, Tensor] | None = None
        first = 0
        for tomogram in tomograms:
            layout = self._layout(tomogram, reach, first)
            self._layouts.append(layout)
            first += len(layout.slices) * layout.height * layout.width
        self.fit = first * PER_VOXEL <= resident.MOST_BYTES and first <= crops * side**2

    def _layout(self, tomogram: LabelledTomogram, reach: int, first: int) -> Layout:
        depth, *sizes = tomogram.view.shape
        near = (tomogram.training[:, None] + np.arange(-reach, reach + 1)).clip(0, depth - 1)
        # a crop of a small tomogram reaches beyond its end
        height, width = (max(size, span.start + self._side) for size, span in zip(sizes, tomogram.volume.sample_box[1:]))
        return Layout(np.unique(near), height, width, first)

    def place(self, number: int, image: Sequence[int], target: Sequence[int], start: Sequence[int]) -> dict[str, np.ndarray]:
        """Where the crop from ``start`` (y, x) on lies in tomogram ``number``, of the slices ``image`` and ``target``.

        Of planes that are not kept, the crop itself.
        """
        tomogram, layout = self._tomograms[number], self._layouts[number]
        taught = np.isin(target, tomogram.training)
        if self.fit:
            starts = {name: np.array([layout.start(z, start) for z in numbers]) for name, numbers in (("image", image), ("target", target))}
            return {**starts, "width": np.array(layout.width), "taught": taught}
        shape = (self._side, self._side)
        low, high = min(image), max(image)
        return {"image": tomogram.view.crop((low, *start), (high - low + 1, *shape))[np.asarray(image) - low],
                "target": np.stack([_codes(tomogram, z, start, shape) if known else np.zeros(shape, np.uint8)
                                    for z, known in zip(target, taught)]), "taught": taught}

    def crops(self, places: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Grey values (batch, slices, y, x), labels of 0 and 1 and weights (batch, slices of the target, y, x), float32."""
        image, target = places["image"], places["target"]
        if self.fit:
            grey, codes = self._on(image.device)
            axis = torch.arange(self._side, device=image.device)
            inner = axis[:, None] * places["width"][:, None, None] + axis
            image, target = grey[image[..., None, None] + inner[:, None]], codes[target[..., None, None] + inner[:, None]]
        target = target * places["taught"][..., None, None]
        return image, (target & MEMBRANE).float(), (target >= COUNTS).float()

    def _on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """All planes in one line on the device of the training: grey values, and codes of the targets."""
        if self._kept is None:
            voxels = sum(len(layout.slices) * layout.height * layout.width for layout in self._layouts)
            grey, codes = np.empty(voxels, np.float32), np.zeros(voxels, np.uint8)
            for tomogram, layout in zip(self._tomograms, self._layouts):
                shape = (layout.height, layout.width)
                for z in layout.slices.tolist():
                    window = slice(layout.start(z, (0, 0)), layout.start(z, (0, 0)) + layout.height * layout.width)
                    grey[window] = tomogram.view.crop((z, 0, 0), (1, *shape)).ravel()
                    if z in tomogram.training:
                        codes[window] = _codes(tomogram, z, (0, 0), shape).ravel()
            self._kept = torch.from_numpy(grey), torch.from_numpy(codes)
        if self._kept[0].device != device:
            self._kept = self._kept[0].to(device), self._kept[1].to(device)
        return self._kept


def _codes(tomogram: LabelledTomogram, z: int, start: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    target = tomogram.targets.plane(z, start, shape)
    return (MEMBRANE * (target.labels > 0) + COUNTS * (target.weights > 0)).astype(np.uint8)
