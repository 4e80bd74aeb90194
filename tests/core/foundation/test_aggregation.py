import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cryoetseg.core.foundation.aggregation import aggregate, enlarge
from cryoetseg.core.foundation.diversity import contour_count, diversity
from cryoetseg.core.foundation.params import AggregationParameters
from cryoetseg.core.foundation.slabs import minmax

DEFAULT = AggregationParameters()


def scene(*centres, radius=6, value=0.0):
    y, x = np.mgrid[:64, :64]
    image = np.full((64, 64), 255.0, np.float32)
    for cy, cx in centres:
        image[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = value
    return ndimage.gaussian_filter(image, 1.0)


def noise(seed):
    return minmax(np.random.default_rng(seed).normal(size=(64, 64)), 255.0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_every_round_obeys_the_published_conditions(seed):
    generator = np.random.default_rng(seed)
    images = [scene(*generator.integers(5, 59, (3, 2))) + generator.normal(0, 5, (64, 64)) for _ in range(8)]
    result = aggregate(np.array([minmax(image, 255.0) for image in images]), DEFAULT)
    scores = [result.diversities[result.base], *(step.diversity for step in result.rounds)]
    assert scores == sorted(scores)
    assert all(step.contours <= 15 and step.ssim > 0.35 for step in result.rounds)
    assert len(result.rounds) <= 10
    assert len(set(result.merged)) == len(result.merged)
    assert diversity(result.canvas) == pytest.approx(scores[-1])
    assert contour_count(result.canvas) == (result.rounds[-1].contours if result.rounds else result.contours[result.base])


def grainy(image, deviation, seed):
    return minmax(image + np.random.default_rng(seed).normal(0, deviation, image.shape), 255.0)


def test_structures_of_similar_images_end_on_one_canvas():
    discs = scene((15, 15), (45, 45), (15, 45))
    images = np.array([grainy(discs, 12, 0), grainy(discs, 12, 1), grainy(discs, 12, 2), noise(3)])
    result = aggregate(images, AggregationParameters(base_contours=99, merged_contours=99))
    assert set(result.merged) == {0, 1, 2}
    error = [np.abs(image - discs).mean() for image in (result.canvas, images[result.base])]
    assert error[0] < 0.8 * error[1]


def test_base_is_the_most_diverse_image_with_few_contours():
    images = np.array([scene((30, 30)), scene((15, 15), (45, 45), (15, 45)), noise(1)])
    result = aggregate(images, DEFAULT)
    assert result.contours[2] > 10
    assert result.base == 1
    assert not result.fell_back


def test_best_psnr_joins_first():
    discs = scene((15, 15), (45, 45), (15, 45))
    images = np.array([grainy(discs, 12, 0), grainy(discs, 16, 1), grainy(discs, 12, 2)])
    result = aggregate(images, AggregationParameters(base_contours=99, merged_contours=99))
    assert set(result.merged[:2]) == {0, 2}


def test_quadrant_of_noise_falls_back_instead_of_being_dropped():
    images = np.array([noise(seed) for seed in range(3)])
    result = aggregate(images, DEFAULT)
    assert result.fell_back
    assert result.base == int(np.argmin(result.contours))
    assert result.canvas.shape == (64, 64)


def test_constant_images_do_not_stop_it():
    result = aggregate(np.zeros((3, 64, 64), np.float32), DEFAULT)
    assert result.rounds == ()


def test_record_is_json_and_names_what_was_merged():
    discs = scene((15, 15), (45, 45))
    result = aggregate(np.array([grainy(discs, 8, 0), grainy(discs, 8, 1)]), AggregationParameters(base_contours=99, merged_contours=99))
    record = json.loads(json.dumps(result.record()))
    assert record["base"] == result.base
    assert record["rounds"][0].keys() == {"eigenimage", "ssim", "psnr", "contours", "diversity"}


def test_enlarged_canvas_keeps_place_and_polarity():
    large = enlarge(scene((20, 40)), 512, DEFAULT)
    assert large.shape == (512, 512)
    assert large.min() >= 0
    assert large.max() <= 255
    assert large[20 * 8 + 4, 40 * 8 + 4] < 30
    np.testing.assert_allclose(enlarge(255 - scene((20, 40)), 512, DEFAULT), large, atol=2)
