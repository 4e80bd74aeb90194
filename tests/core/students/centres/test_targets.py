"""What the network of centres should answer."""

import numpy as np
import pytest

from cryoetseg.core.students.centres.targets import LARGEST_PX, SMALLEST_PX, centre_targets, matched

SHAPE = (32, 32, 32)


def targets(zyx, diameter, bound=0.0):
    return centre_targets(np.array([zyx], float), np.array([diameter], float), np.array([bound]), SHAPE)


def test_the_hill_stands_where_the_particle_is_on_the_halved_grid():
    found = targets((10.5, 16.5, 20.5), 10.0, bound=1.0)
    assert found.heat.shape == (16, 16, 16)
    assert found.heat[5, 8, 10] == pytest.approx(1)
    assert found.heat.max() == found.heat[5, 8, 10]
    assert found.centre.sum() == 1
    assert found.centre[5, 8, 10] == 1
    assert found.width[5, 8, 10] == pytest.approx(np.log2(10 / 8))
    assert found.bound[5, 8, 10] == 1
    assert (found.graded == (found.heat >= 0.3)).all()
    assert found.weight.all()


def test_wider_particles_have_wider_hills():
    areas = [(targets((16.5, 16.5, 16.5), diameter).heat > 0.3).sum() for diameter in (6, 15, 22)]
    assert areas[0] < areas[1] < areas[2]


@pytest.mark.parametrize("diameter", [SMALLEST_PX * 0.9, LARGEST_PX * 1.1])
def test_what_is_too_small_or_too_large_for_the_scale_counts_for_nothing_where_it_lies(diameter):
    found = targets((16.5, 16.5, 16.5), diameter)
    assert not found.heat.any()
    assert not found.centre.any()
    assert found.weight[8, 8, 8] == 0
    assert found.weight[0, 0, 0] == 1


def test_grain_is_background():
    assert targets((16.5, 16.5, 16.5), 2.0).weight.all()


def test_a_centre_is_learned_even_inside_a_body_that_is_left_out():
    found = centre_targets(np.array([[16.5, 16.5, 16.5], [16.5, 16.5, 20.5]]), np.array([30.0, 8.0]), np.zeros(2), SHAPE)
    assert found.weight[8, 8, 8] == 0
    assert found.weight[8, 8, 10] == 1
    assert found.centre[8, 8, 10] == 1


def test_particles_outside_the_crop_leave_only_the_part_of_their_hill_that_reaches_in():
    found = targets((-1.5, 16.5, 16.5), 20.0)
    assert not found.centre.any()
    assert 0 < found.heat[0, 8, 8] < 1


def test_each_true_particle_is_found_once_and_by_the_nearest():
    truth = np.array([[0.0, 0, 0], [10, 0, 0]])
    found = np.array([[0.0, 0, 1], [0, 0, 2], [10, 0, 6], [11, 0, 0]])
    assert matched(found, truth, np.array([3.0, 3.0])).tolist() == [True, False, False, True]
    assert matched(found, np.zeros((0, 3)), np.zeros(0)).tolist() == [False] * 4
    small_and_large = matched(np.array([[0.0, 0, 2]]), np.array([[0.0, 0, 0], [0, 0, 6]]), np.array([1.0, 5.0]))
    assert small_and_large.tolist() == [True]  # out of the small one's reach, within the large one's
