"""Weak labels against the published voxel counts and the published rule for overlaps."""
import numpy as np
import pytest

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.students.picker.labels import odd_diameter, paint, template


@pytest.mark.parametrize(("kind", "counts"), [  # DeepETPicker 2.2
    ("gaussian", [287, 625, 1203, 1989, 3071]), ("sphere", [123, 257, 515, 925, 1419]), ("cubic", [343, 729, 1331, 2197, 3375]),
])
def test_voxel_counts_are_the_published_ones(kind, counts):
    assert [int(template(kind, diameter).sum()) for diameter in (7, 9, 11, 13, 15)] == counts


def test_even_diameters_are_refused_with_the_next_odd_one():
    with pytest.raises(ParameterError, match=r"odd.*use 9"):
        template("gaussian", 8)
    assert [odd_diameter(size) for size in (0.4, 3.9, 4, 7, 9.9, 10.1)] == [3, 3, 5, 7, 9, 11]


def test_the_last_writer_takes_all_labelled_voxels_of_its_cube():
    labels = paint((0, 0, 0), (9, 9, 12), [[4, 4, 3], [4, 4, 6]], [1, 2], "sphere", 7)
    cube = labels[1:8, 1:8, 3:10]
    assert (cube[cube > 0] == 2).all()
    assert (cube == 2).sum() > template("sphere", 7).sum()
    assert (labels == 1).sum()
    assert (labels[:, :, :3] != 2).all()


def test_a_window_is_the_cut_of_the_whole_and_bodies_are_clipped():
    points = np.random.default_rng(0).uniform(0, 24, (12, 3))
    whole = paint((0, 0, 0), (24, 24, 24), points, np.arange(1, 13), "gaussian", np.where(np.arange(12) % 2, 5, 9))
    part = paint((7, 3, 11), (10, 12, 8), points, np.arange(1, 13), "gaussian", np.where(np.arange(12) % 2, 5, 9))
    np.testing.assert_array_equal(part, whole[7:17, 3:15, 11:19])
    assert paint((0, 0, 0), (5, 5, 5), [[0, 0, 0]], 1, "cubic", 5).sum() == 27
    assert not paint((0, 0, 0), (5, 5, 5), [[-3, 0, 0], [8, 2, 2]], 1, "cubic", 5).any()
