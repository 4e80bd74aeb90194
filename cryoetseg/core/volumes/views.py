"""Volumes changed while they are read: nothing of them is held."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class ChangedView:
    """The slices ``first`` to ``last`` of a (z, y, x) array-like, float32, as ``change`` makes each window of them when it is sliced.

    ``change`` takes and gives a float32 array of one shape and treats every voxel by itself.
    """

    ndim, dtype = 3, np.dtype(np.float32)

    def __init__(self, volume: Any, change: Callable[[np.ndarray], np.ndarray], first: int = 0, last: int | None = None) -> None:
        self._volume, self._change, self._first = volume, change, first
        self.shape = ((volume.shape[0] if last is None else last) - first, *volume.shape[1:])
        self._mmap, self.mode = getattr(volume, "_mmap", None), getattr(volume, "mode", "c")  # lets release_pages reach the map

    def __getitem__(self, window: slice | tuple[slice, ...]) -> np.ndarray:
        z, *plane = window if isinstance(window, tuple) else (window,)
        start, stop, step = z.indices(self.shape[0])
        values = self._volume[(slice(start + self._first, stop + self._first, step), *plane)]
        return self._change(np.asarray(values, np.float32))
