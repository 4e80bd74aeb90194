"""What to do when memory runs out: recognise it, free what is cached, ask for less."""
from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace

from ..runtime.errors import MemoryLimitError, is_out_of_memory

__all__ = ["TileSettings", "free_cached_memory", "is_out_of_memory"]
logger = logging.getLogger(__name__)

Triple = tuple[int, int, int]
SMALLEST_EDGE, SMALLEST_CORE = 8, 4  # voxels of a tile and those it steps by; below this nearly all work is done again and again


def free_cached_memory() -> None:
    """Give torch's cached GPU blocks back, so that a smaller request finds room. Does nothing where torch is not in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


@dataclass(frozen=True)
class TileSettings:
    """Tile and overlap in voxels (z, y, x), and how many tiles go through the function at once."""

    tile: Triple
    overlap: Triple
    batch: int = 1

    def with_smaller_batch(self) -> TileSettings:
        """Half the batch."""
        smaller = replace(self, batch=self.batch // 2)
        logger.warning("out of memory with %d tiles of %s voxels at once; going on with %d", self.batch, self.tile, smaller.batch)
        return smaller

    def with_smaller_tile(self, multiple: int, align: Triple = (1, 1, 1)) -> TileSettings:
        """Tiles that step by half as much, at least by ``align``, edges kept multiples of ``multiple``; batch 1.

        The overlap stays: it is what the network needs to see around a voxel, and with less of it results would depend on how much memory
        was free.

        Raises :class:`MemoryLimitError` when no edge can shrink.
        """
        z, y, x = (_halved(edge, overlap, multiple, max(SMALLEST_CORE, step))
                   for edge, overlap, step in zip(self.tile, self.overlap, align))
        if (z, y, x) == self.tile:
            raise MemoryLimitError(f"out of memory even with one tile of {self.tile} voxels", "more free memory",
                                   "close other programs, choose a smaller network, or run on a machine with more memory")
        smaller = TileSettings((z, y, x), self.overlap, 1)
        logger.warning("out of memory with one tile of %s voxels; starting again with tiles of %s, the overlap %s as before",
                       self.tile, smaller.tile, smaller.overlap)
        return smaller


def _halved(edge: int, overlap: int, multiple: int, least: int) -> int:
    """The next smaller edge: its part beside the overlap is halved, as far as multiples allow; at least ``least`` voxels of it are left."""
    smallest = -(-max(SMALLEST_EDGE, overlap + least) // multiple) * multiple
    half = -(-(overlap + (edge - overlap) // 2) // multiple) * multiple
    return min(edge, max(smallest, min(half, edge - multiple)))
