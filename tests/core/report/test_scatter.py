"""Particles and membranes in three dimensions: what is drawn is where it was."""

import numpy as np

from cryoetseg.core.report import scatter
from cryoetseg.core.report.figures import new_figure


def test_membrane_points_lie_on_the_mask_and_are_few(monkeypatch):
    mask = np.zeros((20, 30, 40), np.int8)
    mask[7, 5:25] = 1
    points = scatter.membrane_points(mask, most=100)
    assert points.shape == (100, 3)
    assert mask[tuple(points.astype(int).T)].all()
    np.testing.assert_array_equal(points, scatter.membrane_points(mask, most=100))
    assert len(scatter.membrane_points(np.zeros_like(mask))) == 0
    monkeypatch.setattr(scatter, "MOST_VOXELS", mask.size // 8)  # every second voxel
    mask[6] = mask[7]
    strided = scatter.membrane_points(mask, most=10000)
    assert (strided % 2 == 0).all()
    assert mask[tuple(strided.astype(int).T)].all()


def test_particles_are_drawn_at_their_places_in_nanometres_by_class():
    axes = new_figure(4, 4).add_subplot(projection="3d")
    points = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    scatter.draw_scatter(axes, points, (10, 20, 30), classes=np.array([1, 2, 2]), names={1: "ribosome"}, voxel_size=20.0,
                         membranes_zyx=np.array([[0.0, 1.0, 2.0]]))
    membranes, first, second = axes.collections
    np.testing.assert_allclose(np.ravel(first._offsets3d), [6, 4, 2])
    np.testing.assert_allclose(np.array(second._offsets3d).T, [[12, 10, 8], [18, 16, 14]])
    np.testing.assert_allclose(np.ravel(membranes._offsets3d), [4, 2, 0])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["membranes", "ribosome (1)", "class 2 (2)"]
    assert (axes.get_xlim(), axes.get_zlim()) == ((0, 60), (0, 20))
