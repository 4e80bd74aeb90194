"""One label for each membrane: connected parts of a mask, taken apart where two membranes touch.

Where normals part or the mask is too thick it is cut; pieces that continue each other across a cut are joined; what was cut out goes to
the nearest piece.
"""
from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..runtime.progress import track
from .fields import chords, rough_thickness, sheet_normals

TOUCHING = np.ones((3, 3, 3), dtype=bool)  # a thin sheet may be oblique
TOO_THICK = 1.6  # times the usual thickness: two membranes on each other
CROSSED = 0.35  # planarity below which sheets cross
SMALLEST_PIECE = 3.0  # thicknesses, side of a piece that counts as one
CORE = 1.5  # thicknesses: a piece that nowhere lies farther from a cut is the core of a contact
AROUND = 2.5  # thicknesses about a cut in which pieces are compared


class _Patch(NamedTuple):
    """Where a piece meets a cut: its middle (3,) and normal (3,), z y x."""

    piece: int
    middle: np.ndarray
    normal: np.ndarray


def membrane_instances(mask: np.ndarray, smallest_voxels: float, split_angle: float | None = 35.0) -> np.ndarray:
    """Labels (z, y, x) int32 from 1 on, the largest membrane first, of a mask (z, y, x) of bool.

    Membranes of fewer than ``smallest_voxels`` voxels are 0. ``split_angle`` in degrees, within which pieces continue each other; None
    splits nothing.
    """
    labels, count = ndimage.label(mask, TOUCHING)
    labels = labels.astype(np.int32, copy=False)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    boxes = ndimage.find_objects(labels)
    following = count
    if split_angle is None:
        return _by_size(labels, smallest_voxels)
    large = np.flatnonzero(sizes[1:] >= max(smallest_voxels, 1)) + 1
    for number in track(large, "membranes apart"):
        box = boxes[number - 1]
        pieces = split_touching(labels[box] == number, split_angle)
        for piece in range(2, int(pieces.max()) + 1):
            following += 1
            labels[box][pieces == piece] = following
    return _by_size(labels, smallest_voxels)


def _by_size(labels: np.ndarray, smallest_voxels: float) -> np.ndarray:
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] >= max(smallest_voxels, 1)]
    renumbered = np.zeros(len(sizes), dtype=np.int32)
    renumbered[order] = np.arange(1, len(order) + 1)
    return renumbered[labels]


def split_touching(mask: np.ndarray, split_angle: float) -> np.ndarray:
    """Labels (z, y, x) int32 of the membranes in one connected mask (z, y, x) of bool; all 1 where it is one membrane."""
    thickness = rough_thickness(mask)
    voxels = np.argwhere(mask)
    found = sheet_normals(mask, voxels, max(1.0, 0.4 * thickness))
    across = chords(mask, voxels, found.normal, 4 * thickness + 4).thickness
    cut = (found.planarity < CROSSED) | (across > TOO_THICK * np.median(across))
    pieces, count = _large_pieces(mask, voxels[~cut], thickness)
    if count < 2:
        return mask.astype(np.int32)
    normals = np.zeros((*mask.shape, 3), dtype=np.float32)
    normals[tuple(voxels.T)] = found.normal
    joined = _continued(mask, pieces, count, normals, AROUND * thickness, split_angle)
    nearest = ndimage.distance_transform_edt(pieces == 0, return_distances=False, return_indices=True)
    return np.where(mask, joined[pieces[tuple(nearest)]], 0).astype(np.int32)


def _large_pieces(mask: np.ndarray, kept: np.ndarray, thickness: float) -> tuple[np.ndarray, int]:
    """Connected pieces of the ``kept`` voxels (n, 3) that are wide and reach far from what is cut, and their number."""
    whole = np.zeros(mask.shape, dtype=bool)
    whole[tuple(kept.T)] = True
    pieces, count = ndimage.label(whole, TOUCHING)
    large = np.bincount(pieces.ravel(), minlength=count + 1) >= SMALLEST_PIECE**2 * thickness**3
    if count > 1:
        from_cut = ndimage.distance_transform_edt(~(mask & ~whole))
        large[1:] &= ndimage.maximum(from_cut, pieces, np.arange(1, count + 1)) > CORE * thickness
    large[0] = False
    numbers = np.where(large, np.cumsum(large), 0)
    return numbers[pieces], int(large.sum())


def _continued(mask: np.ndarray, pieces: np.ndarray, count: int, normals: np.ndarray, around: float, split_angle: float) -> np.ndarray:
    """The membrane (from 1 on) that each piece belongs to, by piece number: those that continue each other across a cut are one."""
    cuts, _number = ndimage.label(mask & (pieces == 0), TOUCHING)
    pairs = []
    margin = int(np.ceil(around))
    for cut, box in enumerate(ndimage.find_objects(cuts), start=1):
        wide = tuple(slice(max(0, part.start - margin), part.stop + margin) for part in box)
        patches = _patches(cuts[wide] == cut, pieces[wide], normals[wide], around)
        pairs += _partners(patches, split_angle)
    if not pairs:
        return np.arange(count + 1)
    first, second = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs), dtype=bool), (first, second)), shape=(count + 1, count + 1))
    _, whole = connected_components(graph, directed=False)
    return np.concatenate([[0], np.unique(whole[1:], return_inverse=True)[1] + 1])


def _patches(cut: np.ndarray, pieces: np.ndarray, normals: np.ndarray, around: float) -> list[_Patch]:
    touched = set(np.unique(pieces[ndimage.binary_dilation(cut, TOUCHING, iterations=2)]).tolist()) - {0}
    if len(touched) < 2:
        return []
    near = (ndimage.distance_transform_edt(~cut) <= around) & (pieces > 0)
    places, numbers, directions = np.argwhere(near), pieces[near], normals[near]
    patches = []
    for piece in sorted(touched):
        own = numbers == piece
        tensor = directions[own].T @ directions[own]
        patches.append(_Patch(piece, places[own].mean(axis=0), np.linalg.eigh(tensor)[1][:, 2]))
    return patches


def _partners(patches: list[_Patch], split_angle: float) -> list[tuple[int, int]]:
    """Pairs of pieces of one cut that continue each other, the best first, each piece once."""
    limit, scored = np.sin(np.deg2rad(split_angle)), []
    for one, other in combinations(patches, 2):
        step = other.middle - one.middle
        step = step / max(float(np.linalg.norm(step)), 1e-6)
        turn = float(np.sqrt(max(0.0, 1 - float(one.normal @ other.normal) ** 2)))
        rise = max(abs(float(step @ one.normal)), abs(float(step @ other.normal)))
        if turn <= limit and rise <= limit:
            scored.append((turn + rise, one.piece, other.piece))
    taken: set[int] = set()
    pairs = []
    for _, one_piece, other_piece in sorted(scored):
        if not taken & {one_piece, other_piece}:
            taken |= {one_piece, other_piece}
            pairs.append((one_piece, other_piece))
    return pairs
