"""One noise field for a whole volume, made block by block when it is looked at (spec C8).

Were noise drawn anew for every tile, blended tiles would average different noise and lose variance.
"""
from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn

from ..runtime.seeds import torch_generator
from .networks import LinearFilter, NoiseDecoder, permute_voxels

BLOCKS_KEPT = 1024


class NoiseField:
    """White noise (z, y, x) without end: each block has a code of its own, drawn from the seed and the block's place, and is permuted."""

    def __init__(self, decoder: NoiseDecoder, seed: int, device: torch.device) -> None:
        self.side, self._decoder, self._seed, self._device = decoder.block, decoder.eval(), seed, device
        self._block = lru_cache(maxsize=BLOCKS_KEPT)(self._make)

    def window(self, window: tuple[slice, ...]) -> np.ndarray:
        """The field in a window (z, y, x) of non-negative places."""
        field = np.empty([part.stop - part.start for part in window], dtype=np.float32)
        spans = [range(part.start // self.side, -(-part.stop // self.side)) for part in window]
        for index in product(*spans):
            first = [number * self.side for number in index]
            bounds = [(max(part.start, a), min(part.stop, a + self.side)) for part, a in zip(window, first)]
            here = tuple(slice(low - part.start, high - part.start) for (low, high), part in zip(bounds, window))
            field[here] = self._block(index)[tuple(slice(low - a, high - a) for (low, high), a in zip(bounds, first))]
        return field

    def _make(self, index: tuple[int, ...]) -> np.ndarray:
        generator = torch_generator(self._seed, "noise field", *index)
        codes = torch.randn(self._decoder.code_shape(1), generator=generator)
        order = torch.rand((1, 1) + (self.side,) * 3, generator=generator)
        with torch.inference_mode():
            mask = self._decoder(codes.to(self._device)).float().cpu()
        return permute_voxels(mask, order)[0, 0].numpy()


class NoisyDensity:
    """A density view, transferred and with ``strength`` times the noise field added where it is sliced: S v + P[G_n(z)]."""

    def __init__(self, density: Any, transfer: nn.Module, decoder: NoiseDecoder, seed: int, device: torch.device,
                 strength: float = 1.0) -> None:
        self.shape, self.dtype = density.shape, np.dtype(np.float32)
        self._density, self._transfer, self._device = density, transfer.eval(), device
        self._field, self._strength = NoiseField(decoder, seed, device), np.float32(strength)
        self._mmap, self.mode = getattr(density, "_mmap", None), getattr(density, "mode", "c")

    def __getitem__(self, window: Any) -> np.ndarray:
        full = tuple(slice(*part.indices(side)[:2]) for part, side in zip(window, self.shape))
        return self._transferred(full) + self._strength * self._field.window(full)

    def _transferred(self, window: tuple[slice, ...]) -> np.ndarray:
        """The transferred density in a window. The filter sees as much around it as it reaches, so that no window shows."""
        reach = self._transfer.radius if isinstance(self._transfer, LinearFilter) else 0
        seen = tuple(slice(max(part.start - reach, 0), min(part.stop + reach, side)) for part, side in zip(window, self.shape))
        with torch.inference_mode():
            volume = torch.from_numpy(np.ascontiguousarray(self._density[seen], dtype=np.float32))[None, None].to(self._device)
            whole = self._transfer(volume)[0, 0].cpu().numpy()
        return whole[tuple(slice(part.start - around.start, part.stop - around.start) for part, around in zip(window, seen))]
