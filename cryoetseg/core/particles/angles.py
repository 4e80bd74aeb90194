"""Orientations: RELION's angles inside, the conventions of other programs at the door.

RELION's rot, tilt, psi turn the particle onto the reference, so the reference is turned into the tomogram by
Rz(-psi) Ry(-tilt) Rz(-rot) acting on (x, y, z). AV3, STOPGAP and EM motive lists store phi, theta, psi with the reference turned by
Rz(psi) Rx(theta) Rz(phi); Dynamo stores the inverse. With Ry(b) = Rz(90) Rx(b) Rz(-90) the conversions are sums of angles, exact
also where Euler angles are not unique.
"""
from __future__ import annotations

import warnings

import numpy as np
from scipy.spatial.transform import Rotation


def wrap(angles: np.ndarray) -> np.ndarray:
    """Equivalent angles (n, 3) with rot and psi in (-180, 180] and tilt in [0, 180]."""
    rot, tilt, psi = np.array(angles, dtype=np.float64).reshape(-1, 3).T
    tilt = _half_turn(tilt)
    below = tilt < 0
    return np.stack([_half_turn(rot + 180 * below), np.abs(tilt), _half_turn(psi + 180 * below)], axis=1)


def _half_turn(angle: np.ndarray) -> np.ndarray:
    return 180.0 - np.mod(180.0 - angle, 360.0)


def from_motl(phi: np.ndarray, theta: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """RELION angles (n, 3) from AV3/STOPGAP angles in degrees."""
    return wrap(np.stack([90.0 - phi, theta, -90.0 - psi], axis=1))


def to_motl(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """phi, theta, psi of AV3/STOPGAP from RELION angles (n, 3)."""
    rot, tilt, psi = angles.T
    return _half_turn(90.0 - rot), tilt, _half_turn(-90.0 - psi)


def from_dynamo(tdrot: np.ndarray, tilt: np.ndarray, narot: np.ndarray) -> np.ndarray:
    """RELION angles (n, 3) from Dynamo's tdrot, tilt, narot in degrees."""
    return from_motl(-narot, -tilt, -tdrot)


def to_dynamo(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dynamo's tdrot, tilt, narot from RELION angles (n, 3)."""
    phi, theta, psi = to_motl(angles)
    return _half_turn(-psi), -theta, _half_turn(-phi)


def from_matrices(matrices: np.ndarray) -> np.ndarray:
    """RELION angles (n, 3) from matrices (n, 3, 3) that turn the reference into the tomogram, acting on (x, y, z)."""
    if len(matrices) == 0:
        return np.zeros((0, 3))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")  # rot and psi then only matter as a sum, which SciPy keeps
        return wrap(Rotation.from_matrix(matrices).inv().as_euler("ZYZ", degrees=True))


def to_matrices(angles: np.ndarray) -> np.ndarray:
    """Matrices (n, 3, 3) that turn the reference into the tomogram, acting on (x, y, z), from RELION angles (n, 3)."""
    if len(angles) == 0:
        return np.zeros((0, 3, 3))
    return Rotation.from_euler("ZYZ", angles, degrees=True).inv().as_matrix()


def along_directions(directions: np.ndarray, rot: np.ndarray) -> np.ndarray:
    """RELION angles (n, 3) in degrees that turn the z axis of a reference along ``directions`` (n, 3), z y x.

    Rz(-psi) Ry(-tilt) takes z to (-sin tilt cos psi, sin tilt sin psi, cos tilt), x y z.
    """
    z, y, x = np.asarray(directions, dtype=np.float64).reshape(-1, 3).T
    return wrap(np.stack([rot, np.degrees(np.arctan2(np.hypot(x, y), z)), np.degrees(np.arctan2(y, -x))], axis=1))
