"""The surface through the middle of a membrane as a mesh: the ridge of its smoothed mask, by marching cubes.

The slope of the smoothed mask along the normal is 0 in the middle of the sheet. With normals that all point to one side it changes sign
there, so that marching cubes find the middle, of open and of closed membranes alike.
"""
from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from .fields import rough_thickness, sheet_normals, slopes

SMOOTHING = 0.25  # of the thickness
LEAST_PART = 0.05  # of the faces: smaller parts of a mesh are grain
ALONG = 0.5  # cosine between a face's normal and the sheet's: others stand across the sheet
NEIGHBOURS = 24  # vertices whose normals tell a curvature
TAUBIN = (0.5, -0.53)


class Surface(NamedTuple):
    """A mesh: ``vertices`` (v, 3) in voxels (z, y, x), ``faces`` (f, 3), unit ``normals`` (v, 3) to one side."""

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray


class Curvatures(NamedTuple):
    """At each vertex, per voxel: ``mean`` (v,), positive where the surface bends away from its normal, and ``gaussian`` (v,), squared."""

    mean: np.ndarray
    gaussian: np.ndarray


def mid_surface(mask: np.ndarray, smoothing_rounds: int = 10) -> Surface:
    """The middle of a membrane from its mask (z, y, x) of bool, closed ones with normals outwards; no vertex where it is too small."""
    thickness = rough_thickness(mask)
    sigma = max(1.0, SMOOTHING * thickness)
    voxels = np.argwhere(mask)
    normals = _oriented(voxels, sheet_normals(mask, voxels, max(1.0, 0.8 * thickness)).normal, mask.shape)
    field, wide, direction = _slope_along(mask, voxels, normals, sigma)
    if min(field.shape) < 2 or not (field < 0).any() or not (field > 0).any():
        return _nothing()
    try:
        vertices, faces, _, _ = marching_cubes(field, 0.0, mask=wide)
    except (RuntimeError, ValueError):  # no cube of the mask holds the level
        return _nothing()
    vertices = vertices - 2.0  # of the padding
    faces = _in_sheet(vertices, faces.astype(np.int64), mask, direction)
    vertices, faces = _large_parts(vertices, faces)
    if not len(faces):
        return _nothing()
    surface = _smoothed(vertices, faces, smoothing_rounds)
    bend = curvatures(surface).mean
    # the ridge of a bent sheet lies towards its centre of curvature, by sigma^2 times the mean curvature
    return surface._replace(vertices=surface.vertices + (sigma**2 * bend)[:, None] * surface.normals)


def _nothing() -> Surface:
    return Surface(np.zeros((0, 3)), np.zeros((0, 3), dtype=np.int64), np.zeros((0, 3)))


