"""Which voxels are one membrane: apart, touching, crossing, doubled, and what must stay whole."""
import numpy as np
import pytest

from cryoetseg.core.surfaces.instances import membrane_instances

VOXEL_SIZE, THICKNESS = 10.0, 50.0


def shell(axes, centre, radius):
    return np.abs(np.sqrt(sum((axis - middle) ** 2 for axis, middle in zip(axes, centre))) - radius) <= THICKNESS / 2


def sheet(distance):
    return np.abs(distance) <= THICKNESS / 2


def shares(parts, split_angle=35.0):
    """Labels found, and the share of each part (rows) under each label (columns)."""
    labels = membrane_instances(np.logical_or.reduce(parts), 100, split_angle)
    return np.array([[(labels[part] == number).mean() for number in range(1, labels.max() + 1)] for part in parts])


@pytest.fixture
def axes(space):
    return space((600, 700, 700), VOXEL_SIZE)


def touching(axes):
    z, _y, x = axes
    slope = np.deg2rad(50)
    return {
        "vesicle on a sheet": [sheet(z + 200), shell(axes, (-200 + THICKNESS + 170, 0, 0), 170)],
        "vesicle pressed into a sheet": [sheet(z + 200), shell(axes, (-200 + THICKNESS + 150, 0, 0), 170)],
        "two vesicles": [shell(axes, (0, -165, 0), 140), shell(axes, (0, 160, 0), 140)],
        "sheets that cross": [sheet(z), sheet(x)],
        "sheets that cross obliquely": [sheet(z), sheet(x * np.sin(slope) + z * np.cos(slope))],
        "a sheet that ends on another": [sheet(z + 150), sheet(x) & (z > -150)],
        "a double membrane": [sheet(z), sheet(z - THICKNESS - 20)],
    }


@pytest.mark.parametrize("name", ["vesicle on a sheet", "vesicle pressed into a sheet", "two vesicles", "sheets that cross",
                                  "sheets that cross obliquely", "a sheet that ends on another", "a double membrane"])
def test_two_membranes_are_two(axes, name):
    found = shares(touching(axes)[name])
    assert found.shape == (2, 2)
    assert max(np.diag(found).min(), np.diag(found[:, ::-1]).min()) > 0.92


def test_what_touches_is_one_without_splitting(axes):
    assert shares(touching(axes)["sheets that cross"], None).shape == (2, 1)


def test_one_membrane_stays_one(axes):
    z, y, x = axes
    whole = {"sphere": shell(axes, (0, 0, 0), 220), "tube": sheet(np.hypot(z, x) - 100),
             "torus": sheet(np.hypot(np.hypot(y, x) - 200, z) - 90), "rough sheet": sheet(z - 80 * np.sin(x / 90) - 50 * np.cos(y / 120))}
    for name, mask in whole.items():
        assert shares([mask]).tolist() == [[1.0]], name


def test_small_ones_are_left_out_and_the_largest_comes_first(axes):
    z, y, x = axes
    crumb, large, small = (np.abs(z) < 15) & (np.abs(y) < 15) & (np.abs(x) < 15), sheet(z + 200), sheet(z - 200) & (x < 0)
    labels = membrane_instances(crumb | large | small, 100)
    assert labels.max() == 2
    assert (labels[large] == 1).all()
    assert (labels[small] == 2).all()
    assert not labels[crumb].any()
