"""Crops of scenes: where points come to lie, what is left outside, what is done to grey values."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from cryoetseg.core.recipes.general.crops import Change, Window, _resampled, changed_grey, draw_change, placed, sampled

PLAIN = Change(1.0, 0.0, 0, (False, False, False), 1.0, 0.0, (0.0, 0.0, 0.0), 0.0)


def spots():
    points = np.argwhere(np.ones((2, 5, 5))) * [10, 11, 11] + [11, 22, 22]
    volume = np.zeros((32, 90, 90), np.float32)
    volume[tuple(points.T)] = 1
    volume = gaussian_filter(volume, 2.0)
    return volume / volume.max(), points.astype(float)


@pytest.mark.parametrize("change", [
    PLAIN, Change(1.0, 0.0, 1, (False, True, False), 1, 0, (0, 0, 0), 0), Change(1.4, 0.0, 0, (True, False, True), 1, 0, (0, 0, 0), 0),
    Change(0.8, 30.0, 3, (False, False, True), 1, 0, (0, 0, 0), 0)])
def test_points_lie_where_the_sampled_volume_shows_them(change):
    volume, points = spots()
    window = Window(np.array([16.2, 45.0, 44.6]), (24, 48, 48))
    block, places = sampled(volume, window, change, 1), placed(points, window, change)
    inside = ((places > 1) & (places < np.array(window.sides) - 2)).all(axis=1)
    seen = map_coordinates(block, places[inside].T, order=1)
    assert inside.sum() >= 6
    assert seen.min() > 0.5
    assert seen.mean() > 0.75


def test_an_unchanged_crop_is_a_cut_and_outside_is_zero():
    volume = np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7) + 1
    block = sampled(volume, Window(np.array([2.0, 2.5, 0.0]), (3, 4, 5)), PLAIN, 1)
    np.testing.assert_array_equal(block[:, :, 2:], volume[1:4, 1:5, 0:3])
    assert not block[:, :, :2].any()


@pytest.mark.parametrize("order", [0, 1])
def test_the_fast_resampling_equals_scipy(order):
    array = np.random.default_rng(1).normal(size=(9, 12, 11)).astype(np.float32)
    matrix, offset = np.array([[0.7, 0, 0], [0, 0.5, -0.4], [0, 0.4, 0.5]]), np.array([1.13, 3.21, 1.37])
    expected = affine_transform(array, matrix, offset, (8, 9, 10), order=order, mode="nearest")
    np.testing.assert_allclose(_resampled(array, matrix, offset, (8, 9, 10), order), expected, atol=1e-4)


def test_grey_values_change_as_drawn():
    block = np.zeros((4, 6, 8), np.float32) + 2
    change = Change(1.0, 0.0, 0, (False,) * 3, 1.5, 0.25, (0.0, 0.0, 0.4), 0.0)
    result = changed_grey(block, change, np.random.default_rng(0))
    np.testing.assert_allclose(result[0, 0, [0, -1]], [3.25 - 0.4, 3.25 + 0.4], rtol=1e-6)
    noisy = changed_grey(block, Change(1.0, 0.0, 0, (False,) * 3, 1.0, 0.0, (0, 0, 0), 0.5), np.random.default_rng(0))
    assert noisy.std() == pytest.approx(0.5, rel=0.15)


def test_most_crops_keep_their_sampling():
    draws = [draw_change(np.random.default_rng(number)) for number in range(500)]
    assert np.mean([draw.scale == 1 for draw in draws]) == pytest.approx(0.6, abs=0.06)
    scales = [draw.scale for draw in draws]
    assert 0.65 <= min(scales) < 0.75
    assert 1.5 < max(scales) <= 1.7
