"""Boxes: the same place and size whatever the voxel size, zeros outside."""
import numpy as np
import pytest

from cryoetseg.core.clusters.boxes import BOX_VOXEL, cut_box


def blob(voxel_size, sides, centre, sigma=60.0):
    axes = np.stack(np.meshgrid(*[np.arange(side) * voxel_size for side in sides], indexing="ij"))
    return np.exp(-((axes - np.array(centre)[:, None, None, None]) ** 2).sum(0) / (2 * sigma**2)).astype(np.float32)


@pytest.mark.parametrize("voxel_size", [5.0, 6.3, 10.0, 12.5, 20.0, 31.4])
def test_a_blob_stays_where_and_as_wide_as_it_is(voxel_size):
    centre = np.array([310.0, 305.0, 322.0])
    volume = blob(voxel_size, (round(640 / voxel_size),) * 3, centre)
    box = cut_box(volume, centre / voxel_size, voxel_size)
    axis = (np.arange(32) - 15.5) * BOX_VOXEL
    weights = box / box.sum()
    places = [np.tensordot(weights, axis, axes=(n, 0)).sum() for n in range(3)]
    assert np.abs(places).max() < 2.0
    spread = np.sqrt((weights * axis[:, None, None] ** 2).sum())
    assert spread == pytest.approx(60, rel=0.1)


def test_outside_is_zero():
    assert not cut_box(np.ones((20, 20, 20), np.float32), np.array([100.0, 10, 10]), 10.0).any()
    half = cut_box(np.ones((40, 40, 40), np.float32), np.array([0.0, 20, 20]), 12.5)
    assert not half[:14].any()
    assert half[18:, 16, 16].all()
