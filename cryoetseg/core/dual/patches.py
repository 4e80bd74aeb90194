"""Patches of several domains by their places, read on the device of the training where the volumes fit there."""
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
from torch import Tensor

from ..training import resident
from ..training.resident import ResidentVolumes
from ..training.task import TrainingTask
from .data import Domain, Place

PER_VOXEL = 4  # bytes


class Patches:
    """``domains`` by the names that their patches have in a batch."""

    def __init__(self, **domains: Domain) -> None:
        self._domains = domains
        self._kept = {name: _kept(domain) for name, domain in domains.items()}
        self.fit = PER_VOXEL * sum(volumes.voxels for volumes in self._kept.values()) <= resident.MOST_BYTES

    def cut(self, drawn: Mapping[str, Place]) -> dict[str, np.ndarray]:
        """A patch (1, z, y, x) of each domain, cut by the host."""
        return {name: self._domains[name].cut(place) for name, place in drawn.items()}

    def place(self, drawn: Mapping[str, Place]) -> dict[str, np.ndarray]:
        """What :meth:`gather` takes of a place in each domain."""
        if not self.fit:
            return self.cut(drawn)
        return {name: self._kept[name].place(place.volume, place.corner, (place.turned, False, place.turned))
                for name, place in drawn.items()}

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Patches (batch, 1, z, y, x) of each domain."""
        if not self.fit:
            return places
        return {name: self._kept[name].read(own)[:, None] for name, own in places.items()}


def _kept(domain: Domain) -> ResidentVolumes:
    return ResidentVolumes([view.shape for view in domain.views], (domain.patch,) * 3, lambda number: domain.views[number][:, :, :])


class PatchTask(TrainingTask):
    """A training whose items are patches of domains at places that the host draws."""

    patches: Patches

    @abstractmethod
    def drawn(self, index: int, generator: np.random.Generator) -> dict[str, Place]:
        """The places of item ``index``, by the names of the domains."""

    def item(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        return self.patches.cut(self.drawn(index, generator))

    def place(self, index: int, generator: np.random.Generator) -> Mapping[str, np.ndarray]:
        return self.patches.place(self.drawn(index, generator))

    def gather(self, places: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return self.patches.gather(places)
