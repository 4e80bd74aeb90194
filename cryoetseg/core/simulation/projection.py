"""Projection and weighted back-projection for single-axis tilt series, tilt axis y.

A tilt maps voxel (z, x) to the detector position u = x cos a + z sin a, the same for all y. So each is one sparse matrix
between the (z, x) plane and the (tilt, u) plane that acts on all y at once; back-projection is the transpose. The sample goes on
outside the volume as its mirror image, so that high tilts see no empty borders.
"""
from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Array = NDArray[np.float64]
BEYOND = 2  # spare detector pixels at each end that collect what falls outside


@dataclass(frozen=True)
class Geometry:
    """Sizes in voxels: a volume (depth z, width x) and the ``detector`` width that sees every voxel at every tilt."""

    depth: int
    width: int

    @property
    def detector(self) -> int:
        """Detector pixels across the tilt axis: the diagonal of the (z, x) plane plus a margin for interpolation."""
        return 2 * int(np.ceil(np.hypot(self.depth, self.width) / 2)) + 4


def projector(geometry: Geometry, angle: float, device: torch.device) -> torch.Tensor:
    """Sparse (detector, z * x) matrix of one tilt (degrees): each voxel is shared linearly between two detector pixels."""
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    half_detector = (geometry.detector - 1) / 2
    reach = max(0, int(np.ceil((half_detector + geometry.depth / 2 * abs(sine)) / cosine - (geometry.width - 1) / 2)) + 1)
    column = np.arange(-reach, geometry.width + reach)
    z = np.arange(geometry.depth)
    u = (column - (geometry.width - 1) / 2) * cosine + (z[:, None] - (geometry.depth - 1) / 2) * sine + half_detector
    by_voxel = _interpolation(u.ravel()[:, None], geometry.detector + 2 * BEYOND, BEYOND)
    by_pixel = by_voxel.T.tocsr()[BEYOND:-BEYOND]
    voxel = (z[:, None] * geometry.width + mirrored(column, geometry.width)).ravel().astype(np.int32)
    shape = (geometry.detector, geometry.depth * geometry.width)
    return _tensor(by_pixel.indptr, voxel[by_pixel.indices], by_pixel.data, shape, device)


def _interpolation(u: Array, width: int, offset: int) -> csr_matrix:
    """Sparse (n, m * width) matrix that interpolates linearly at ``u + offset`` (n, m) in each of m rows of ``width`` pixels.

    Positions outside are held at the border.
    """
    position = np.clip(u + offset, 0, width - 1 - 1e-6)
    low = position.astype(np.int32)
    share = (position - low).astype(np.float32)
    columns = np.stack([low, low + 1], axis=-1) + (np.arange(u.shape[1], dtype=np.int32) * width)[:, None]
    values = np.stack([1 - share, share], axis=-1)
    rows = np.arange(0, values.size + 1, 2 * u.shape[1], dtype=np.int32)
    return csr_matrix((values.ravel(), columns.ravel(), rows), shape=(len(u), u.shape[1] * width))


def _tensor(rows: NDArray, columns: NDArray, values: NDArray, shape: tuple[int, int], device: torch.device) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse")  # torch calls its CSR layout beta
        return torch.sparse_csr_tensor(
            torch.from_numpy(rows), torch.from_numpy(columns), torch.from_numpy(values), shape, check_invariants=False).to(device)


def mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Fold any index into 0..size-1 by reflection at the borders (numpy's 'symmetric')."""
    folded = index % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


def back_projector(geometry: Geometry, angles: Array, device: torch.device) -> torch.Tensor:
    """Sparse (z * x, tilt * detector) matrix that sums, for each voxel, the linearly interpolated images of all tilts (degrees)."""
    radians = np.deg2rad(angles)
    z = np.arange(geometry.depth) - (geometry.depth - 1) / 2
    x = np.arange(geometry.width) - (geometry.width - 1) / 2
    plane_z, plane_x = (axis.ravel() for axis in np.meshgrid(z, x, indexing="ij"))
    u = plane_x[:, None] * np.cos(radians) + plane_z[:, None] * np.sin(radians) + (geometry.detector - 1) / 2
    matrix = _interpolation(u, geometry.detector, 0)
    return _tensor(matrix.indptr, matrix.indices, matrix.data, (len(plane_z), len(angles) * geometry.detector), device)


def project(volume: torch.Tensor, geometry: Geometry, angles: Array) -> torch.Tensor:
    """Projections (tilt, y, detector) of ``volume`` (z, y, x) at ``angles`` (degrees), in voxel sums."""
    columns = volume.permute(0, 2, 1).reshape(geometry.depth * geometry.width, -1)
    return torch.stack([(projector(geometry, angle, volume.device) @ columns).T for angle in angles])


def back_project(images: torch.Tensor, geometry: Geometry, operator: torch.Tensor) -> torch.Tensor:
    """Volume (z, y, x) from filtered ``images`` (tilt, y, detector) by ``operator`` of :func:`back_projector`."""
    tilts, depth_y, detector = images.shape
    columns = images.permute(0, 2, 1).reshape(tilts * detector, depth_y)
    return (operator @ columns).reshape(geometry.depth, geometry.width, depth_y).permute(0, 2, 1)
