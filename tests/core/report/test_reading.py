"""The picture of how a tomogram is read, and the labels it is made of."""
import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.cli import main
from cryoetseg.core.report.reading import BESIDE, INVALID, ReadingLabels
from cryoetseg.core.volumes.cleaned import cleaned
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.core.volumes.sample import find_sample


@pytest.fixture(scope="module")
def slab():
    """Structure in the middle 24 of 64 slices, weak noise beside, a border of a constant value at one side."""
    rng = np.random.default_rng(0)
    volume = rng.normal(0, 1, (64, 96, 96))
    volume[20:44] += 2 * ndimage.gaussian_filter(rng.normal(0, 1, (24, 96, 96)), 2) / 0.05
    volume[:, :, :20] = -30.0
    return volume.astype(np.float32)


def test_labels_tell_invalid_voxels_from_ice_and_sample(slab):
    view = cleaned(slab, "bright")
    labels = ReadingLabels(view, find_sample(view.grey))
    whole = labels[:]
    assert (whole[:, :, :18] == INVALID).all()
    assert (whole[:, :, 24:] == INVALID).mean() < 0.01
    assert (whole[2:12, :, 30:] == BESIDE).mean() > 0.95
    assert (whole[26:38, 8:-8, 36:88] == 0).mean() > 0.9
    np.testing.assert_array_equal(labels[30], whole[30])
    np.testing.assert_array_equal(labels[10:20], whole[10:20])


def test_where_sample_and_ice_are_alike_nothing_lies_beside():
    noise = cleaned(np.random.default_rng(0).normal(0, 1, (16, 48, 48)).astype(np.float32), "bright")
    assert not ReadingLabels(noise, None)[:].any()


def test_info_draws_it(slab, tmp_path, capsys):
    write_volume(tmp_path / "t.mrc", slab, 10.0)
    with pytest.raises(SystemExit) as stop:
        main(["info", str(tmp_path / "t.mrc"), "--figure", str(tmp_path / "t.png")])
    assert stop.value.code == 0
    from matplotlib.image import imread

    picture = imread(tmp_path / "t.png")
    red = (picture[..., 0] > 1.3 * picture[..., 2]) & (picture[..., 0] > 0.2)
    assert red.mean() > 0.05
