"""Orientation conventions."""
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoetseg.core.particles.angles import from_matrices, to_matrices
from cryoetseg.core.simulation.rotations import matrix_zyx, quaternions, random_rotation, rotation_to_normal, symmetry_matrices


def test_matrix_for_zyx_turns_the_same_vector():
    rng = np.random.default_rng(1)
    rotation, vector = random_rotation(rng), rng.normal(size=3)
    assert np.allclose(matrix_zyx(rotation) @ vector[::-1], rotation.apply(vector)[::-1])


def test_table_angles_give_the_rotation_back():
    rotation = Rotation.from_euler("ZYZ", [20, 50, -70], degrees=True).inv()
    angles = from_matrices(rotation.as_matrix()[None])
    assert np.allclose(angles, [[20, 50, -70]])
    assert np.allclose(to_matrices(angles)[0], rotation.as_matrix())


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 1, 0), (0, 0, -1), (1, 2, -3)])
def test_rotation_to_normal_points_the_axis_along_it(normal: tuple[float, float, float]):
    rotation = rotation_to_normal(np.array(normal, float), np.random.default_rng(2))
    assert np.allclose(rotation.apply([0, 0, 1])[::-1], np.array(normal) / np.linalg.norm(normal))


def test_random_rotations_are_uniform():
    rng = np.random.default_rng(3)
    axes = np.array([random_rotation(rng).apply([0, 0, 1]) for _ in range(2000)])
    assert np.abs(axes.mean(axis=0)).max() < 0.06
    assert np.allclose((axes**2).mean(axis=0), 1 / 3, atol=0.03)


@pytest.mark.parametrize(("group", "order"), [("C1", 1), ("C6", 6), ("D7", 14), ("O", 24), ("I", 60)])
def test_symmetry_groups(group: str, order: int):
    matrices = symmetry_matrices(group)
    assert matrices.shape == (order, 3, 3)
    assert np.allclose(np.linalg.det(matrices), 1)


def test_quaternions_of_nothing():
    assert quaternions(np.zeros((0, 3, 3))).shape == (0, 4)
