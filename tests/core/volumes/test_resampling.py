"""Resampling keeps positions, means and low frequencies; labels stay labels."""
import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.volumes.resampling import resample, resample_labels, resample_to_shape, resize_slice


def blob(shape, centre, sigma):
    distance = sum((axis - c) ** 2 for axis, c in zip(np.indices(shape), centre))
    return np.exp(-distance / (2 * sigma**2)).astype(np.float32)


@pytest.mark.parametrize("target", [6.0, 10.0, 17.3, 20.0])
def test_an_off_centre_blob_lands_where_the_formula_says(target):
    centre = np.array([14.0, 25.0, 18.5])
    volume = resample(blob((40, 45, 50), centre, 3.0), 10.0, target)
    expected = (centre + 0.5) * 10.0 / target - 0.5
    assert volume.shape == tuple(round(n * 10 / target) for n in (40, 45, 50))
    np.testing.assert_allclose(ndimage.center_of_mass(volume), expected, atol=0.05)
    assert volume.sum() * target**3 == pytest.approx(blob((40, 45, 50), centre, 3.0).sum() * 1000, rel=0.02)


def test_noise_is_averaged_and_not_aliased():
    noise = np.random.default_rng(0).normal(size=(32, 32, 32)).astype(np.float32)
    assert resample(noise, 5.0, 20.0).std() < 0.35


@pytest.mark.parametrize("target", [6.0, 23.0])
def test_slabs_leave_no_seams(target, monkeypatch):
    volume = np.random.default_rng(0).normal(size=(40, 21, 22)).astype(np.float32)
    whole = resample(volume, 10.0, target)
    monkeypatch.setattr("cryoetseg.core.volumes.resampling.SLAB_BYTES", 10_000)
    np.testing.assert_allclose(resample(volume, 10.0, target), whole, atol=1e-5)


def test_same_voxel_size_is_a_copy():
    volume = blob((5, 6, 7), (2, 3, 4), 1)
    same = resample(volume, 8.0, 8.0)
    np.testing.assert_array_equal(same, volume)
    assert same is not volume


def test_labels_keep_values_and_type():
    labels = np.zeros((12, 12, 12), np.int16)
    labels[3:9, 3:9, 3:9] = 7
    for target in (5.0, 20.0):
        result = resample_labels(labels, 10.0, target)
        assert set(np.unique(result)) == {0, 7}
        assert result.dtype == np.int16
        assert (result == 7).mean() == pytest.approx((labels == 7).mean(), abs=0.1)


def test_there_and_back_has_the_old_shape():
    volume = blob((31, 37, 41), (15, 18, 20), 5)
    back = resample_to_shape(resample(volume, 10.0, 13.7), 13.7, 10.0, volume.shape)
    assert back.shape == volume.shape
    assert np.corrcoef(back.ravel(), volume.ravel())[0, 1] > 0.99


def test_resize_slice_ignores_the_aspect_ratio():
    image = blob((30, 20), (10, 12), 3)
    result = resize_slice(image, (60, 60))
    assert result.shape == (60, 60)
    assert result.dtype == np.float32
    np.testing.assert_allclose(np.unravel_index(result.argmax(), result.shape), (20.5, 37), atol=1)


def test_bad_voxel_sizes():
    with pytest.raises(ParameterError):
        resample(np.ones((3, 3, 3)), 0, 5)
