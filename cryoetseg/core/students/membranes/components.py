"""Dropping small connected components of volumes that do not fit into memory."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ...runtime.progress import track
from ...volumes.streaming import release_pages, z_slabs

SLAB_BYTES = 64 * 1024**2  # of the int32 labels of one slab
TOUCHING = np.ones((3, 3, 3), dtype=bool)  # voxels that share a corner belong together: a thin sheet may be oblique


def without_small_components(values: Any, threshold: float, minimum_voxels: int, target: Any) -> int:
    """Write the mask ``values >= threshold`` (z, y, x), without components of fewer than ``minimum_voxels``, into ``target``.

    Both may be memory maps. Slabs are labelled twice, once to measure the components across all slabs, once to write; between
    these only the sizes are kept. Returns the number of voxels written as 1.
    """
    kept = _large(values, threshold, minimum_voxels) if minimum_voxels > 1 else None
    count = first = 0
    for window, labels, components in _labelled(values, threshold, "writing the mask", kept is not None):
        mask = labels > 0 if kept is None else np.concatenate([[False], kept[first:first + components]])[labels]
        target[window] = mask
        count += int(np.count_nonzero(mask))
        first += components
        release_pages(target)
    return count


def _labelled(values: Any, threshold: float, description: str, label: bool = True) -> Iterator[tuple[slice, np.ndarray, int]]:
    """Window, labels from 1 on and their number for each slab; always the same."""
    for window in track(z_slabs(values.shape, 4, SLAB_BYTES), description):
        mask = np.asarray(values[window]) >= threshold
        labels, components = ndimage.label(mask, TOUCHING) if label else (mask, 0)
        yield window, labels, components
        release_pages(values)


def _large(values: Any, threshold: float, minimum_voxels: int) -> np.ndarray:
    """Whether each slab's components, counted through all slabs, belong to one of at least ``minimum_voxels``."""
    sizes, pairs = [np.zeros(0, dtype=np.int64)], [np.zeros((0, 2), dtype=np.int64)]
    first, above = 0, None
    for _, labels, components in _labelled(values, threshold, "measuring components"):
        sizes.append(np.bincount(labels.ravel(), minlength=components + 1)[1:])
        if above is not None:
            pairs.append(contacts(above, numbered(labels[0], first)))
        above = numbered(labels[-1], first)
        first += components
    if first == 0:
        return np.zeros(0, dtype=bool)
    whole = joined(np.concatenate(pairs), first)
    return (np.bincount(whole, np.concatenate(sizes)) >= minimum_voxels)[whole]


def joined(pairs: np.ndarray, count: int) -> np.ndarray:
    """The number, from 0 on, of what each of ``count`` components of slabs belongs to, when ``pairs`` (n, 2) of them touch."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def numbered(plane: np.ndarray, first: int) -> np.ndarray:
    """Labels of a plane counted through all slabs from 0 on; -1 where there is none."""
    return np.where(plane > 0, plane.astype(np.int64) + (first - 1), -1)


def contacts(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of components that touch across two planes, corners included."""
    height, width = above.shape
    padded = np.pad(below, 1, constant_values=-1)
    found = []
    for dy in range(3):
        for dx in range(3):
            other = padded[dy:dy + height, dx:dx + width]
            both = (above >= 0) & (other >= 0)
            found.append(np.unique(np.stack([above[both], other[both]], axis=1), axis=0))
    return np.unique(np.concatenate(found), axis=0)
