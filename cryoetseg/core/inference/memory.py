"""What to do when memory runs out: recognise it, free what is cached, ask for less."""
from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, replace

from ..runtime.errors import MemoryLimitError, is_out_of_memory

__all__ = ["TileSettings", "free_cached_memory", "is_out_of_memory"]
logger = logging.getLogger(__name__)

Triple = tuple[int, int, int]
SMALLEST_EDGE = 8  # voxels; below this a tile is nearly all border


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

    def with_smaller_tile(self, multiple: int) -> TileSettings:
        """Half the tile's edges, kept multiples of ``multiple``, the overlap at most half of them; batch 1.

        Raises :class:`MemoryLimitError` when no edge can shrink.
        """
        z, y, x = (_halved(edge, multiple) for edge in self.tile)
        if (z, y, x) == self.tile:
            raise MemoryLimitError(f"out of memory even with one tile of {self.tile} voxels", "more free memory",
                                   "close other programs, choose a smaller network, or run on a machine with more memory")
        oz, oy, ox = (min(old, edge // 2) for old, edge in zip(self.overlap, (z, y, x)))
        smaller = TileSettings((z, y, x), (oz, oy, ox), 1)
        logger.warning("out of memory with one tile of %s voxels; starting again with tiles of %s, overlap %s",
                       self.tile, smaller.tile, smaller.overlap)
        return smaller


def _halved(edge: int, multiple: int) -> int:
    smallest = max(SMALLEST_EDGE, multiple)
    half = -(-edge // (2 * multiple)) * multiple
    return min(edge, max(smallest, half))
