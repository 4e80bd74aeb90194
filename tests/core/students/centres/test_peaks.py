"""From hills to particles."""

import numpy as np
import pytest

from cryoetseg.core.students.centres.peaks import Centres, joined, tops, without_doubles
from cryoetseg.core.students.centres.targets import BOUND, HEAT, WIDTH


def answer(places, widths=0.0, sigma=1.2, low=-8.0, side=20):
    """Parabolic hills of logits at ``places`` in cells."""
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1)
    hills = [6 - ((grid - place) ** 2).sum(axis=-1) / (2 * sigma**2) for place in places]
    result = np.zeros((3, side, side, side), np.float32)
    result[HEAT] = np.maximum(np.max(hills, axis=0), low)
    result[WIDTH], result[BOUND] = widths, 2.0
    return result


def test_tops_come_between_cells_and_in_voxels():
    place = np.array([7.3, 10.0, 12.6])
    found = tops(answer([place]), 0.0)
    np.testing.assert_allclose(found.zyx, [2 * place + 0.5], atol=0.05)
    assert found.diameter == pytest.approx([8.0])
    assert found.bound == pytest.approx([1 / (1 + np.exp(-2.0))])


def test_faint_tops_and_diameters_of_other_scales_are_left_out():
    assert len(tops(answer([(10, 10, 10)]), 7.0).zyx) == 0
    assert len(tops(answer([(10, 10, 10)], widths=2.0), 0.0).zyx) == 0  # 32 voxels
    assert len(tops(answer([(10, 10, 10)], widths=-1.5), 0.0).zyx) == 0  # 2.8 voxels
    assert len(tops(answer([(10, 10, 10)], widths=1.0), 0.0).zyx) == 1


def test_a_top_at_a_face_is_found():
    found = tops(answer([(0, 5, 5)]), 0.0)
    np.testing.assert_allclose(found.zyx, [[0.5, 10.5, 10.5]], atol=1e-6)


def centres(places, diameters, logits):
    return Centres(np.array(places, float), np.array(diameters, float), np.array(logits, float), np.zeros(len(places)))


def test_the_better_of_two_on_one_particle_stays_and_a_neighbour_too():
    found = joined([centres([(10, 10, 10), (10, 10, 13)], [8, 8], [1.0, 3.0]), centres([(10, 10, 22)], [8], [2.0])])
    assert found.logit.tolist() == [3.0, 2.0, 1.0]
    assert without_doubles(found).zyx[:, 2].tolist() == [13, 22]
    assert without_doubles(found, distance_px=2.0).zyx[:, 2].tolist() == [13, 22, 10]
    assert without_doubles(found, distance_px=10.0).zyx[:, 2].tolist() == [13]


def test_the_larger_particle_decides_how_near_is_too_near():
    found = centres([(0, 0, 0), (0, 0, 9)], [20, 6], [2.0, 1.0])
    assert len(without_doubles(found).zyx) == 1
    assert len(without_doubles(centres([(0, 0, 0), (0, 0, 9)], [8, 6], [2.0, 1.0])).zyx) == 2


def test_scaling_keeps_the_outer_faces():
    found = centres([(0, 0.5, 1)], [6], [1.0]).scaled(2)
    assert found.zyx.tolist() == [[0.5, 1.5, 2.5]]
    assert found.diameter.tolist() == [12]
