import numpy as np
import pytest
from skimage.measure import label, regionprops

from cryoetseg.core.foundation.filters import circularity, drop_close_pairs, far_from, keep_best, solidity, split_particles
from cryoetseg.core.foundation.params import FilterParameters

Y, X = np.mgrid[:128, :128]
PUBLISHED = FilterParameters(filters="published")


def ellipse(y, x, a, b=None):
    return ((Y - y) / (b or a)) ** 2 + ((X - x) / a) ** 2 <= 1


def split(mask, parameters, pixel_size=13.48, canvas=None):
    canvas = np.where(mask, 60.0, 200.0) if canvas is None else canvas
    return split_particles(mask, label(mask, connectivity=2), canvas, pixel_size, parameters)


def region_of(mask):
    return regionprops(mask.astype(int))[0]


DISCS = [(2, 13, 1.28), (3, 29, 0.98), (4, 49, 0.99), (5, 81, 0.94), (6, 113, 0.95), (8, 197, 0.91), (10, 317, 0.92), (16, 797, 0.92)]


@pytest.mark.parametrize(("radius", "area", "score"), DISCS)
def test_circularity_of_digital_discs(radius, area, score):
    region = region_of(ellipse(64, 64, radius))
    assert region.area == area
    assert circularity(region.area, region.perimeter) == pytest.approx(score, abs=0.0075)


def test_circularity_of_ellipses_and_specks():
    scores = [circularity(r.area, r.perimeter) for r in (region_of(ellipse(64, 64, 6, 5)), region_of(ellipse(64, 64, 8, 6)))]
    assert scores == [pytest.approx(0.954, abs=0.001), pytest.approx(0.93, abs=0.001)]
    assert circularity(1, 0) == 1


def test_published_rules_take_small_discs_and_reject_large_ones():
    mask = ellipse(30, 30, 4) | ellipse(90, 90, 10)
    result = split(mask, PUBLISHED)
    np.testing.assert_allclose(result.yx, [[30, 30]])
    assert np.array_equal(result.membranes, ellipse(90, 90, 10))


def test_scale_aware_rules_keep_a_disc_of_radius_10():
    result = split(ellipse(30, 30, 4) | ellipse(90, 90, 10), FilterParameters(particle_diameter=20 * 13.48))
    np.testing.assert_allclose(result.yx, [[90, 90]])
    assert result.area_px[0] == 317
    assert 0 < result.score[0] <= 1


@pytest.mark.parametrize("radius", [2, 3, 4, 6, 10, 16])
def test_scale_aware_rules_keep_discs_of_every_size(radius):
    assert len(split(ellipse(64, 64, radius), FilterParameters(particle_diameter=2 * radius * 13.48)).yx) == 1


def test_scale_aware_rules_reject_long_and_ragged_regions():
    parameters = FilterParameters(particle_diameter=20 * 13.48, membrane_area=0.0)
    horseshoe = ellipse(64, 64, 12) & ~ellipse(60, 64, 9)
    assert len(split(ellipse(64, 64, 20, 5), parameters).yx) == 0
    assert len(split(horseshoe, parameters).yx) == 0
    assert np.array_equal(split(horseshoe, parameters).membranes, horseshoe)


def test_published_area_floor_counts_tomogram_voxels():
    mask = ellipse(64, 64, 2.4)
    assert 13 < mask.sum() < 30 / 1.348
    assert len(split(mask, PUBLISHED).yx) == 0
    assert len(split(mask, PUBLISHED, pixel_size=25.0).yx) == 1


def test_published_distance_to_anything_not_round():
    speck = np.zeros((128, 128), bool)
    speck[64:66, 74:100] = True
    assert len(split(ellipse(64, 60, 4) | speck, PUBLISHED).yx) == 1
    assert len(split(ellipse(64, 65, 4) | speck, PUBLISHED).yx) == 0


def test_scale_aware_distance_ignores_specks():
    parameters = FilterParameters(particle_diameter=8 * 13.48, membrane_distance=1.5)
    speck, membrane = np.zeros((128, 128), bool), np.zeros((128, 128), bool)
    speck[64, 74:80] = True
    membrane[64:67, 74:] = True
    particle = ellipse(64, 66, 4)
    assert len(split(particle | speck, parameters).yx) == 1
    assert not split(particle | speck, parameters).membranes.any()
    assert len(split(particle | membrane, parameters.model_copy(update={"membrane_area": 100 * 13.48**2})).yx) == 0


def test_published_rule_drops_both_members_of_a_pair_within_32_pixels():
    points = np.array([[0, 0], [0, 32], [100, 100]])
    assert drop_close_pairs(points, 32).tolist() == [2]
    assert drop_close_pairs(points + np.array([[0, 0], [0, 0.5], [0, 0]]), 32).tolist() == [0, 1, 2]
    assert drop_close_pairs(np.zeros((0, 2)), 32).size == 0


def test_the_better_of_a_close_pair_stays():
    points = np.array([[0, 0], [0, 5], [0, 10], [50, 50]])
    assert keep_best(points, np.array([0.2, 0.9, 0.3, 0.1]), 6).tolist() == [1, 3]
    assert keep_best(points, np.array([0.9, 0.2, 0.3, 0.1]), 6).tolist() == [0, 2, 3]


def test_distance_to_an_empty_mask_is_no_limit():
    assert far_from(np.zeros((8, 8), bool), np.array([[1, 1]]), 100).tolist() == [True]


def test_darker_regions_score_higher():
    mask = ellipse(30, 30, 8) | ellipse(90, 90, 8)
    canvas = np.where(ellipse(30, 30, 8), 40.0, np.where(ellipse(90, 90, 8), 120.0, 200.0))
    result = split(mask, FilterParameters(particle_diameter=16 * 13.48), canvas=canvas)
    assert result.score[0] > 1.5 * result.score[1] > 0


def test_solidity_of_lines_and_corners():
    assert solidity(np.ones((1, 7), bool)) == 1
    assert solidity(np.eye(5, dtype=bool)) == 1
    corner = np.zeros((20, 20), bool)
    corner[:, :4] = corner[:4] = True
    assert solidity(corner) < 0.7


def test_empty_slab():
    result = split(np.zeros((128, 128), bool), FilterParameters())
    assert result.yx.shape == (0, 2)
    assert not result.membranes.any()
