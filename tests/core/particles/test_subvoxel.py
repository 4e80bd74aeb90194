"""Tops between voxels: exact on parabolas, at rest where there is nothing to go by."""
import numpy as np
import pytest

from cryoetseg.core.particles.subvoxel import vertices


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_the_vertex_of_a_parabola_is_found(scale):
    centre = np.array([3.2, 4.0, 2.6])
    values = -scale * sum((grid - place) ** 2 for grid, place in zip(np.ogrid[:8, :9, :6], centre))
    top = np.array([[3, 4, 3]])
    np.testing.assert_allclose(top + vertices(values, top), centre[None], atol=1e-6)


def test_faces_and_plateaus_stay():
    values = np.zeros((3, 5, 5))
    values[:, 2] = 1.0
    np.testing.assert_array_equal(vertices(values, np.array([[0, 2, 0], [1, 2, 2]])), 0)
