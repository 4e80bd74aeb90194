"""The cubes that a generator learns from, ready on its device where all of them fit there."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..training import resident
from .data import Padding, Particles, half_turn

PER_VOXEL = 4  # bytes


class Cubes:
    """Standardised cubes of side ``box`` around ``particles``."""

    def __init__(self, particles: Particles, box: int, padding: Padding) -> None:
        self._particles, self._box, self._padding = particles, box, padding
        self.fit = PER_VOXEL * len(particles) * box**3 <= resident.MOST_BYTES
        self._kept: Tensor | None = None

    def cut(self, row: int, turned: bool) -> np.ndarray:
        """The cube (1, z, y, x) of particle ``row``, cut by the host, by half a turn about y where ``turned`` says so."""
        cube = self._particles.patch(row, self._box, self._padding)
        return (half_turn(cube) if turned else cube)[None]

    def place(self, row: int, turned: bool) -> dict[str, np.ndarray]:
        """What :meth:`gather` takes of a particle."""
        return {"row": np.array(row), "turned": np.array(turned)} if self.fit else {"clean": self.cut(row, turned)}

    def gather(self, places: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cubes (batch, 1, z, y, x)."""
        if not self.fit:
            return {"clean": places["clean"]}
        cubes = self._on(places["row"].device)[places["row"]]
        return {"clean": torch.where(places["turned"][:, None, None, None], _half_turns(cubes), cubes)[:, None]}

    def _on(self, device: torch.device) -> Tensor:
        if self._kept is None:
            self._kept = torch.from_numpy(self._particles.patches(self._box, self._padding))
        self._kept = self._kept.to(device)
        return self._kept


def _half_turns(cubes: Tensor) -> Tensor:
    """:func:`.data.half_turn` of each of the cubes (batch, z, y, x)."""
    return cubes.flip(1, 3).roll([1 - cubes.shape[axis] % 2 for axis in (1, 3)], (1, 3))
