import numpy as np
import pytest

from cryoetseg.core.foundation.params import ThresholdParameters
from cryoetseg.core.foundation.threshold import blurred, darker_than_surroundings, odd_at_least, structure_mask, threshold_blocks

PUBLISHED = ThresholdParameters(threshold_scale="published")


def disc_canvas(radius, side=96):
    y, x = np.mgrid[:side, :side]
    canvas = np.full((side, side), 160.0)
    canvas[(y - 48) ** 2 + (x - 48) ** 2 <= radius**2] = 80.0
    return canvas


@pytest.mark.parametrize(("radius", "found"), [(4, True), (6, True), (8, False), (10, False)])
def test_published_window_hollows_large_discs(radius, found):
    assert structure_mask(disc_canvas(radius), PUBLISHED, 10.0)[48, 48] == found


@pytest.mark.parametrize("radius", [4, 6, 8, 10, 14])
def test_scale_aware_window_keeps_every_centre(radius):
    parameters = ThresholdParameters(particle_diameter=2 * radius * 10.0)
    mask = structure_mask(disc_canvas(radius), parameters, 10.0)
    assert mask[48, 48]
    assert not mask[0].any()


def test_second_window_fills_large_bodies():
    small = ThresholdParameters(particle_diameter=100.0)
    both = small.model_copy(update={"large_body_diameter": 400.0})
    canvas = disc_canvas(20)
    assert not structure_mask(canvas, small, 10.0)[48, 48]
    assert structure_mask(canvas, both, 10.0)[48, 48]


def test_blocks_follow_the_diameter():
    assert threshold_blocks(PUBLISHED, 1.0) == [15]
    assert threshold_blocks(ThresholdParameters(particle_diameter=200.0), 10.0) == [25]
    assert threshold_blocks(ThresholdParameters(particle_diameter=60.0), 10.0) == [15]
    assert threshold_blocks(ThresholdParameters(particle_diameter=200.0, large_body_diameter=800.0), 10.0) == [25, 101]


@pytest.mark.parametrize(("value", "odd"), [(15, 15), (15.2, 17), (16, 17), (24.9, 25)])
def test_next_odd_number(value, odd):
    assert odd_at_least(value) == odd


def test_higher_offset_keeps_less_and_a_flat_canvas_nothing():
    generator = np.random.default_rng(0)
    canvas = np.clip(generator.normal(128, 30, (64, 64)), 0, 255)
    areas = [structure_mask(canvas, ThresholdParameters(threshold_offset=offset), 31.0).sum() for offset in (0.0, 3.0, 10.0)]
    assert areas[0] > areas[1] > areas[2] > 0
    assert not structure_mask(np.full((32, 32), 100.0), PUBLISHED, 10.0).any()


def test_blur_kernel_is_7_wide_and_sums_to_one():
    impulse = np.zeros((21, 21))
    impulse[10, 10] = 255.0
    grey = blurred(impulse)
    assert np.flatnonzero(grey[10])[[0, -1]].tolist() in ([7, 13], [8, 12])
    assert grey[10, 10] == pytest.approx(255 * 0.0726, abs=1.0)


def test_local_mean_uses_the_window_s_own_sigma():
    grey = np.full((41, 41), 100.0)
    grey[20, 20] = 0.0
    mask = darker_than_surroundings(grey, 15, 3.0)
    assert mask[20, 20]
    assert mask.sum() == 1
