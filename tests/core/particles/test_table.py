"""The particle table."""
import numpy as np
import pytest

from cryoetseg.core.particles.table import ParticleTable, concatenate, in_slices
from cryoetseg.core.runtime.errors import InputError


def test_columns_are_broadcast_and_selected_together():
    table = ParticleTable.from_points([[1, 2, 3], [4, 5, 6]], tilt_series_id=["a", "b"], score=[0.1, 0.9])
    best = table.sorted_by_score()
    assert best.zyx[0].tolist() == [4, 5, 6]
    assert best.tilt_series_id.tolist() == ["b", "a"]
    assert len(table.of_tomogram("a")) == 1
    assert table.select(table.score > 5).zyx.shape == (0, 3)


def test_voxel_size_change_keeps_outer_faces_together():
    table = ParticleTable.from_points([[0.5, 0.5, 0.5]], voxel_size=10.0)  # the corner that voxels 0 and 1 share
    assert table.at_voxel_size(20.0).zyx[0].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(table.at_voxel_size(13.0).at_voxel_size(10.0).zyx, table.zyx)
    with pytest.raises(InputError, match="voxel size"):
        ParticleTable.from_points([[0, 0, 0]]).at_voxel_size(5.0)


def test_concatenate_refuses_mixed_voxel_sizes_and_names():
    first = ParticleTable.from_points([[1, 1, 1]], voxel_size=10.0, class_names={1: "a"})
    assert len(concatenate([first, first])) == 2
    assert len(concatenate([])) == 0
    with pytest.raises(InputError, match="voxel size"):
        concatenate([first, ParticleTable.from_points([[1, 1, 1]], voxel_size=12.0)])
    with pytest.raises(InputError, match="called both"):
        concatenate([first, ParticleTable.from_points([[1, 1, 1]], voxel_size=10.0, class_names={1: "b"})])


def test_a_slice_reaches_half_a_voxel_to_both_sides():
    points = [[3.49, 0, 0], [3.5, 0, 0], [5, 0, 0], [7.49, 0, 0], [7.5, 0, 0]]
    assert in_slices(points, (4, 8)).tolist() == [False, True, True, True, False]
    assert in_slices(np.zeros((0, 3)), (4, 8)).shape == (0,)


def test_bad_shapes_and_values_are_refused():
    with pytest.raises(InputError, match="finite"):
        ParticleTable.from_points([[1, 2, np.nan]])
