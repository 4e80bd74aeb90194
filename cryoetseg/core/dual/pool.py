"""A pool of earlier fakes that the discriminators are shown again (a stabiliser, spec C5)."""
from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..training.task import Step


class ReplayPool:
    """Keeps ``size`` volumes. Half of the fakes shown are exchanged for earlier ones once the pool is full; 0 shows all as they are.

    Several processes have one pool, of which each keeps a copy: all see the fakes of all, and exchange them alike.
    """

    def __init__(self, size: int) -> None:
        self._size, self._filled = size, 0
        self._kept = torch.zeros(0)

    def exchange(self, fakes: Tensor, step: Step) -> Tensor:
        """What to show in place of ``fakes`` (batch, 1, z, y, x)."""
        if not self._size:
            return fakes
        return step.own(self._exchanged(step.whole(fakes), step.for_all()))

    def _exchanged(self, fakes: Tensor, step: Step) -> Tensor:
        kept = self._room_like(fakes)
        exchanged = step.uniform(fakes[:, 0, 0, 0, 0]) < 0.5
        places = step.integers(self._size, fakes)
        shown = []
        for fake, swap, place in zip(fakes.split(1), exchanged.split(1), places.split(1)):
            if self._filled < self._size:
                kept[self._filled] = fake[0]
                self._filled += 1
                shown.append(fake)
                continue
            earlier = kept.index_select(0, place)  # where the place lies is known to the device alone
            kept.index_copy_(0, place, torch.where(swap, fake, earlier))
            shown.append(torch.where(swap, earlier, fake))
        return torch.cat(shown)

    def _room_like(self, fakes: Tensor) -> Tensor:
        """The pool on the device of ``fakes``."""
        if not self._kept.numel():
            self._kept = fakes.new_zeros(self._size, *fakes.shape[1:])
        self._kept = self._kept.to(fakes.device)
        return self._kept

    def state(self) -> Mapping[str, Tensor]:
        """The pool's volumes, for the checkpoint."""
        return {"pool": self._kept[:self._filled]}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` gave, on whatever device the training goes on."""
        kept = state["pool"]
        self._filled = len(kept)
        self._kept = torch.cat([kept, kept.new_zeros(self._size - len(kept), *kept.shape[1:])]) if len(kept) else kept
