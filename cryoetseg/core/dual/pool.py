"""A pool of earlier fakes that the discriminators are shown again (a stabiliser, spec C5)."""
from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..training.task import Step


class ReplayPool:
    """Keeps ``size`` volumes. Half of the fakes shown are exchanged for earlier ones once the pool is full; 0 shows all as they are."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = torch.zeros(0)

    def exchange(self, fakes: Tensor, step: Step) -> Tensor:
        """What to show in place of ``fakes`` (batch, 1, z, y, x)."""
        if not self._size:
            return fakes
        chance, places = step.uniform(torch.zeros(len(fakes))), step.integers(self._size, torch.zeros(len(fakes)))
        shown = []
        for fake, odds, place in zip(fakes, chance.tolist(), places.tolist()):
            if len(self._kept) < self._size:
                self._kept = fake[None].clone() if not len(self._kept) else torch.cat([self._kept, fake[None]])
                shown.append(fake)
            elif odds < 0.5:
                shown.append(self._kept[place].clone())
                self._kept[place] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)

    def state(self) -> Mapping[str, Tensor]:
        """The pool's volumes, for the checkpoint."""
        return {"pool": self._kept}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave."""
        self._kept = state["pool"]
