"""From class maps to particles: connected voxels or mean shift, the class by vote, limits of size for each class.

Both ways stream: a class map may be larger than memory.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from skimage.measure import label
from sklearn.cluster import MeanShift

from ...runtime.progress import track
from ...volumes.streaming import release_pages, z_slabs
from ...volumes.tiles import plan_tiles

BLOCK = 96  # voxels, side of the blocks of mean shift
HALO_RADII = 4  # how far a block looks beyond its core, in cluster radii
SLAB_VOXELS = 16 * 1024**2
CORNERS = 3  # connectivity: voxels that touch at a corner are connected
SPLIT_FROM = 1.6  # times the usual volume: two touching particles have 2
LARGEST_BOX = 64 * 1024**2  # voxels of a group that is read at once to be cut apart


@dataclass(frozen=True)
class Clusters:
    """``n`` groups of voxels: centres (n, 3), votes (n, classes + 1) voxels of each class, scores (n, classes + 1) summed confidence."""

    zyx: np.ndarray
    votes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.zyx)

    @property
    def voxels(self) -> np.ndarray:
        """Voxels of each group."""
        return self.votes.sum(axis=1)

    @property
    def classes(self) -> np.ndarray:
        """The class with most voxels; the smaller number when equal."""
        return self.votes[:, 1:].argmax(axis=1) + 1 if len(self) else np.zeros(0, np.int64)

    @property
    def score(self) -> np.ndarray:
        """Confidence of the winning class, summed over its voxels and divided by all voxels of the group: 0 to 1."""
        return self.scores[np.arange(len(self)), self.classes] / np.maximum(self.voxels, 1)


def join(parts: Sequence[Clusters], classes: int) -> Clusters:
    """All groups of several parts."""
    empty = Clusters(np.zeros((0, 3)), np.zeros((0, classes + 1)), np.zeros((0, classes + 1)))
    return Clusters(*(np.concatenate([getattr(part, name) for part in [empty, *parts]]) for name in ("zyx", "votes", "scores")))
@dataclass(frozen=True)
class Components:
    """Connected groups with the corners of their boxes (n, 3), ``high`` not included, and the flat index of a voxel of each."""

    clusters: Clusters
    low: np.ndarray
    high: np.ndarray
    seed: np.ndarray


def connected_groups(class_map: Any, confidence: Any, classes: int, *, by_class: bool = False) -> Components:
    """Connected voxels above 0 of a class map (z, y, x), those of equal class only with ``by_class``. Exact, slab by slab.

    ``confidence`` (z, y, x) in percent, or None for 100. Holds one slab and one row of numbers per group.
    """
    rows: list[np.ndarray] = []
    links: list[np.ndarray] = []
    count, face, face_values = 0, None, None
    for window in track(z_slabs(class_map.shape, 1, SLAB_VOXELS), "connected voxels"):
        values = np.asarray(class_map[window])
        found, number = label(values if by_class else values > 0, background=0, return_num=True, connectivity=CORNERS)
        percent = None if confidence is None else np.asarray(confidence[window])
        rows.append(_measure(found, number, values, percent, window.start, classes))
        if face is not None:
            links.append(_touching(face, face_values, np.where(found[0] > 0, found[0] + count, 0), values[0] if by_class else None))
        face, face_values = np.where(found[-1] > 0, found[-1] + count, 0), values[-1] if by_class else None
        count += number
        for array in (class_map, confidence):
            release_pages(array)
    return _merged(np.concatenate(rows), np.concatenate([np.zeros((0, 2), np.int64), *links]), classes)


def _measure(found: np.ndarray, number: int, values: np.ndarray, percent: np.ndarray | None, first: int, classes: int) -> np.ndarray:
    """One row per group: sums of z, y, x; low and high corner; flat index of its first voxel; votes; scores."""
    flat = np.flatnonzero(found)
    group, value = found.ravel()[flat] - 1, values.ravel()[flat].astype(np.int64)
    zyx = np.stack(np.unravel_index(flat, found.shape), axis=1) + np.array([first, 0, 0])
    weight = np.ones(len(flat)) if percent is None else percent.ravel()[flat] / 100
    sums = np.stack([np.bincount(group, zyx[:, axis], number) for axis in range(3)], axis=1)
    low, high = np.full((number, 3), np.inf), np.zeros((number, 3))
    np.minimum.at(low, group, zyx)
    np.maximum.at(high, group, zyx + 1)
    seed = np.full(number, np.inf)
    np.minimum.at(seed, group, flat + first * found[0].size)
    cell, cells = group * (classes + 1) + value, number * (classes + 1)
    votes = np.bincount(cell, minlength=cells).reshape(number, classes + 1)
    return np.concatenate([sums, low, high, seed[:, None], votes, np.bincount(cell, weight, cells).reshape(number, classes + 1)], axis=1)


def _touching(before: np.ndarray, before_values: np.ndarray | None, after: np.ndarray, after_values: np.ndarray | None) -> np.ndarray:
    """Pairs (n, 2) of group numbers, counted from 1, that touch across two neighbouring planes, also at corners."""
    height, width = before.shape
    pairs = []
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            a = (slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx)))
            b = (slice(max(0, -dy), height + min(0, -dy)), slice(max(0, -dx), width + min(0, -dx)))
            both = (before[a] > 0) & (after[b] > 0)
            if before_values is not None and after_values is not None:
                both &= before_values[a] == after_values[b]
            pairs.append(np.stack([before[a][both], after[b][both]], axis=1))
    return np.unique(np.concatenate(pairs), axis=0)


def _merged(rows: np.ndarray, links: np.ndarray, classes: int) -> Components:
    """Groups of slabs joined where they touch."""
    graph = coo_matrix((np.ones(len(links)), (links[:, 0] - 1, links[:, 1] - 1)), shape=(len(rows), len(rows)))
    number, owner = connected_components(graph, directed=False)
    total, low, high = np.zeros((number, rows.shape[1])), np.full((number, 4), np.inf), np.zeros((number, 3))
    np.add.at(total, owner, rows)
    np.minimum.at(low, owner, rows[:, [3, 4, 5, 9]])
    np.maximum.at(high, owner, rows[:, 6:9])
    votes, scores = total[:, 10:11 + classes], total[:, 11 + classes:]
    zyx = total[:, :3] / np.maximum(votes.sum(axis=1), 1)[:, None]
    return Components(Clusters(zyx, votes, scores), low[:, :3].astype(int), high.astype(int), low[:, 3].astype(np.int64))


def object_sizes(labels: Sequence[Any]) -> dict[int, int]:
    """Median number of voxels of the connected objects of each class in label volumes (z, y, x); streams."""
    sizes: dict[int, list[np.ndarray]] = {}
    for volume in labels:
        classes = max(int(np.asarray(volume[window]).max()) for window in z_slabs(volume.shape))
        groups = connected_groups(volume, None, classes, by_class=True).clusters
        for value in np.unique(groups.classes).tolist():
            sizes.setdefault(value, []).append(groups.voxels[groups.classes == value])
    return {value: int(np.median(np.concatenate(parts))) for value, parts in sorted(sizes.items())}


def split_large(groups: Components, class_map: Any, confidence: Any, sizes: Mapping[int, int]) -> Clusters:
    """Cut groups of more than SPLIT_FROM times the usual size of their class apart by mean shift with the radius of such an object."""
    classes = groups.clusters.votes.shape[1] - 1
    usual = np.array([sizes.get(value, np.inf) for value in groups.clusters.classes.tolist()], dtype=float)
    boxes = np.prod(groups.high - groups.low, axis=1)
    large = (groups.clusters.voxels > SPLIT_FROM * usual) & (boxes <= LARGEST_BOX)
    kept = Clusters(groups.clusters.zyx[~large], groups.clusters.votes[~large], groups.clusters.scores[~large])
    pieces = [_cut_apart(groups, index, class_map, confidence, ball_radius(usual[index])) for index in np.flatnonzero(large)]
    return join([kept, *pieces], classes)


def _cut_apart(groups: Components, index: int, class_map: Any, confidence: Any, radius: float) -> Clusters:
    low = groups.low[index]
    window = tuple(slice(a, b) for a, b in zip(low, groups.high[index]))
    values = np.asarray(class_map[window])
    found = label(values > 0, background=0, connectivity=CORNERS)
    own = found == found[tuple(np.array(np.unravel_index(groups.seed[index], class_map.shape)) - low)]
    percent = None if confidence is None else np.asarray(confidence[window])
    return _shifted_groups(np.where(own, values, 0), percent, low, radius, groups.clusters.votes.shape[1] - 1)


def mean_shift_groups(class_map: Any, confidence: Any, radius: float, classes: int) -> Clusters:
    """Mean shift with a flat kernel of ``radius`` voxels over all voxels above 0, whatever their class (DUAL C11). Block by block.

    Each block looks several radii beyond its core and keeps the groups whose centre lies in it.
    """
    halo = int(np.ceil(HALO_RADII * radius))
    parts = []
    for tile in track(plan_tiles(class_map.shape, (BLOCK + 2 * halo,) * 3, (2 * halo,) * 3), "mean shift"):
        percent = None if confidence is None else np.asarray(confidence[tile.source])
        groups = _shifted_groups(np.asarray(class_map[tile.source]), percent, [s.start for s in tile.source], radius, classes)
        low, high = ([getattr(core, side) - 0.5 for core in tile.core] for side in ("start", "stop"))
        own = ((groups.zyx >= low) & (groups.zyx < high)).all(axis=1)
        parts.append(Clusters(groups.zyx[own], groups.votes[own], groups.scores[own]))
        for array in (class_map, confidence):
            release_pages(array)
    return join(parts, classes)


def _shifted_groups(values: np.ndarray, percent: np.ndarray | None, offset: Sequence[int], radius: float, classes: int) -> Clusters:
    points = np.argwhere(values > 0)
    if len(points) == 0:
        return join([], classes)
    group = MeanShift(bandwidth=radius, bin_seeding=True).fit(points).labels_
    _, group = np.unique(group, return_inverse=True)
    number = int(group.max()) + 1
    where = tuple(points.T)
    weight = np.ones(len(points)) if percent is None else percent[where] / 100
    cell, cells = group * (classes + 1) + values[where].astype(np.int64), number * (classes + 1)
    votes = np.bincount(cell, minlength=cells).reshape(number, -1).astype(float)
    zyx = np.stack([np.bincount(group, points[:, axis], number) for axis in range(3)], axis=1) / votes.sum(axis=1)[:, None]
    return Clusters(zyx + np.asarray(offset), votes, np.bincount(cell, weight, cells).reshape(number, -1))


def merge_close(groups: Clusters, radii: np.ndarray) -> Clusters:
    """The largest group takes up those with centres within its radius (``radii`` (n,) voxels), then the next largest, and so on.

    Two centres nearer than the radius of one particle cannot be two particles; centres become means over all voxels.
    """
    if len(groups) == 0:
        return groups
    tree, owner = cKDTree(groups.zyx), np.full(len(groups), -1)
    for index in np.argsort(-groups.voxels, kind="stable"):
        if owner[index] < 0:
            near = np.array(tree.query_ball_point(groups.zyx[index], radii[index]))
            owner[near[owner[near] < 0]] = index
    kept, owner = np.unique(owner, return_inverse=True)
    sums = np.zeros((len(kept), 3))
    votes, scores = (np.zeros((len(kept), groups.votes.shape[1])) for _ in range(2))
    np.add.at(sums, owner, groups.zyx * groups.voxels[:, None])
    np.add.at(votes, owner, groups.votes)
    np.add.at(scores, owner, groups.scores)
    return Clusters(sums / votes.sum(axis=1)[:, None], votes, scores)


def ball_radius(voxels: float) -> float:
    """Radius of a ball of so many voxels."""
    return float((3 * voxels / (4 * np.pi)) ** (1 / 3))
