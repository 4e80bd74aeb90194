"""The comparison is fair: same slices, same number of picks, and the truth scores best."""

import numpy as np
import pytest

from cryoetseg.core.report.comparison import BEST_COUNT, OURS, best_count, compare_membranes, compare_picks, mean_scores, recalls

CENTRES = np.array([[8, 10, 10], [8, 10, 38], [8, 38, 24], [20, 24, 24]])


@pytest.fixture(scope="module")
def balls():
    grid = np.stack(np.meshgrid(*map(np.arange, (28, 48, 48)), indexing="ij"), -1)
    volume = np.random.default_rng(0).normal(0, 0.2, grid.shape[:3]).astype(np.float32)
    for centre in CENTRES:
        volume += 3 * (np.linalg.norm(grid - centre, axis=-1) < 4)
    return volume


@pytest.fixture(scope="module")
def sheet():
    truth = np.zeros((16, 48, 48), bool)
    truth[:, 20:24] = True
    return truth


def test_the_truth_is_perfect_and_a_baseline_is_not(sheet):
    volume = sheet + np.random.default_rng(1).normal(0, 1.0, sheet.shape).astype(np.float32)
    scores = compare_membranes(volume, {OURS: sheet.astype(np.int8)}, sheet, (4, 12))
    assert scores[OURS] == {"membrane Dice": 1.0, "surface Dice": 1.0}
    assert 0 < scores["Gaussian + Otsu"]["membrane Dice"] < 1


def test_slices_outside_the_range_do_not_count(sheet):
    mask = sheet.astype(np.int8)
    mask[:4] = 1
    assert compare_membranes(sheet.astype(np.float32), {OURS: mask}, sheet, (4, 12))[OURS]["membrane Dice"] == 1.0


def test_picks_are_scored_in_the_range_with_equal_counts(balls):
    scores = compare_picks(balls, {OURS: CENTRES[:2]}, CENTRES, (4, 12), diameter_px=8)
    assert scores[OURS] == {"precision": 1.0, "recall": pytest.approx(2 / 3), "particle F1": pytest.approx(0.8)}
    assert scores["DoG, as many"]["recall"] == pytest.approx(2 / 3)


def test_the_best_count_is_the_one_with_the_highest_f1(balls):
    hit, miss = np.array([[0.0, 0, 0], [0, 0, 9]]), np.array([[5.0, 5, 5]])
    ranked = np.concatenate([hit[:1], miss, hit[1:], miss + 9])
    assert best_count(ranked, hit, 1.0) == 3
    assert best_count(miss, hit, 1.0) == 1
    assert best_count(np.zeros((0, 3)), hit, 1.0) == 0
    scores = compare_picks(balls, {OURS: CENTRES[:1]}, CENTRES, (4, 28), diameter_px=8)
    assert scores[BEST_COUNT]["particle F1"] == 1.0


def test_nothing_found_is_scored_too(balls):
    assert compare_picks(balls, {OURS: np.zeros((0, 3))}, CENTRES, (4, 12), diameter_px=8)[OURS]["recall"] == 0


def test_means_leave_out_what_does_not_exist():
    tables = [{"a": {"F1": 0.2, "precision": np.nan}}, {"a": {"F1": 0.4, "precision": 0.5}}]
    assert mean_scores(tables) == {"a": {"F1": pytest.approx(0.3), "precision": 0.5}}


def test_recall_counts_each_known_point_once_and_in_the_order_of_the_picks():
    known = np.array([[0, 0, 0], [0, 0, 20], [0, 0, 40], [0, 0, 60]])
    ranked = np.array([[0, 0, 21], [0, 0, 19], [9, 9, 9], [0, 0, 40]])
    np.testing.assert_allclose(recalls(ranked, known, 2.0), [0.25, 0.25, 0.25, 0.5])
