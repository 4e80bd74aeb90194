"""Which slices are learned, what is held out, and what does not count."""

import numpy as np
import pytest

from cryoetseg.core.runtime.errors import InputError, ParameterError
from cryoetseg.core.students.membranes.data import LabelTargets, Paint, ProbabilityTargets, held_out_block, open_labelled
from cryoetseg.core.students.membranes.params import TrainMembranesParameters
from cryoetseg.core.students.volumes import volume_from_array


def volume(labels):
    grey = np.random.default_rng(0).normal(5, 2, labels.shape).astype(np.float32)
    return volume_from_array("a", grey, 10.0, labels)


def labels_between(first, last, shape=(30, 20, 24)):
    labels = np.zeros(shape, np.int8)
    labels[first:last, 8:12, 4:20] = 1
    return labels


def test_slices_without_labels_beyond_the_labelled_range_are_not_background():
    (tomogram,) = open_labelled([volume(labels_between(6, 26))], TrainMembranesParameters(held_out=0))
    assert (tomogram.training[0], tomogram.training[-1], len(tomogram.training)) == (6, 25, 20)
    (given,) = open_labelled([volume(labels_between(6, 26))], TrainMembranesParameters(held_out=0, z_start=2, z_end=28))
    assert (given.training[0], given.training[-1]) == (2, 27)
    with pytest.raises(ParameterError, match="2:40"):
        open_labelled([volume(labels_between(6, 26))], TrainMembranesParameters(z_start=2, z_end=40))


def test_the_held_out_block_is_whole_and_no_training_stack_sees_it():
    (tomogram,) = open_labelled([volume(labels_between(0, 30))], TrainMembranesParameters(held_out=0.2, slices=5))
    np.testing.assert_array_equal(np.diff(tomogram.held_out), 1)
    assert len(tomogram.held_out) == 6
    assert np.abs(tomogram.training[:, None] - tomogram.held_out).min() == 3
    assert np.isin(tomogram.centres[:, 0], tomogram.training).all()


def test_the_held_out_block_holds_as_much_as_the_average():
    counts = np.array([0] * 10 + [10] * 10)
    chosen = counts[held_out_block(counts, 0.2)]
    assert chosen.sum() == 20
    assert len(held_out_block(counts[:5], 0.2)) == 0


def test_the_ignored_band_lies_on_both_sides_of_a_border_and_at_no_unknown_slice():
    labels = labels_between(6, 26)
    targets = LabelTargets(volume(labels), np.arange(6, 26), Paint(0, "background"), 1)
    plane = targets.plane(6, (0, 0), (20, 24))
    ignored = plane.weights == 0
    expected = np.zeros((20, 24), bool)
    expected[7:13, 4:20] = expected[8:12, 3:21] = True  # the mask and its neighbours in the plane
    expected[9:11, 5:19] = False  # what is left inside; slice 5 below is unknown, not background
    np.testing.assert_array_equal(ignored, expected)
    np.testing.assert_array_equal(plane.labels, labels[6])
    outside = targets.plane(10, (-4, 18), (8, 12)).weights
    assert not outside[:4].any()
    assert not outside[:, 6:].any()
    assert outside[4:, :6].all()


def test_one_class_of_several_can_be_the_membrane():
    labels = labels_between(0, 30)
    labels[:, 14:16] = 7
    (tomogram,) = open_labelled([volume(labels)], TrainMembranesParameters(membrane_class=7, ignore_band_px=0))
    np.testing.assert_array_equal(tomogram.targets.plane(3, (0, 0), (20, 24)).labels, labels[3] == 7)
    with pytest.raises(InputError, match="no voxel of label 3"):
        open_labelled([volume(labels)], TrainMembranesParameters(membrane_class=3))


def test_a_tomogram_without_membranes_is_background_in_all_its_slices():
    full, void = volume(labels_between(6, 26)), volume(np.zeros((30, 20, 24), np.int8))
    _, empty = open_labelled([full, void], TrainMembranesParameters(held_out=0, empty_share=0.5))
    assert (empty.training[0], empty.training[-1], len(empty.training)) == (0, 29, 20)
    target = empty.targets.plane(29, (0, 0), (20, 24))
    assert not target.labels.any()
    assert target.weights.all()
    _, fewer = open_labelled([full, void], TrainMembranesParameters(held_out=0, empty_share=0.2))
    assert len(fewer.training) == 5
    with pytest.raises(InputError, match="no voxel of membrane"):
        open_labelled([void], TrainMembranesParameters())


def painted():
    """Slices 4 and 20 painted: membrane 1, some background 2; slice 20 doubtful (-1) in one row."""
    labels = np.zeros((30, 20, 24), np.int8)
    labels[[4, 20], 8:12, 4:20], labels[[4, 20], 14:16, 4:20], labels[20, 18] = 1, 2, -1
    return labels


def test_slices_that_are_not_painted_count_for_nothing():
    parameters = TrainMembranesParameters(unpainted="painted_slices", membrane_class=1, ignore_band_px=0)
    (tomogram,) = open_labelled([volume(painted())], parameters)
    np.testing.assert_array_equal(tomogram.training, [4, 20])
    assert tomogram.targets.plane(4, (0, 0), (20, 24)).weights.all()
    assert not tomogram.targets.plane(5, (0, 0), (20, 24)).weights.any()
    np.testing.assert_array_equal(tomogram.targets.plane(20, (0, 0), (20, 24)).weights, painted()[20] >= 0)


def test_voxels_that_are_not_painted_count_for_nothing_and_crops_lie_on_paint():
    (tomogram,) = open_labelled([volume(painted())], TrainMembranesParameters(unpainted="unknown", ignore_band_px=1))
    target = tomogram.targets.plane(20, (0, 0), (20, 24))
    np.testing.assert_array_equal(target.weights, painted()[20] > 0)  # the border to what is unknown is no border
    np.testing.assert_array_equal(target.labels, painted()[20] == 1)
    assert (painted()[tuple(tomogram.elsewhere.T)] == 2).all()
    assert (painted()[tuple(tomogram.centres.T)] == 1).all()
    with pytest.raises(InputError, match="nothing is painted as background"):
        open_labelled([volume(np.minimum(painted(), 1))], TrainMembranesParameters(unpainted="unknown"))


def test_one_of_three_painted_slices_is_held_out():
    labels = painted()
    labels[12] = labels[4]
    (tomogram,) = open_labelled([volume(labels)], TrainMembranesParameters(unpainted="painted_slices"))
    assert (len(tomogram.held_out), len(tomogram.training)) == (1, 2)


def test_self_training_counts_confident_voxels_only():
    probability = np.zeros((2, 1, 4), np.float16)
    probability[1, 0] = [0.05, 0.4, 0.8, 1.0]
    plane = ProbabilityTargets(probability, 0.5).plane(1, (0, 0), (1, 6))
    np.testing.assert_array_equal(plane.labels, [[0, 0, 1, 1, 0, 0]])
    np.testing.assert_allclose(plane.weights, [[1, 0, 1, 1, 0, 0]])


def test_stacks_are_standardised_and_repeat_the_last_slice():
    v = volume(labels_between(0, 30))
    (tomogram,) = open_labelled([v], TrainMembranesParameters(normalisation="slice", slices=3, smoothing_px=0))
    stack = tomogram.stack(0, (0, 0), (20, 24), 3)
    np.testing.assert_array_equal(stack[0], stack[1])
    np.testing.assert_allclose([stack.mean(axis=(1, 2)), stack.std(axis=(1, 2))], [[0] * 3, [1] * 3], atol=1e-4)
