import numpy as np
import pytest

from cryoetseg.core.foundation.eigenimages import eigenimages, invert_if_dark
from cryoetseg.core.foundation.params import AggregationParameters

DEFAULT = AggregationParameters()


def test_first_ten_vectors_become_pictures_of_full_range():
    vectors = np.random.default_rng(0).normal(size=(12, 16, 16)).astype(np.float32)
    pictures = eigenimages(vectors, DEFAULT)
    assert pictures.shape == (10, 16, 16)
    assert pictures.min() == pytest.approx(0)
    assert pictures.max() == pytest.approx(255)


@pytest.mark.parametrize(("bright_rows", "inverted"), [(39, True), (40, False), (70, False)])
def test_picture_with_little_bright_area_is_inverted(bright_rows, inverted):
    picture = np.zeros((100, 10), np.float32)
    picture[:bright_rows] = 255
    result = invert_if_dark(picture, DEFAULT)
    assert np.array_equal(result, 255 - picture if inverted else picture)


def test_grey_of_exactly_the_threshold_is_not_bright():
    assert invert_if_dark(np.full((4, 4), 100.0), DEFAULT)[0, 0] == 155.0
    assert invert_if_dark(np.full((4, 4), 101.0), DEFAULT)[0, 0] == 101.0


def test_structures_end_dark_whatever_the_sign_of_the_vector():
    vector = np.zeros((1, 32, 32), np.float32)
    vector[0, 10:14, 10:14] = 1.0
    for sign in (1, -1):
        picture = eigenimages(sign * vector, DEFAULT)[0]
        assert picture[12, 12] == 0
        assert picture[0, 0] == 255
