import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cryoetseg.core.foundation.frames import plan_frame
from cryoetseg.core.foundation.params import TilingParameters
from cryoetseg.core.runtime.errors import ParameterError

QUADRANTS = TilingParameters(tiling="quadrants")


def crop(picture, tokens, border):
    margin = picture.shape[0] * border // tokens
    return picture[margin:picture.shape[0] - margin, margin:picture.shape[1] - margin]


@pytest.mark.parametrize("parameters", [QUADRANTS, TilingParameters(tile_px=256, overlap_px=48, border_tokens=3)])
def test_coordinates_of_928_x_960_come_back(parameters):
    frame = plan_frame((928, 960), parameters, 512, 64)
    points = np.random.default_rng(0).uniform(0, 511, (50, 2))
    for window in frame.windows:
        np.testing.assert_allclose(window.to_canvas(window.to_slab(points, 512), 512), points, atol=1e-9)


def test_quadrant_coordinates_follow_the_published_map_within_one_voxel():
    frame = plan_frame((928, 960), QUADRANTS, 512, 64)
    points = np.array([[0, 0], [100, 37], [511, 511]])
    for window in frame.windows:
        published = points * [464 / 512, 480 / 512] + [window.row * 464, window.column * 480]
        assert np.abs(window.to_slab(points, 512) - published).max() < 1


@pytest.mark.parametrize("parameters", [QUADRANTS, TilingParameters(tile_px=128, overlap_px=32, border_tokens=4)])
def test_a_spot_found_in_a_picture_maps_to_where_it_was_put(parameters):
    spot = np.zeros((200, 230), np.float32)
    spot[71, 152] = 1.0
    slab = ndimage.gaussian_filter(spot, 3)
    frame = plan_frame(slab.shape, parameters, 256, 64)
    for window, picture in zip(frame.windows, frame.pictures(slab)):
        inner = crop(picture, 64, frame.border_tokens)
        if inner.max() > 0.9 * slab.max():
            peak = np.array([np.unravel_index(inner.argmax(), inner.shape)])
            assert np.abs(window.to_slab(peak, inner.shape[0]) - [71, 152]).max() <= 1


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 300), st.integers(20, 300), st.sampled_from([0, 4, 8]), st.sampled_from([0, 16, 32]))
def test_pictures_put_back_give_the_slab(height, width, border, overlap):
    slab = np.random.default_rng(height).random((height, width)).astype(np.float32)
    frame = plan_frame(slab.shape, TilingParameters(tile_px=128, overlap_px=overlap, border_tokens=border), 128, 64)
    canvases = [crop(picture, 64, border) for picture in frame.pictures(slab)]
    np.testing.assert_allclose(frame.blend(canvases), slab, atol=1e-5)


def test_border_that_is_no_whole_voxel_still_covers_everything():
    slab = np.ones((150, 170), np.float32)
    frame = plan_frame(slab.shape, TilingParameters(tile_px=100, overlap_px=10, border_tokens=3), 128, 64)
    np.testing.assert_allclose(frame.blend([np.ones((58, 58))] * len(frame.windows)), 1.0, rtol=1e-5)


def test_blending_leaves_no_seam():
    frame = plan_frame((128, 240), TilingParameters(tile_px=128, overlap_px=64, border_tokens=0), 128, 64)
    levels = [np.full((64, 64), float(window.column)) for window in frame.windows]
    assert np.abs(np.diff(frame.blend(levels)[64])).max() < 0.06


def test_quadrant_blend_keeps_masks_binary():
    frame = plan_frame((90, 110), QUADRANTS, 64, 64)
    masks = [np.eye(64) > 0 for _ in range(4)]
    joined = frame.blend(masks, order=0)
    assert joined.shape == (90, 110)
    assert set(np.unique(joined)) == {0.0, 1.0}


def test_slab_border_is_reflected_not_filled():
    slab = np.full((64, 64), 5.0, np.float32)
    frame = plan_frame(slab.shape, TilingParameters(tile_px=128, overlap_px=0, border_tokens=4), 128, 64)
    assert all(np.ptp(picture) < 1e-6 for picture in frame.pictures(slab))


def test_overlap_as_wide_as_a_tile_is_refused():
    with pytest.raises(ParameterError, match="overlap"):
        plan_frame((64, 64), TilingParameters(tile_px=32, overlap_px=32), 64, 64)
