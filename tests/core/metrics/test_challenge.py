"""The challenge's score on cases that can be counted by hand."""
import numpy as np
import pytest

from cryoetseg.core.metrics.challenge import CZII, Counts, Wanted, challenge_counts, challenge_score, f_beta

TRUTH = [[0, 0, 0], [100, 0, 0], [0, 100, 0]]


@pytest.mark.parametrize(("picks", "expected"), [
    ([], (0, 0, 3)), (TRUTH, (3, 0, 0)), ([[30, 0, 0]], (1, 0, 2)), ([[30.1, 0, 0]], (0, 1, 3)),
    ([[0, 0, 1], [0, 0, -1]], (1, 1, 2)), ([[500, 0, 0], *TRUTH], (3, 1, 0))])
def test_a_hit_lies_within_reach_and_doubles_are_wrong(picks, expected):
    assert challenge_counts(picks, TRUTH, 30) == expected


def test_a_pick_between_two_particles_hits_both():
    assert challenge_counts([[50, 0, 0]], TRUTH, 50) == (2, -1, 1)


def test_picks_where_nothing_is():
    assert challenge_counts([[1, 2, 3]], [], 30) == (0, 1, 0)


def test_f_beta_is_the_formula_of_precision_and_recall():
    counts = Counts(8, 4, 2)
    precision, recall = 8 / 12, 8 / 10
    assert f_beta(counts) == pytest.approx(17 * precision * recall / (16 * precision + recall))
    assert f_beta(counts, 1) == pytest.approx(2 * precision * recall / (precision + recall))
    assert f_beta(Counts(0, 5, 0)) == 0
    assert f_beta(Counts(8, 4, 2)) - f_beta(Counts(8, 5, 2)) < f_beta(Counts(8, 4, 2)) - f_beta(Counts(7, 4, 3))  # missing costs more


def test_the_score_is_the_mean_by_weights():
    objects = {"easy": Wanted(60), "hard": Wanted(90, 2)}
    assert challenge_score({"easy": Counts(1, 0, 0)}, objects) == pytest.approx(1 / 3)
    assert challenge_score({name: Counts(2, 0, 0) for name in CZII}) == 1
    assert np.isclose(sum(item.weight for item in CZII.values()), 7)