def _oriented(voxels: np.ndarray, normals: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The normals (n, 3) with signs that agree between neighbours, carried along the tree of the least turns."""
    graph = _neighbour_graph(voxels, normals, shape)
    tree = minimum_spanning_tree(graph)
    _, part = connected_components(tree, directed=False)
    sign = np.ones(len(voxels), dtype=np.float32)
    for first in np.unique(part, return_index=True)[1]:
        order, before = breadth_first_order(tree, int(first), directed=False)
        agree = np.where(np.einsum("ij,ij->i", normals[order[1:]], normals[before[order[1:]]]) < 0, -1.0, 1.0)
        for node, parent, turn in zip(order[1:].tolist(), before[order[1:]].tolist(), agree.tolist()):
            sign[node] = sign[parent] * turn
    return normals * sign[:, None]


def _neighbour_graph(voxels: np.ndarray, normals: np.ndarray, shape: tuple[int, ...]) -> csr_array:
    index = np.full([side + 2 for side in shape], -1, dtype=np.int32)
    index[tuple((voxels + 1).T)] = np.arange(len(voxels))
    rows, columns, weights = [], [], []
    for number in range(14, 27):  # each pair of 26-neighbours once
        offset = np.array(np.unravel_index(number, (3, 3, 3))) - 1
        other = index[tuple((voxels + 1 + offset).T)]
        has = other >= 0
        turn = 1 - np.abs(np.einsum("ij,ij->i", normals[has], normals[other[has]]))
        rows.append(np.flatnonzero(has))
        columns.append(other[has])
        weights.append(np.maximum(turn, 0) + 1e-4)  # 0 would be no edge
    entries = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    return coo_array(entries, shape=(len(voxels), len(voxels))).tocsr()


def _slope_along(
    mask: np.ndarray, voxels: np.ndarray, normals: np.ndarray, sigma: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slope of the smoothed mask along the sheet's normal (padded by 2), where it is known, and the normal (z, y, x, 3) there."""
    padded = np.pad(mask, 2)
    wide = binary_dilation(padded, np.ones((3, 3, 3)), iterations=2)
    nearest = distance_transform_edt(~padded, return_distances=False, return_indices=True)
    direction = np.zeros((*padded.shape, 3), dtype=np.float32)
    direction[tuple((voxels + 2).T)] = normals
    places = np.argwhere(wide)
    own = direction[tuple(nearest[:, wide])]
    direction[wide] = own
    field = np.zeros(padded.shape, dtype=np.float32)
    field[wide] = -np.einsum("ij,ij->i", slopes(padded, places, sigma), own)
    return field, binary_dilation(padded, np.ones((3, 3, 3))), direction


def _in_sheet(vertices: np.ndarray, faces: np.ndarray, mask: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Faces whose middle lies in the mask and which lie along the sheet."""
    corners = vertices[faces]
    places = np.rint(corners.mean(axis=1)).astype(int)
    inside = ((places >= 0) & (places < mask.shape)).all(axis=1)
    inside[inside] = mask[tuple(places[inside].T)]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    along = np.abs(np.einsum("ij,ij->i", across, direction[tuple(np.clip(places + 2, 0, np.array(direction.shape[:3]) - 1).T)])) >= ALONG
    return faces[inside & along]


def _large_parts(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh without small parts and without vertices that no face uses."""
    if not len(faces):
        return vertices[:0], faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges), dtype=bool), tuple(edges.T)), shape=(len(vertices),) * 2)
    part = connected_components(graph, directed=False)[1][faces[:, 0]]
    counts = np.bincount(part)
    faces = faces[counts[part] >= LEAST_PART * len(faces)]
    used, renumbered = np.unique(faces, return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3)


def _smoothed(vertices: np.ndarray, faces: np.ndarray, rounds: int) -> Surface:
    """Taubin's smoothing (1995): a step towards the mean of the neighbours, a longer one back; rims are held."""
    edges = np.unique(np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0)
    both = np.concatenate([edges, edges[:, ::-1]])
    graph = coo_array((np.ones(len(both)), tuple(both.T)), shape=(len(vertices),) * 2).tocsr()
    counts = np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1)[:, None]
    free = np.ones((len(vertices), 1))
    free[np.unique(boundary_edges(faces))] = 0
    for _ in range(rounds):
        for step in TAUBIN:
            vertices = vertices + step * free * (graph @ vertices / counts - vertices)
    return Surface(vertices, faces, vertex_normals(vertices, faces))


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals (v, 3): means of those of the faces about a vertex, weighted by area."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack([np.bincount(faces.ravel(), np.repeat(across[:, axis], 3), len(vertices)) for axis in range(3)], axis=1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def boundary_edges(faces: np.ndarray) -> np.ndarray:
    """Edges (e, 2) of one face only, in its direction: the rims of a mesh."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, which, counts = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    return edges[which[counts == 1]]


def curvatures(surface: Surface) -> Curvatures:
    """Mean and Gaussian curvature by how normals turn between a vertex and those about it."""
    count = min(NEIGHBOURS, len(surface.vertices))
    if count < 4:
        return Curvatures(np.zeros(len(surface.vertices)), np.zeros(len(surface.vertices)))
    _, near = cKDTree(surface.vertices).query(surface.vertices, count)
    n = surface.normals
    other = np.where(np.abs(n[:, [0]]) < 0.8, [[1.0, 0, 0]], [[0, 1.0, 0]])
    first = np.cross(n, other)
    first /= np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-12)
    frame = np.stack([first, np.cross(n, first)], axis=1)
    step = np.einsum("vac,vkc->vka", frame, surface.vertices[near] - surface.vertices[:, None])
    turn = np.einsum("vac,vkc->vka", frame, n[near] - n[:, None])
    square = np.einsum("vka,vkb->vab", step, step) + 1e-9 * np.eye(2)
    operator = np.linalg.solve(square, np.einsum("vka,vkb->vab", step, turn))
    operator = (operator + operator.transpose(0, 2, 1)) / 2
    return Curvatures(np.trace(operator, axis1=1, axis2=2) / 2, np.linalg.det(operator))
