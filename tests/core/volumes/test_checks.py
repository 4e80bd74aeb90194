"""Checks of voxel sizes and values; filling of scattered invalid voxels."""
from pathlib import Path

import numpy as np
import pytest

from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes import io
from cryoetseg.core.volumes.checks import FilledView, check_values, check_voxel_size, fill_invalid

FILE = Path("v.mrc")


def smooth(shape=(12, 13, 14)):
    z, y, x = np.indices(shape)
    return (z + 2.0 * y + 3.0 * x).astype(np.float32)


@pytest.mark.parametrize(("stated", "value", "warnings"), [
    ((10, 10, 10), 10, 0), ((10, 10, 10.05), 10.0167, 1), ((0, 0, 0), 1, 1), ((1, 1, 1), 1, 1), (None, 1, 1)])
def test_accepted_voxel_sizes(stated, value, warnings):
    size = check_voxel_size(FILE, stated, None, "cell")
    assert size.value == pytest.approx(value, rel=1e-4)
    assert len(size.warnings) == warnings


@pytest.mark.parametrize("stated", [(10, 10, 11), (0.4, 0.4, 0.4), (101, 101, 101), (10, 10, 0), (np.nan, 10, 10), (-10, -10, -10)])
def test_refused_voxel_sizes(stated):
    with pytest.raises(InputError, match=r"v\.mrc: cell.*voxel_size="):
        check_voxel_size(FILE, stated, None, "cell")
    assert check_voxel_size(FILE, stated, 7.0, "cell").value == 7.0


def test_more_than_one_percent_invalid_is_refused(tmp_path):
    array = smooth()
    array.flat[: array.size // 50] = np.nan
    with pytest.raises(InputError, match=r"2\.0%.*NaN"):
        check_values(FILE, array)
    with pytest.raises(InputError, match="NaN"):
        check_values(FILE, np.full((4, 4, 4), np.nan))


def test_few_invalid_voxels_become_the_local_median(tmp_path, caplog):
    array, spots = smooth(), ([0, 6, 6, 11], [0, 5, 6, 12], [0, 7, 7, 13])
    broken = array.copy()
    broken[spots] = [np.nan, np.inf, -np.inf, np.nan]
    np.save(tmp_path / "v.npy", broken)
    view = check_values(FILE, np.load(tmp_path / "v.npy", mmap_mode="r"))
    filled = np.asarray(view)
    assert "4 of 2184 voxels" in caplog.text
    assert filled[6, 5, 7] == pytest.approx(array[6, 5, 7], abs=0.6)
    assert np.abs(filled - array)[spots].max() < 7  # one-sided at the corners
    array[spots] = filled[spots]
    np.testing.assert_array_equal(filled, array)


def test_filled_view_does_not_depend_on_the_window():
    array = smooth()
    array[np.random.default_rng(0).random(array.shape) < 0.01] = np.nan
    view = FilledView(array, 0.0)
    whole = view[...]
    assert np.isfinite(whole).all()
    for key in [np.s_[3:7, 2:9, 5:6], np.s_[5], np.s_[:, 4], np.s_[-3:, ::2, 1], np.s_[2:4, ..., 3], np.s_[0:0]]:
        np.testing.assert_array_equal(view[key], whole[key])


def test_invalid_block_without_neighbours_takes_the_mean():
    volume = np.ones((20, 8, 8), np.float32)
    volume[:8] = np.nan
    fill_invalid(volume, 2, 42.0)
    assert (volume[:6] == 42).all()
    assert (volume[6:8] == 1).all()


def test_read_volume_returns_the_filled_values(tmp_path):
    path = tmp_path / "v.mrc"
    io.write_volume(path, smooth(), 5.0)
    content = bytearray(path.read_bytes())
    content[1024 + 4 * 1000:1024 + 4 * 1001] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    data, _ = io.read_volume(path)
    assert np.isfinite(data).all()
    assert data.flat[1000] == pytest.approx(smooth().flat[1000], abs=3)
