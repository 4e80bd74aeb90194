"""Scores by size: who is found, what a mistake is, and how several tomograms join."""
import numpy as np
import pytest

from cryoetseg.core.metrics.evaluate_picking import ListPair, pooled_scores, size_limits
from cryoetseg.core.metrics.params import EvaluatePickingParameters
from cryoetseg.core.metrics.picking_sizes import SizedPicks, scores_by_size
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, ParameterError

TRUTH = np.array([[0.0, 0, 0], [0, 0, 50], [0, 0, 100], [0, 0, 150]])
DIAMETERS = np.array([100.0, 100, 150, 300])


def picks(at, scores, truth=TRUTH, diameters=DIAMETERS):
    return SizedPicks(np.array([[0.0, 0, x] for x in at]), np.array(scores), truth, diameters)


def test_a_pick_at_another_size_is_no_mistake_but_one_at_nothing_is():
    # best first: a large one, a mistake, a small one, a middle one
    found = scores_by_size([picks([151, 200, 2, 98], [0.9, 0.8, 0.7, 0.6])], [150, 200], radius=3)
    assert list(found) == ["below 150 A", "150 to 200 A", "from 200 A"]
    assert [scores.truth_count for scores in found.values()] == [2, 1, 1]  # a limit belongs to the larger size
    assert [scores.recall for scores in found.values()] == [0.5, 1, 1]
    assert [scores.average_precision for scores in found.values()] == pytest.approx([0.5 / 2, 1 / 2, 1])


def test_a_second_pick_at_one_particle_is_a_mistake():
    once, twice = (scores_by_size([picks(at, [0.9, 0.8, 0.7][:len(at)])], [200], 3)["below 200 A"] for at in ([0, 50], [0, 1, 50]))
    assert once.average_precision == pytest.approx(2 / 3)
    assert twice.average_precision == pytest.approx((1 + 2 / 3) / 3)
    assert once.recall == twice.recall == pytest.approx(2 / 3)


def test_tomograms_are_ranked_together():
    mistake = picks([75], [0.95], TRUTH[:0], DIAMETERS[:0])
    scores = scores_by_size([picks([0, 50], [0.99, 0.9]), mistake], [125], 3)["below 125 A"]
    assert scores.average_precision == pytest.approx((1 + 2 / 3) / 2)


def test_without_scores_there_is_recall_only():
    scores = scores_by_size([picks([0], [np.nan])], [125], 3)["below 125 A"]
    assert scores.recall == 0.5
    assert np.isnan(scores.average_precision)


def test_the_evaluation_reports_sizes_and_asks_for_diameters():
    predicted = ParticleTable.from_points([[0, 0, 0], [0, 0, 150]], voxel_size=10.0, score=[0.5, 0.4])
    truth = ParticleTable.from_points(TRUTH, voxel_size=10.0, diameters=DIAMETERS)
    parameters = EvaluatePickingParameters(size_limits="200", radius_px=3, bootstrap_repeats=0)
    scores = pooled_scores([ListPair("one", predicted, truth)], parameters, np.random.default_rng(0))
    assert scores["from 200 A"] == {"truth_count": 1, "recall": 1.0, "average_precision": pytest.approx(1.0)}
    assert scores["below 200 A"]["recall"] == pytest.approx(1 / 3)
    unsized = ParticleTable.from_points(TRUTH, voxel_size=10.0)
    with pytest.raises(InputError, match="size_limits"):
        pooled_scores([ListPair("one", predicted, unsized)], parameters, np.random.default_rng(0))


@pytest.mark.parametrize("text", ["a", "200, 100", "0, 100", "100 100", "inf"])
def test_limits_that_are_none_are_refused(text):
    with pytest.raises(ParameterError, match="size_limits"):
        size_limits(EvaluatePickingParameters(size_limits=text))
