"""A bright sheet in noise, and the student that learned it."""

import numpy as np
import pytest

from cryoetseg.core.students.membranes.params import TrainMembranesParameters
from cryoetseg.core.students.membranes.train import train_membranes
from cryoetseg.core.students.volumes import volume_from_array

SHAPE = (12, 48, 64)
VOXEL_SIZE = 10.0
QUICK = {"iterations": 40, "batch_size": 4, "crop_px": 32, "slices": 3, "rounds": 0, "validation_interval": 20, "learning_rate": 3e-3,
         "ema_decay": 0.8, "ignore_band_px": 0}


def sheet(seed, shape=SHAPE):
    """An oblique sheet four voxels thick in noise as strong as itself: tomogram with bright membranes, mask."""
    generator = np.random.default_rng(seed)
    z, y, x = np.indices(shape)
    mask = np.abs(y + 0.4 * (x - shape[2] / 2) - shape[1] / 2 - 3 * np.sin(z / 4 + seed)) < 2.2
    return (100 + 2 * mask + generator.normal(0, 1, shape)).astype(np.float32), mask.astype(np.int8)


def training_volume(labels=None, seed=0):
    grey, mask = sheet(seed)
    return volume_from_array("sheet", grey, VOXEL_SIZE, mask if labels is None else labels)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    return train_membranes([training_volume()], TrainMembranesParameters(**QUICK), tmp_path_factory.mktemp("student"), 0, "cpu")
