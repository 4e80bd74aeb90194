import numpy as np
import pytest
from skimage.metrics import structural_similarity

from cryoetseg.core.foundation.likeness import likeness

FIRST, SECOND = np.random.default_rng(0).uniform(0, 255, (2, 24, 20)).astype(np.float32)


def test_likeness_is_the_librarys_where_its_window_fits():
    assert likeness(FIRST, SECOND, 255.0) == pytest.approx(structural_similarity(FIRST, SECOND, data_range=255.0), abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 9), (4, 4), (6, 20), (7, 7)])
def test_small_pictures_are_compared_too(shape):
    part = tuple(slice(size) for size in shape)
    assert likeness(FIRST[part], FIRST[part], 255.0) == pytest.approx(1.0)
    assert likeness(FIRST[part], SECOND[part], 255.0) < 0.5
