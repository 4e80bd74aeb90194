"""What makes a result doubtful is told where it holds, and nowhere else."""
import numpy as np
import pytest
from scipy import ndimage

from cryoetseg.core.students.doubts import in_ice, sample_of, too_coarse, too_thin
from cryoetseg.core.students.volumes import volume_from_array

SHAPE = (48, 96, 96)
SAMPLE = (14, 34)  # slices


@pytest.fixture(scope="module")
def lamella():
    """Bright balls in the middle slices, in noise; voxels of 10 A."""
    rng = np.random.default_rng(0)
    points = np.zeros(SHAPE, np.float32)
    points[rng.integers(*SAMPLE, 230), rng.integers(0, 96, 230), rng.integers(0, 96, 230)] = 1
    return volume_from_array("TS_1", (ndimage.gaussian_filter(points, 2) * 60 + rng.normal(0, 1, SHAPE)).astype(np.float32), 10.0)


def test_voxels_coarser_than_those_of_the_training_are_told(lamella):
    assert too_coarse(lamella, 10.0) == []
    assert too_coarse(lamella, 9.9) == []  # a header's rounding
    assert "voxels of 10 A are coarser than the 8 A" in too_coarse(lamella, 8.0)[0]


def test_a_sample_lower_than_a_particle_is_told(lamella):
    region = sample_of(lamella)
    height = 10.0 * (region.z_range[1] - region.z_range[0])
    assert height == pytest.approx(200.0, abs=60.0)
    assert too_thin(lamella, region, height) == []
    assert f"the sample is {height:.0f} A high, less than a particle of {height + 1:.0f} A" in too_thin(lamella, region, height + 1)[0]
    assert too_thin(lamella, None, 1e6) == []


def test_picks_in_ice_are_told(lamella):
    region = sample_of(lamella)
    rng = np.random.default_rng(1)
    inside = np.c_[rng.uniform(18, 30, 30), rng.uniform(0, 95, (30, 2))]
    above = np.c_[rng.uniform(0, 7, 30), rng.uniform(0, 95, (30, 2))]
    assert in_ice(lamella, region, inside) == []
    assert in_ice(lamella, region, np.r_[inside, above[:5]]) == []
    assert "50% of the picks lie in ice" in in_ice(lamella, region, np.r_[inside, above])[0]
    assert in_ice(lamella, region, above[:3]) == []  # too few to tell
    assert in_ice(lamella, None, above) == []


def test_picks_at_the_last_voxel_are_looked_up_inside(lamella):
    region = sample_of(lamella)
    corner = np.tile(np.array(SHAPE) - 1.0, (30, 1))
    assert len(in_ice(lamella, region, corner)) == 1
