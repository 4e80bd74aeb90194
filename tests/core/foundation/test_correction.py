import numpy as np

from cryoetseg.core.foundation.correction import correct_slabs, corrected_slab
from cryoetseg.core.foundation.params import AggregationParameters
from cryoetseg.core.foundation.slabs import minmax

DEFAULT = AggregationParameters()


def picture(seed):
    return minmax(np.random.default_rng(seed).normal(size=(32, 32)), 255.0)


def test_outlier_between_equal_neighbours_is_replaced_by_their_mean():
    neighbour = picture(0)
    corrected, branch = corrected_slab(neighbour, picture(1), neighbour + 0.5, DEFAULT)
    assert branch == "replaced"
    np.testing.assert_allclose(corrected, neighbour, atol=0.01)


def test_otherwise_neighbours_are_blended_in():
    previous, current, following = picture(0), picture(1), picture(2)
    corrected, branch = corrected_slab(previous, current, following, DEFAULT)
    assert branch == "blended"
    np.testing.assert_allclose(corrected, minmax(current + 0.5 * previous + 0.5 * following, 255.0))


def test_a_similar_slab_is_blended_even_between_equal_neighbours():
    neighbour = picture(0)
    assert corrected_slab(neighbour, neighbour + 1, neighbour, DEFAULT)[1] == "blended"


def test_stack_really_changes_and_its_edges_do_not():
    stack = np.array([picture(seed) for seed in range(5)])
    corrected, branches = correct_slabs(stack, DEFAULT)
    assert branches == ["kept", "blended", "blended", "blended", "kept"]
    assert np.array_equal(corrected[[0, -1]], stack[[0, -1]])
    assert (np.abs(corrected[1:-1] - stack[1:-1]).mean(axis=(1, 2)) > 5).all()


def test_neighbours_are_read_uncorrected():
    stack = np.array([picture(seed) for seed in range(4)])
    corrected, _ = correct_slabs(stack, DEFAULT)
    np.testing.assert_allclose(corrected[2], corrected_slab(stack[1], stack[2], stack[3], DEFAULT)[0])


def test_short_and_constant_stacks_pass():
    for count in (1, 2):
        stack = np.array([picture(seed) for seed in range(count)])
        assert np.array_equal(correct_slabs(stack, DEFAULT)[0], stack)
    assert correct_slabs(np.zeros((3, 16, 16)), DEFAULT)[0].max() == 0
