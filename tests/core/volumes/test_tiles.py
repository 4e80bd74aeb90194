"""Tiles cover, cores partition, windows sum to one."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.volumes.tiles import axis_windows, plan_axis, plan_tiles, read_tile

CASES = st.tuples(st.integers(1, 60), st.integers(1, 24), st.integers(0, 23), st.sampled_from(["inside", "reflect", "zero"]))


@settings(max_examples=300, deadline=None)
@given(CASES)
def test_every_voxel_has_one_owner_that_sees_it(case):
    size, tile, overlap, border = case
    overlap = min(overlap, tile - 1)
    plan = plan_axis(size, tile, overlap, border)
    owners = np.zeros(size, int)
    for start, (first, last) in zip(plan.starts, plan.cores):
        owners[first:last] += 1
        assert start <= first <= last <= start + tile
    assert (owners == 1).all()
    assert all(left + tile - right >= overlap for left, right in zip(plan.starts, plan.starts[1:]))


@settings(max_examples=200, deadline=None)
@given(CASES, st.sampled_from(["crop", "cosine", "gaussian"]))
def test_windows_sum_to_one(case, blending):
    size, tile, overlap, border = case
    plan = plan_axis(size, tile, min(overlap, tile - 1), border)
    total = np.zeros(size)
    for start, window in zip(plan.starts, axis_windows(plan, blending)):
        a, b = max(0, start), min(size, start + tile)
        total[a:b] += window[a - start:b - start]
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_a_voxel_away_from_faces_has_context_on_both_sides():
    plan = plan_axis(100, 32, 12)
    for start, (first, last) in zip(plan.starts, plan.cores):
        assert first == 0 or first - start >= 6
        assert last == 100 or start + 32 - last >= 6


def test_borders_reach_over_the_faces():
    assert plan_axis(64, 32, 8, "inside").starts[0] == 0
    padded = plan_axis(64, 32, 8, "reflect")
    assert padded.starts[0] == -4
    assert padded.starts[-1] + 32 == 68


@pytest.mark.parametrize(("border", "corner"), [("reflect", 4.0), ("zero", 0.0)])
def test_padding_by_reflection_or_zeros(border, corner):
    volume = np.arange(1, 28, dtype=np.float32).reshape(3, 3, 3)
    (tile,) = plan_tiles((3, 3, 3), (3, 5, 3), (0, 0, 0), border)
    window = read_tile(volume, tile, border)
    assert window.shape == (3, 5, 3)
    np.testing.assert_array_equal(window[(slice(None), *tile.inside[1:])], volume)
    assert window[0, 4, 0] == corner


def test_single_voxel_volume_is_padded():
    (tile,) = plan_tiles((1, 1, 1), (4, 4, 4), (2, 2, 2))
    assert (read_tile(np.full((1, 1, 1), 5.0), tile) == 5).all()


@pytest.mark.parametrize(("tile", "overlap"), [(0, 0), (8, 8), (8, -1)])
def test_impossible_tiles(tile, overlap):
    with pytest.raises(ParameterError):
        plan_axis(10, tile, overlap)


@pytest.mark.parametrize("align", [1, 16])
@pytest.mark.parametrize("size", [28, 56, 64])
def test_a_single_tile_shows_as_many_surroundings_at_both_faces(size, align):
    (tile,) = plan_tiles((size,) * 3, (64,) * 3, (16,) * 3, "inside", align)
    assert tile.padding == (((64 - size) // 2,) * 2,) * 3


@pytest.mark.parametrize("size", [5, 30, 64, 101])
@pytest.mark.parametrize("border", ["inside", "reflect"])
def test_aligned_tiles_start_at_multiples_and_cover_everything(size, border):
    plan = plan_axis(size, 32, 12, border, align=4)
    assert all(start % 4 == 0 for start in plan.starts) or len(plan.starts) == 1
    assert all(left + 32 - right >= 12 for left, right in zip(plan.starts, plan.starts[1:]))
    reach = 6 if border == "reflect" else 0
    assert plan.starts[0] <= -reach
    assert plan.starts[-1] + 32 >= size + reach
    assert plan.cores[0][0] == 0
    assert plan.cores[-1][1] == size
