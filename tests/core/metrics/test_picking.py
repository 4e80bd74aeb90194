"""Matching of picks."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from cryoetseg.core.metrics.picking import hits_by_rank, match_points, precision_recall_curve, precision_recall_f1, recall_at

coordinates = arrays(np.float64, st.tuples(st.integers(0, 9), st.just(3)), elements=st.integers(0, 6).map(float))


def test_two_predictions_on_one_truth_are_one_hit_and_one_false():
    scores = precision_recall_f1([[0, 0, 0], [0, 0, 1]], [[0, 0, 0.5]], 10)
    assert (scores.true_positives, scores.false_positives, scores.false_negatives) == (1, 1, 0)
    assert (scores.precision, scores.recall) == (0.5, 1.0)
    assert scores.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(("distance", "hits"), [(10.0, 1), (10.1, 0), (9.9, 1)])
def test_radius_is_inclusive(distance, hits):
    """Spec 1.11: a prediction at 10.0 voxels counts, at 10.1 does not."""
    assert precision_recall_f1([[5.0, 3.0, 0.1 + distance]], [[5.0, 3.0, 0.1]], 10).true_positives == hits


def test_matching_is_maximum_not_greedy():
    """Greedy nearest first would pair the middle prediction with the middle truth and leave two without partner."""
    predicted, truth = [[0, 0, 0.0], [0, 0, 4.0]], [[0, 0, 3.0], [0, 0, 7.0]]
    assert len(match_points(predicted, truth, 3).distance) == 2


@given(predicted=coordinates, truth=coordinates, radius=st.floats(0.5, 5))
@settings(max_examples=50, deadline=None)
def test_matching_has_the_size_of_an_optimal_assignment(predicted, truth, radius):
    allowed = cdist(predicted, truth) <= radius + 1e-6 if len(predicted) and len(truth) else np.zeros((len(predicted), len(truth)))
    best = int(allowed[linear_sum_assignment(-allowed.astype(float))].sum())
    matching = match_points(predicted, truth, radius)
    assert len(matching.distance) == best
    assert len(set(matching.truth_index.tolist())) == best
    assert (matching.distance <= radius + 1e-6).all()
    ranked = hits_by_rank(predicted, truth, radius)
    for count in range(len(predicted) + 1):
        assert ranked[:count].sum() == len(match_points(predicted[:count], truth, radius).distance)


def test_empty_lists():
    assert precision_recall_f1(np.zeros((0, 3)), np.zeros((0, 3)), 5).f1 == 1.0
    nothing_found = precision_recall_f1(np.zeros((0, 3)), [[1, 1, 1]], 5)
    assert (nothing_found.recall, nothing_found.f1) == (0.0, 0.0)
    assert np.isnan(nothing_found.precision)
    assert recall_at(np.zeros((0, 3)), [[1, 1, 1]], 5, [10]) == [0.0]


def test_curve_ranks_by_score():
    truth = [[0, 0, 0], [0, 0, 20], [0, 0, 40]]
    predicted = [[0, 0, 41], [0, 9, 0], [0, 0, 1]]
    curve = precision_recall_curve(predicted, [0.2, 0.9, 0.8], truth, 3)
    assert curve.score.tolist() == [0.9, 0.8, 0.2]
    np.testing.assert_allclose(curve.precision, [0, 1 / 2, 2 / 3])
    np.testing.assert_allclose(curve.recall, [0, 1 / 3, 2 / 3])
    assert curve.average_precision == pytest.approx((1 / 2 + 2 / 3) / 3)


def test_recall_at_counts():
    truth = [[0, 0, 0], [0, 0, 20]]
    assert recall_at([[0, 0, 0], [0, 0, 1], [0, 0, 20]], truth, 2, [1, 2, 3, 99]) == [0.5, 0.5, 1.0, 1.0]
