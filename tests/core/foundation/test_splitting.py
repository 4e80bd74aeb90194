import sys

import numpy as np
import pytest

from cryoetseg.core.foundation.params import SplittingParameters
from cryoetseg.core.foundation.splitting import make_splitter, opened, watershed_regions
from cryoetseg.core.runtime.errors import WeightsError

Y, X = np.mgrid[:64, :128]


def disc(y, x, radius):
    return (Y - y) ** 2 + (X - x) ** 2 <= radius**2


def test_touching_discs_are_cut_apart():
    labels = watershed_regions(disc(30, 30, 5) | disc(30, 39, 5), 10)
    assert labels[30, 30] != labels[30, 39]
    assert np.unique(labels[labels > 0]).size == 2


def test_a_lone_disc_stays_whole():
    mask = disc(30, 60, 12)
    labels = watershed_regions(mask, 25)
    assert np.array_equal(labels > 0, mask)
    assert np.unique(labels[labels > 0]).size == 1


def test_a_membrane_is_not_cut_into_beads():
    labels = watershed_regions((Y > 20) & (Y < 24), 20)
    assert np.unique(labels[labels > 0]).size == 1


def test_a_particle_on_a_membrane_comes_off():
    line = (Y > 40) & (Y < 44) & (X > 5) & (X < 120)
    labels = watershed_regions(line | disc(38, 60, 8), 16)
    particle = labels == labels[37, 60]
    assert not particle[42, 10]
    assert particle.sum() < 1.4 * disc(38, 60, 8).sum()


def test_labels_cover_the_mask_and_nothing_else():
    mask = np.random.default_rng(0).random((64, 64)) < 0.4
    labels = watershed_regions(mask, 8)
    assert labels.dtype == np.int32
    assert np.array_equal(labels > 0, mask)
    assert watershed_regions(np.zeros((16, 16), bool), 8).max() == 0


def test_opening_removes_what_is_thinner_than_its_disc():
    mask = disc(30, 30, 8) | (np.abs(Y - 30) <= 1)
    result = opened(mask, 4)
    assert result[30, 30]
    assert not result[30, 100]
    assert not (result & ~mask).any()


def test_splitter_takes_its_scale_from_the_diameter():
    split = make_splitter(SplittingParameters(particle_diameter=100.0), 10.0)
    assert np.unique(split(disc(30, 30, 5) | disc(30, 39, 5))).tolist() == [0, 1, 2]


def test_cellpose_without_the_package_is_one_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cellpose", None)
    monkeypatch.setitem(sys.modules, "cellpose.models", None)
    with pytest.raises(WeightsError, match="watershed"):
        make_splitter(SplittingParameters(splitter="cellpose"), 10.0)


def test_a_bulging_body_is_not_cut_into_parts_nearer_than_a_third_of_its_size():
    labels = watershed_regions(disc(30, 30, 8) | disc(30, 38, 8), 25)
    assert np.unique(labels[labels > 0]).size == 1
