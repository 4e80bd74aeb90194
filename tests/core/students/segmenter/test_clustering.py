"""Groups of voxels against phantoms whose particles are known."""
import numpy as np
import pytest

from cryoetseg.core.metrics.picking import match_points
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.students.segmenter import clustering
from cryoetseg.core.students.segmenter.clustering import connected_groups, mean_shift_groups, object_sizes
from cryoetseg.core.students.segmenter.params import SegmentClassesParameters
from cryoetseg.core.students.segmenter.particles import find_particles

SHAPE = (40, 60, 60)
BALL = {1: 5, 2: 3}  # radius in voxels
SIZES = {value: int(4 / 3 * np.pi * radius**3) for value, radius in BALL.items()}


def class_map_of(particles, shape=SHAPE):
    """Balls (class, centre)."""
    volume = np.zeros(shape, np.int8)
    for value, centre in particles:
        z, y, x = (np.arange(size).reshape([-1 if axis == own else 1 for own in range(3)]) - c
                   for axis, (size, c) in enumerate(zip(shape, centre)))
        volume[z**2 + y**2 + x**2 <= BALL[value] ** 2] = value
    return volume


def found(class_map, confidence=None, sizes=SIZES, **settings):
    return find_particles(class_map, confidence, sizes, SegmentClassesParameters(**settings), 10.0, classes=2)


@pytest.mark.parametrize("method", ["components", "mean_shift"])
def test_separate_particles_are_found_where_they_are_with_their_class(method):
    truth = [(1, (10, 10, 10)), (1, (30, 45, 12)), (2, (20, 30, 40)), (2, (5, 50, 50)), (1, (34, 12, 52))]
    table = found(class_map_of(truth), clustering=method, cluster_radius=35.0)
    assert len(table) == len(truth)
    matching = match_points(table.zyx, [centre for _, centre in truth], 0.5)
    assert len(matching.distance) == len(truth)
    np.testing.assert_array_equal(table.class_id[matching.predicted_index], np.array([v for v, _ in truth])[matching.truth_index])
    np.testing.assert_allclose(table.diameters[table.class_id == 1], 100, rtol=0.02)


@pytest.mark.parametrize("method", ["components", "mean_shift"])
def test_touching_particles_are_cut_apart(method):
    table = found(class_map_of([(1, (20, 20, 20)), (1, (20, 20, 30)), (1, (20, 29, 25))]), clustering=method, cluster_radius=40.0)
    assert len(match_points(table.zyx, [(20, 20, 20), (20, 20, 30), (20, 29, 25)], 1.5).distance) == len(table) == 3


@pytest.mark.parametrize("method", ["components", "mean_shift"])
def test_a_particle_in_pieces_of_several_classes_is_one_particle_of_the_class_with_most_voxels(method):
    class_map = class_map_of([(1, (20, 20, 20))])
    class_map[20] = 0  # a gap through the middle
    class_map[:, :, :18][class_map[:, :, :18] > 0] = 2
    table = found(class_map, clustering=method, cluster_radius=45.0)
    assert len(table) == 1
    assert table.class_id[0] == 1
    np.testing.assert_allclose(table.zyx[0], (20, 20, 20), atol=0.5)
    assert 0.5 < table.score[0] < 0.9  # part of the voxels voted for another class


def test_what_is_too_small_or_too_large_for_its_class_is_no_particle():
    class_map = class_map_of([(1, (10, 10, 10)), (2, (30, 30, 30))])
    class_map[30, 50, 50:53] = 2
    assert len(found(class_map, smallest_part=0.0)) == 3
    assert sorted(found(class_map).class_id) == [1, 2]
    assert found(class_map, sizes={}, smallest_part=0.0).class_id.tolist() == found(class_map, smallest_part=0.0).class_id.tolist()
    limited = find_particles(class_map, None, SIZES, SegmentClassesParameters(sizes="1:1-100, 2:2-5"), 10.0, classes=2)
    assert len(limited) == 1
    assert limited.zyx[0].tolist() == [30, 50, 51]
    with pytest.raises(ParameterError, match="3:5-9"):
        find_particles(class_map, None, SIZES, SegmentClassesParameters(sizes="3:5-9"), 10.0, classes=2)


def test_scores_are_the_mean_confidence_and_can_be_limited():
    class_map = class_map_of([(1, (10, 10, 10)), (1, (30, 30, 30))])
    confidence = np.full(SHAPE, 90, np.int8)
    confidence[25:] = 40
    assert found(class_map, confidence).score.round(6).tolist() == [0.9, 0.4]
    assert len(found(class_map, confidence, smallest_score=0.5)) == 1


def test_an_empty_class_map_gives_no_particles():
    for method in ("components", "mean_shift"):
        assert len(found(np.zeros(SHAPE, np.int8), clustering=method)) == 0


@pytest.mark.parametrize("by_class", [False, True])
def test_slabs_give_the_groups_of_the_whole_volume(monkeypatch, by_class):
    random = np.random.default_rng(1)
    class_map = (random.random((24, 20, 22)) < 0.1) * random.integers(1, 3, (24, 20, 22))
    confidence = random.integers(0, 101, class_map.shape)
    whole = connected_groups(class_map, confidence, 2, by_class=by_class)
    monkeypatch.setattr(clustering, "SLAB_VOXELS", 20 * 22 * 3)
    pieces = connected_groups(class_map, confidence, 2, by_class=by_class)
    order = [np.lexsort(groups.seed[None]) for groups in (whole, pieces)]
    assert len(whole.clusters) > 50
    for name in ("zyx", "votes", "scores"):
        np.testing.assert_allclose(getattr(whole.clusters, name)[order[0]], getattr(pieces.clusters, name)[order[1]])
    np.testing.assert_array_equal(whole.low[order[0]], pieces.low[order[1]])
    np.testing.assert_array_equal(whole.high[order[0]], pieces.high[order[1]])


def test_blocks_of_mean_shift_give_the_groups_of_the_whole_volume(monkeypatch):
    truth = [(1, (8, 9, 30)), (1, (30, 29, 31)), (2, (20, 45, 45)), (1, (20, 20, 12))]
    whole = mean_shift_groups(class_map_of(truth), None, 4.0, 2)
    monkeypatch.setattr(clustering, "BLOCK", 24)
    pieces = mean_shift_groups(class_map_of(truth), None, 4.0, 2)
    assert len(whole) == len(pieces) == len(truth)
    assert len(match_points(whole.zyx, pieces.zyx, 0.3).distance) == len(truth)


def test_usual_sizes_are_medians_of_connected_objects():
    first = class_map_of([(1, (10, 10, 10)), (1, (30, 30, 30)), (2, (10, 40, 40))])
    second = class_map_of([(1, (20, 20, 20))])
    second[0, 0, 0] = 1
    ball = int((class_map_of([(1, (20, 20, 20))]) == 1).sum())
    assert object_sizes([first, second]) == {1: ball, 2: int((first == 2).sum())}
