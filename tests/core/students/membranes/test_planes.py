"""Crops read from planes on the device are those cut from the volumes."""
import numpy as np
import pytest
import torch

from cryoetseg.core.students.membranes import planes
from cryoetseg.core.students.membranes.data import open_labelled
from cryoetseg.core.students.membranes.params import TrainMembranesParameters
from cryoetseg.core.students.membranes.task import MembraneTask
from cryoetseg.core.students.membranes.volume_task import DEPTH, VolumeMembraneTask
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.training import resident

from .conftest import VOXEL_SIZE, sheet

# what numpy and scipy made, crop by crop, of the items 0 to 5: places and turns, grey values, labels, weights
GOLDEN = {
    "extended": [[34.74, 3.196, -2.45], [29.354, 0.337, -0.278], [314.992, 12.787, -12.746], [-48.373, -1.426, -2.458], [20.873, -2.399,
        -5.178], [-157.125, -1.608, 0.91]],
    "published": [[-29.496, 0.122, 1.855], [54.195, -0.998, -0.881], [3.961, 1.667, 0.668], [70.123, -1.725, -0.365], [-12.074, 1.23,
        11.245], [112.568, -2.999, -0.365]],
    "volume": [[-291.687, -22.112, 0.52], [-154.585, -0.853, -0.633], [375.023, -48.089, -19.488], [-38.206, 11.948, 1.162], [-520.51,
        -11.651, -1.628], [91.697, -11.14, 31.297]]}
CASES = {"extended": (MembraneTask, {"ignore_band_px": 2, "smoothing_px": 0.7, "slices": 5}),
         "published": (MembraneTask, {"augmentation": "published", "normalisation": "slice", "crop_px": 64}),
         "volume": (VolumeMembraneTask, {})}


def task_of(name):
    kind, changes = CASES[name]
    p = TrainMembranesParameters(**{"crop_px": 32, "slices": 3, "ignore_band_px": 0, **changes})
    scenes = [sheet(seed, shape) for seed, shape in ((0, (12, 48, 64)), (1, (10, 40, 56)))]
    volumes = [volume_from_array(str(number), grey, VOXEL_SIZE, mask) for number, (grey, mask) in enumerate(scenes)]
    return kind(open_labelled(volumes, p), p, 0)


def items_of(task, count=6):
    return [task.item(index, np.random.default_rng(index)) for index in range(count)]


def told(items):
    """Numbers that any other place, turn or value changes."""
    return [[float((part.ravel().astype(float) * np.cos(np.arange(part.size))).sum()) for part in item.values()] for item in items]


@pytest.mark.parametrize("name", CASES)
def test_items_are_what_they_were(name):
    np.testing.assert_allclose(told(items_of(task_of(name))), GOLDEN[name], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_items_are_the_same_bit_for_bit_from_planes_that_are_not_kept(name, monkeypatch):
    kept = items_of(task_of(name))
    monkeypatch.setattr(resident, "MOST_BYTES", 0)
    for one, other in zip(kept, items_of(task_of(name)), strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[key], other[key]) for key in one)


def test_a_training_that_shows_less_than_the_slices_hold_does_not_make_them_whole():
    tomograms = task_of("published")._tomograms
    voxels = sum((len(tomogram.training) + 1) * 64 * 64 for tomogram in tomograms)
    assert planes.Planes(tomograms, 32, 1, 2 * voxels // 32**2).fit
    assert not planes.Planes(tomograms, 32, 1, voxels // 32**2 // 8).fit


def test_a_batch_is_its_items_and_travels_as_places():
    task = task_of("published")
    drawn = [task.place(index, np.random.default_rng(index)) for index in range(6)]
    assert sum(part.nbytes for part in drawn[0].values()) < 200
    batch = task.gather({name: torch.from_numpy(np.stack([place[name] for place in drawn])) for name in drawn[0]})
    for number, item in enumerate(items_of(task)):
        assert all(np.array_equal(batch[name][number], item[name]) for name in item)


def test_slices_that_do_not_teach_weigh_nothing():
    task = task_of("volume")
    for item in items_of(task, 3):
        taught = item["weights"].any(axis=(0, 2, 3))
        assert 0 < taught.sum() < DEPTH
