"""The tiles of a backbone's training by their places, read on the device of the training where the tomograms fit there."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..training import resident
from ..training.resident import ResidentVolumes
from .training_data import DENSITY_MEAN, LEAST_WIDTH, Pair, TileChoice, cut_tile
from .training_params import TrainBackboneParameters

PER_VOXEL = 4  # bytes


class Tiles:
    """Tiles of ``pairs`` as :func:`.training_data.cut_tile` cuts them, bit for bit."""

    def __init__(self, pairs: Sequence[Pair], parameters: TrainBackboneParameters) -> None:
        self._pairs, self._parameters = list(pairs), parameters
        box = (parameters.slices, parameters.tile_px, parameters.tile_px)
        self._numbers = {number: order for order, number in enumerate(n for n, pair in enumerate(pairs) if pair.density is not None)}
        densities = [pair.density for pair in pairs if pair.density is not None]
        self._pictures = ResidentVolumes([_shape(pair.tomogram) for pair in pairs], box, lambda number: self._pairs[number].tomogram)
        self._densities = ResidentVolumes([_shape(density) for density in densities], box, lambda number: densities[number])
        self.fit = PER_VOXEL * (self._pictures.voxels + self._densities.voxels) <= resident.MOST_BYTES

    def place(self, number: int, choice: TileChoice) -> dict[str, np.ndarray]:
        """What :meth:`gather` takes of a tile of pair ``number``."""
        pair = self._pairs[number]
        if not self.fit:
            picture, target = cut_tile(pair, choice, self._parameters)
            return {"picture": picture, "target": target}
        where = (choice.z, choice.y, choice.x), (False, choice.mirror_y, choice.mirror_x)
        placed = {"tile": self._pictures.place(number, *where), "sign": np.array(choice.sign, np.float32),
                  "limits": pair.limits[choice.z:choice.z + self._parameters.slices]}
        if not self._numbers:
            return placed
        known = number in self._numbers
        density = self._densities.place(self._numbers[number], *where) if known else np.zeros(4, np.int64)
        return {**placed, "density": density, "known": np.array(known)}

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Pictures and targets (batch, slices, y, x)."""
        if not self.fit:
            return places
        black, white = places["limits"][..., None, None].unbind(2)
        sign = places["sign"][:, None, None, None]
        picture = ((self._pictures.read(places["tile"]) - black) / (white - black).clamp_min(LEAST_WIDTH)).clamp(0, 1) * 2 - 1
        target = picture
        if self._numbers:
            density = 2 * (self._densities.read(places["density"]) - DENSITY_MEAN)
            target = torch.where(places["known"][:, None, None, None], density, picture)
        return {"picture": sign * picture, "target": sign * target}


def _shape(volume: np.ndarray) -> tuple[int, int, int]:
    z, y, x = volume.shape
    return z, y, x
