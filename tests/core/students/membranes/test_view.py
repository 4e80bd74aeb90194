"""What the network sees: smoothed alike wherever it is cut, and standardised."""

import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.students.membranes.view import Preparation, SliceView
from cryoetseg.core.students.volumes import volume_from_array

SHAPE = (6, 40, 48)


@pytest.fixture
def volume():
    grey = np.random.default_rng(0).normal(size=SHAPE) * np.linspace(1, 2, 6)[:, None, None] + np.arange(6)[:, None, None]
    return volume_from_array("a", grey.astype(np.float32), 10.0)


def test_smoothing_is_the_same_wherever_it_is_cut(volume):
    view = SliceView.of(volume, Preparation("volume", 1.0))
    whole = view.crop((0, 0, 0), SHAPE)
    np.testing.assert_allclose(view.crop((2, 10, 0), (3, 20, 24)), whole[2:5, 10:30, :24], atol=1e-5)
    expected = ndimage.gaussian_filter(volume.crop((0, 0, 0), SHAPE), (0, 1, 1), truncate=3)[:, 5:-5, 5:-5]
    assert np.corrcoef(whole[:, 5:-5, 5:-5].ravel(), expected.ravel())[0, 1] > 0.99999


@pytest.mark.parametrize("smoothing", [0, 1.5])
def test_grey_values_are_standardised_by_volume_or_slice(volume, smoothing):
    whole = SliceView.of(volume, Preparation("volume", smoothing)).crop((0, 0, 0), SHAPE)
    assert (whole.mean(), whole.std()) == pytest.approx((0, 1), abs=1e-3)
    slices = SliceView.of(volume, Preparation("slice", smoothing)).crop((0, 0, 0), SHAPE)
    np.testing.assert_allclose([slices.mean(axis=(1, 2)), slices.std(axis=(1, 2))], [[0] * 6, [1] * 6], atol=1e-3)
