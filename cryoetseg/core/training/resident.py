"""Volumes that lie on the device of a training whole, and the boxes that its items read from them."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch
from torch import Tensor

MOST_BYTES = 1 << 30  # of all that a training keeps on its device; of more, items are read from the files one by one


class ResidentVolumes:
    """Volumes (z, y, x) one after another in one line of memory; ``load`` gives volume number i when it is asked for first.

    ``box`` (z, y, x) are the voxels of what is read at a time.
    """

    def __init__(self, shapes: Sequence[tuple[int, int, int]], box: tuple[int, int, int], load: Callable[[int], np.ndarray]) -> None:
        self._shapes, self._box, self._load = list(shapes), box, load
        self._firsts = np.cumsum([0, *(prod(shape) for shape in self._shapes)])
        self._line: Tensor | None = None

    @property
    def voxels(self) -> int:
        """Voxels of all volumes."""
        return int(self._firsts[-1])

    def place(self, number: int, corner: Sequence[int] | np.ndarray, mirrored: Sequence[bool] | np.ndarray = (False,) * 3) -> np.ndarray:
        """A box in volume ``number`` whose lowest voxel is ``corner`` (z, y, x), mirrored along some axes.

        Int64 (4,): which voxel comes first, and how far it is to the next one along each axis.
        """
        _, height, width = self._shapes[number]
        steps = np.array([height * width, width, 1])
        lowest = np.asarray(corner) + np.where(mirrored, np.array(self._box) - 1, 0)
        return np.array([self._firsts[number] + lowest @ steps, *np.where(mirrored, -steps, steps)])

    def read(self, places: Tensor) -> Tensor:
        """The boxes (batch, z, y, x) at ``places`` (batch, 4), on their device."""
        first, *steps = (column[:, None, None, None] for column in places.unbind(1))
        z, y, x = (torch.arange(side, device=places.device) for side in self._box)
        index = first + z[:, None, None] * steps[0] + y[:, None] * steps[1] + x * steps[2]
        return self._on(places.device)[index]

    def _on(self, device: torch.device) -> Tensor:
        if self._line is None:
            self._line = torch.from_numpy(np.concatenate([np.ravel(self._load(number)) for number in range(len(self._shapes))]))
        self._line = self._line.to(device)
        return self._line
