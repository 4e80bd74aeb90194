"""MP-NMS against the published check values, and its independence of the tiling."""
import numpy as np
import pytest

from cryoetseg.core.students.picker.labels import paint, template
from cryoetseg.core.students.picker.nms import (
    Peaks,
    find_peaks,
    isolated_height,
    maxima,
    pool,
    pooling_passes,
    published_distance,
    suppress,
)


def test_number_of_passes():
    assert [pooling_passes(diameter) for diameter in (23, 17, 30, 13)] == [6, 5, 8, 4]  # DeepETPicker 2.6


@pytest.mark.parametrize(("label", "diameter", "height"), [  # DeepETPicker 2.6
    (11, 23, 0.679), (9, 23, 0.479), (7, 23, 0.279), (5, 23, 0.110), (9, 17, 0.560), (7, 13, 0.423), (13, 30, 0.701), (15, 30, 0.822),
])
def test_height_of_one_label(label, diameter, height):
    assert isolated_height("gaussian", label, pooling_passes(diameter)) == pytest.approx(height, abs=1e-3)


def test_one_label_gives_one_peak_at_its_centre():
    labels = paint((0, 0, 0), (41, 43, 45), [[20, 21, 22]], 1, "gaussian", 11)
    peaks = find_peaks(labels[None] > 0, 6)
    assert peaks.zyx.tolist() == [[20, 21, 22]]
    assert peaks.score[0] == pytest.approx(0.679, abs=1e-3)


@pytest.mark.parametrize(("passes", "smallest"), [(4, 2.25), (5, 2.5), (6, 3.0), (8, 3.25)])
def test_smallest_ball_that_is_seen(passes, smallest):
    axis = np.arange(-24, 25) ** 2
    distance = np.sqrt(axis[:, None, None] + axis[:, None] + axis)

    def height(radius):
        return pool((distance <= radius).astype(np.float32), passes).max()

    assert height(smallest) > 0.1 > height(smallest - 0.25)
    assert height(2.0) < 0.1 if passes >= 5 else True


@pytest.mark.parametrize(("apart", "expected"), [(10, [25]), (12, None), (14, [18, 32])])
def test_neighbours_merge_or_stay(apart, expected):
    first = 25 - apart // 2
    labels = paint((0, 0, 0), (41, 41, 51), [[20, 20, first], [20, 20, first + apart]], 1, "gaussian", 11)
    peaks = find_peaks(labels[None] > 0, 6)
    if apart == 12:  # pulled one voxel inwards, DeepETPicker 2.6
        expected = [first + 1, first + apart - 1]
    found = sorted(set(peaks.zyx[:, 2]))
    assert found == expected
    assert set(map(tuple, peaks.zyx[:, :2])) == {(20, 20)}


def order(peaks):
    return np.lexsort((*peaks.zyx.T, peaks.class_id))


def test_peaks_do_not_depend_on_tiles_and_bytes_count_as_255ths():
    generator = np.random.default_rng(1)
    probabilities = np.stack([pool((generator.random((40, 44, 48)) < 0.03).astype(np.float32), 2) for _ in range(2)])
    probabilities = np.rint(255 * probabilities / probabilities.max()).astype(np.uint8)
    for cut in (0.5, None):
        whole = find_peaks(probabilities, 2, 0.1, cut, tile=64)
        tiled = find_peaks(probabilities, 2, 0.1, cut, tile=16)
        assert set(whole.class_id) == {1, 2}
        np.testing.assert_array_equal(np.c_[whole.zyx, whole.class_id][order(whole)], np.c_[tiled.zyx, tiled.class_id][order(tiled)])
        np.testing.assert_allclose(whole.score[order(whole)], tiled.score[order(tiled)], atol=1e-6)


def test_labels_at_faces_edges_and_corners_of_tiles_are_found_once():
    places = [[16 * a + 8 * b, 16 * a + 8 * b, 16 * a + 8 * c] for a in (1, 2) for b in (0, 1) for c in (0, 1)]
    places = [place for place in places if max(place) < 44]
    labels = np.zeros((1, 48, 48, 48), dtype=bool)
    for z, y, x in places:
        labels[0, z - 1:z + 2, y - 1:y + 2, x - 1:x + 2] = template("cubic", 3)
    peaks = find_peaks(labels, 2, 0.1, tile=16)
    assert sorted(peaks.zyx.tolist()) == sorted(map(list, places))


def test_duplicates_go_across_classes_and_the_higher_stays():
    peaks = Peaks(np.array([[0, 0, 0], [0, 0, 3], [0, 0, 5.0]]), np.array([1, 2, 1]), np.array([0.9, 0.8, 0.7]))
    assert published_distance([7, 9, 23]) == 4
    kept = suppress(peaks, 4)
    assert kept.zyx[:, 2].tolist() == [0, 5]
    assert kept.class_id.tolist() == [1, 1]
    assert suppress(peaks, 3).zyx[:, 2].tolist() == [0, 3]  # nearer than 3 goes, at 3 stays; 5 is nearer than 3 to the second
    assert len(suppress(peaks, 0).zyx) == 3
    assert peaks.first(1).zyx.tolist() == [[0, 0, 0]]
    assert len(maxima(np.zeros((5, 5, 5)), 0.1)) == 0
