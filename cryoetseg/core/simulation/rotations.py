"""Orientations: scipy rotations inside, RELION's rot, tilt, psi in the particle table.

A particle's rotation turns the reference (x, y, z) into the tomogram: ``tomogram = centre + rotation.apply(reference)``.
RELION stores the inverse as intrinsic ZYZ angles (rot about z, tilt about the new y, psi about the new z), so
``rotation = Rotation.from_euler("ZYZ", [rot, tilt, psi], degrees=True).inv()``: see :mod:`cryoetseg.core.particles.angles`.
Arrays are (z, y, x): :func:`matrix_zyx` is the same rotation for coordinates in that order.
"""
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]


def random_rotation(rng: np.random.Generator) -> Rotation:
    """A rotation drawn uniformly (a normalised Gaussian quaternion)."""
    return Rotation.from_quat(rng.normal(size=4))


def quaternions(matrices: Array) -> Array:
    """Unit quaternions (n, 4) as (x, y, z, w) of rotation matrices (n, 3, 3)."""
    return Rotation.from_matrix(matrices).as_quat() if len(matrices) else np.zeros((0, 4))


def matrix_zyx(rotation: Rotation) -> Array:
    """Matrix that acts on (z, y, x) column vectors as ``rotation`` acts on (x, y, z)."""
    return np.ascontiguousarray(rotation.as_matrix()[..., ::-1, ::-1])


def rotation_to_normal(normal: Array, rng: np.random.Generator) -> Rotation:
    """A rotation that turns the reference's z axis onto ``normal`` (z, y, x), with a random spin about it."""
    axis = np.asarray(normal, dtype=float)[::-1] / np.linalg.norm(normal)
    helper = np.eye(3)[np.argmin(np.abs(axis))]
    first = np.cross(helper, axis)
    first /= np.linalg.norm(first)
    upright = Rotation.from_matrix(np.column_stack([first, np.cross(axis, first), axis]))
    return upright * Rotation.from_euler("Z", rng.uniform(0, 360), degrees=True)


def symmetry_matrices(symmetry: str) -> Array:
    """All rotations of a point group ('C1', 'C2', 'D7', 'T', 'O', 'I'), main axis z, as (n, 3, 3) for (z, y, x)."""
    return matrix_zyx(Rotation.create_group(symmetry, axis="Z"))
