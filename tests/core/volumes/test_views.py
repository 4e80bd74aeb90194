import numpy as np

from cryoetseg.core.volumes.views import ChangedView


def test_windows_of_a_range_are_changed_when_they_are_read():
    volume = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    view = ChangedView(volume, np.negative, 1, 4)
    assert view.shape == (3, 4, 3)
    np.testing.assert_array_equal(view[:], -volume[1:4])
    np.testing.assert_array_equal(view[1:9, :2, 1:], -volume[2:4, :2, 1:])
    assert view[0:1].dtype == np.float32


def test_changes_of_the_volume_show():
    volume = np.zeros((2, 2, 2), np.float32)
    view = ChangedView(volume, lambda values: values + 1)
    volume[1] = 5
    assert view[:][:, 0, 0].tolist() == [1, 6]
