"""Windows on volumes that are not read before they are sliced."""
from __future__ import annotations

from typing import Any

import numpy as np

from ..volumes.contrast import particles_bright


class SlabView:
    """The z slices ``first`` to ``last`` of an array-like volume (z, y, x); as booleans where a ``threshold`` is given."""

    def __init__(self, volume: Any, first: int = 0, last: int | None = None, threshold: float | None = None) -> None:
        last = volume.shape[0] if last is None else last
        self._volume, self._first, self._threshold = volume, first, threshold
        self._mmap, self.mode = getattr(volume, "_mmap", None), getattr(volume, "mode", "c")  # lets release_pages reach the map
        self.shape = (last - first, *volume.shape[1:])
        self.ndim = 3
        self.dtype = np.dtype(bool) if threshold is not None else volume.dtype

    def __getitem__(self, window: slice | tuple[slice, ...]) -> np.ndarray:
        z, *plane = window if isinstance(window, tuple) else (window,)
        start, stop, _ = z.indices(self.shape[0])
        values = np.asarray(self._volume[(slice(start + self._first, stop + self._first), *plane)])
        return values if self._threshold is None else values > self._threshold


class BrightView(SlabView):
    """The z slices of a volume as float32 with bright particles; ``contrast`` tells how they look in it."""

    def __init__(self, volume: Any, contrast: str, first: int = 0, last: int | None = None) -> None:
        super().__init__(volume, first, last)
        self._contrast, self.dtype = contrast, np.dtype(np.float32)

    def __getitem__(self, window: slice | tuple[slice, ...]) -> np.ndarray:
        return particles_bright(super().__getitem__(window), self._contrast)
