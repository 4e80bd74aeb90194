import numpy as np
import pytest

from cryoetseg.core.foundation.linking import link_detections

NOTHING = (np.zeros((0, 2)), np.zeros(0))


def seen(*points, score=0.5):
    return np.array(points, float), np.full(len(points), score)


def test_a_particle_seen_in_five_slabs_is_one_point_at_its_middle():
    linked = link_detections(range(10, 15), [seen((20, 30 + 0.2 * z)) for z in range(5)], diameter_px=8)
    np.testing.assert_allclose(linked.zyx, [[12, 20, 30.4]], atol=1e-4)
    assert linked.slabs.tolist() == [5]


def test_depth_follows_the_scores():
    detections = [seen((20, 20), score=score) for score in (0.0, 0.0, 1.0)]
    assert link_detections([0, 1, 2], detections, 8).zyx[0, 0] == pytest.approx(2, abs=1e-4)


def test_fewer_than_three_slabs_are_noise():
    detections = [seen((20, 20)), seen((20, 20)), NOTHING, NOTHING, NOTHING]
    assert len(link_detections(range(5), detections, 8).zyx) == 0
    assert len(link_detections(range(5), detections, 8, fewest_slabs=2).zyx) == 1


def test_one_empty_slab_does_not_end_a_particle_two_do():
    one_gap = [seen((20, 20)), seen((20, 20)), NOTHING, seen((20, 20)), NOTHING]
    two_gaps = [seen((20, 20)), seen((20, 20)), NOTHING, NOTHING, seen((20, 20))]
    assert len(link_detections(range(5), one_gap, 8).zyx) == 1
    assert len(link_detections(range(5), two_gaps, 8).zyx) == 0


def test_detections_beyond_half_a_diameter_are_others():
    near, far = ([seen((20, 20)), seen((20, 20 + shift)), seen((20, 20))] for shift in (4.0, 4.5))
    assert len(link_detections(range(3), near, 8).zyx) == 1
    assert len(link_detections(range(3), far, 8).zyx) == 0


def test_neighbours_are_not_mixed_up():
    detections = [seen((20, 20), (20, 27)), seen((20, 27), (20, 20)), seen((20, 20), (20, 27))]
    linked = link_detections(range(3), detections, 8)
    np.testing.assert_allclose(sorted(linked.zyx[:, 2]), [20, 27], atol=1e-4)


def test_a_column_longer_than_a_particle_is_cut():
    linked = link_detections(range(24), [seen((20, 20))] * 24, diameter_px=8)
    assert len(linked.zyx) == 2
    assert np.diff(linked.zyx[:, 0])[0] == pytest.approx(12)


def test_a_steady_particle_outscores_a_flash():
    steady = [seen((20, 20), score=0.4)] * 8
    flash = [seen((20, 20), score=0.6)] * 3 + [NOTHING] * 5
    scores = [link_detections(range(8), detections, 8).score[0] for detections in (steady, flash)]
    assert scores[0] > scores[1]


def test_slab_step_widens_gaps_and_scores():
    linked = link_detections([0, 4, 8], [seen((20, 20))] * 3, diameter_px=12, slab_step=4)
    assert linked.zyx[0, 0] == pytest.approx(4)
    assert linked.score[0] == pytest.approx(0.5)


def test_nothing_in_nothing_out():
    linked = link_detections(range(3), [NOTHING] * 3, 8)
    assert linked.zyx.shape == (0, 3)
