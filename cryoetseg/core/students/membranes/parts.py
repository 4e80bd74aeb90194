"""The membranes of a mask, each by itself, kept as their voxels alone: what a click points at and what is taken out or put in.

Also imported by Scipion's own interpreter: valid Python 3.8.
"""
from __future__ import annotations

from typing import Any, Callable, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ...volumes.streaming import release_pages, z_slabs
from .components import SLAB_BYTES, TOUCHING, contacts, joined, numbered

Slab = Callable[[slice], np.ndarray]
_NONE = np.zeros(0, dtype=np.int64)


class Parts(NamedTuple):
    """Voxels of a volume of ``shape`` (z, y, x): ``places`` (n,) in its flattened order, ascending, and ``numbers`` (n,) of their parts.

    Numbers count from 1. ``are_numbered`` says that the volume itself holds them, not only 0 and 1.
    """

    shape: Tuple[int, int, int]
    places: np.ndarray
    numbers: np.ndarray
    are_numbered: bool = False

    @property
    def largest_number(self) -> int:
        """The largest number of a part; 0 where there is none."""
        return int(self.numbers.max(initial=0))

    def at(self, place: Sequence[float], reach: float = 0.0) -> Optional[int]:
        """The part nearest to a ``place`` (z, y, x) in voxels, at most ``reach`` voxels away; None where there is none."""
        centre, margin = np.rint(place).astype(int), int(np.ceil(reach))
        box = [np.arange(max(0, middle - margin), min(size, middle + margin + 1)) for middle, size in zip(centre, self.shape)]
        around = np.stack(np.meshgrid(*box, indexing="ij"), axis=-1).reshape(-1, 3)
        distances = np.linalg.norm(around - centre, axis=1)
        order = np.argsort(distances, kind="stable")
        order = order[distances[order] <= reach]
        found = self.numbers_of(np.ravel_multi_index(tuple(around[order].T), self.shape))
        return int(found[np.argmax(found > 0)]) if found.any() else None

    def numbers_of(self, places: np.ndarray) -> np.ndarray:
        """The parts (n,) that voxels (n,) of the flattened volume belong to; 0 for none."""
        rows = np.searchsorted(self.places, places)
        known = np.append(self.places, -1)[rows] == places
        return np.where(known, np.append(self.numbers, 0)[rows], 0)

    def plane(self, axis: int, index: int) -> np.ndarray:
        """The numbers in the plane ``index`` across ``axis``, rows and columns as in the volume; 0 where there is no part."""
        rest = [size for other, size in enumerate(self.shape) if other != axis]
        if axis == 0:
            first, end = np.searchsorted(self.places, [index * rest[0] * rest[1], (index + 1) * rest[0] * rest[1]])
            chosen = np.arange(first, end)
        else:
            step = int(np.prod(self.shape[axis + 1:]))
            chosen = np.flatnonzero(self.places // step % self.shape[axis] == index)
        positions = np.unravel_index(self.places[chosen], self.shape)
        picture = np.zeros(rest, dtype=np.int64)
        picture[tuple(positions[other] for other in range(3) if other != axis)] = self.numbers[chosen]
        return picture

    def voxels_of(self, numbers: Sequence[int]) -> np.ndarray:
        """The places (n,) of all voxels of some parts."""
        return self.places[np.isin(self.numbers, np.asarray(list(numbers), dtype=np.int64))]


def parts_of_mask(mask: Any) -> Parts:
    """The membranes of a mask (z, y, x): its connected parts, or, where it holds more numbers than 0 and 1, one for each number."""
    by_number = _by_number(mask)
    if by_number.largest_number > 1:
        return by_number
    return connected_parts(mask.shape, lambda window: np.asarray(mask[window]) > 0, mask)


def parts_beside(probability: Any, threshold: float, mask: Any) -> Parts:
    """The connected parts of what is not in the ``mask`` and whose ``probability`` (both z, y, x) reaches a threshold."""
    return connected_parts(mask.shape, lambda window: (np.asarray(probability[window]) >= threshold) & (np.asarray(mask[window]) == 0),
                           probability, mask)


def connected_parts(shape: Sequence[int], covered: Slab, *read: Any) -> Parts:
    """Connected parts, corners included, of a volume (z, y, x) whose slabs ``covered`` gives as bool; ``read`` are the maps behind it."""
    places, numbers = [_NONE], [_NONE]
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    first, above = 0, None
    for window in z_slabs(shape, 4, SLAB_BYTES):
        labels, count = ndimage.label(covered(window), TOUCHING)
        inside = np.flatnonzero(labels)
        places.append(inside + window.start * shape[1] * shape[2])
        numbers.append(numbered(labels.ravel()[inside], first))
        if above is not None:
            pairs.append(contacts(above, numbered(labels[0], first)))
        above = numbered(labels[-1], first)
        first += count
        for volume in read:
            release_pages(volume)
    whole = joined(np.concatenate(pairs), first) + 1 if first else _NONE
    return Parts((shape[0], shape[1], shape[2]), np.concatenate(places), whole[np.concatenate(numbers)].astype(np.int32))


def _by_number(mask: Any) -> Parts:
    """Each number of a mask as a part."""
    places, numbers = [_NONE], [_NONE]
    for window in z_slabs(mask.shape, 4, SLAB_BYTES):
        slab = np.asarray(mask[window]).ravel()
        inside = np.flatnonzero(slab > 0)
        places.append(inside + window.start * mask.shape[1] * mask.shape[2])
        numbers.append(slab[inside])
        release_pages(mask)
    return Parts((mask.shape[0], mask.shape[1], mask.shape[2]), np.concatenate(places), np.concatenate(numbers).astype(np.int32), True)
