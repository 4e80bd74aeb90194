"""Scores of particle positions by one-to-one matching with the truth within a radius."""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

TOLERANCE = 1e-6  # voxels; a distance of exactly the radius counts whatever its rounding


class Matching(NamedTuple):
    """Pairs (indices into both lists, distances in voxels) and how many points each list had."""

    predicted_index: np.ndarray
    truth_index: np.ndarray
    distance: np.ndarray
    predicted_count: int
    truth_count: int


class DetectionScores(NamedTuple):
    """Counts and the scores from them; a score without any case to count is NaN, F1 of nothing against nothing is 1."""

    true_positives: int
    false_positives: int
    false_negatives: int
    precision: float
    recall: float
    f1: float


class PrecisionRecallCurve(NamedTuple):
    """Precision and recall of the n best predictions, n = 1 ... all, at falling ``score``; their area by the step rule."""

    score: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    average_precision: float


def match_points(predicted_zyx: Any, truth_zyx: Any, radius: float) -> Matching:
    """One-to-one maximum matching of points (n, 3) within ``radius`` voxels, inclusive (Hopcroft and Karp 1973).

    No other pairing has more pairs, so two predictions on one truth count as one hit and one false positive.
    """
    predicted, truth = _points(predicted_zyx), _points(truth_zyx)
    rows, columns, _ = _candidate_pairs(predicted, truth, radius)
    graph = csr_matrix((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(len(predicted), len(truth)))
    partner = maximum_bipartite_matching(graph, perm_type="column") if graph.nnz else np.full(len(predicted), -1)
    matched = np.flatnonzero(partner >= 0)
    distance = np.linalg.norm(predicted[matched] - truth[partner[matched]], axis=1)
    return Matching(matched, partner[matched].astype(np.int64), distance, len(predicted), len(truth))


def _points(zyx: Any) -> np.ndarray:
    return np.asarray(zyx, dtype=np.float64).reshape(-1, 3)


def _candidate_pairs(predicted: np.ndarray, truth: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs within the radius: indices and distances, nearest first."""
    if len(predicted) == 0 or len(truth) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0)
    pairs = cKDTree(predicted).sparse_distance_matrix(cKDTree(truth), radius + TOLERANCE, output_type="ndarray")
    pairs = pairs[np.argsort(pairs["v"], kind="stable")]
    return pairs["i"], pairs["j"], pairs["v"]


def detection_scores(true_positives: int, false_positives: int, false_negatives: int) -> DetectionScores:
    """Precision, recall and F1 from counts."""
    found, true = true_positives + false_positives, true_positives + false_negatives
    precision = true_positives / found if found else np.nan
    recall = true_positives / true if true else np.nan
    f1 = 2 * true_positives / (found + true) if found + true else 1.0
    return DetectionScores(int(true_positives), int(false_positives), int(false_negatives), precision, recall, f1)


def precision_recall_f1(predicted_zyx: Any, truth_zyx: Any, radius: float) -> DetectionScores:
    """Scores of one tomogram's points (n, 3) within ``radius`` voxels."""
    matching = match_points(predicted_zyx, truth_zyx, radius)
    hits = len(matching.distance)
    return detection_scores(hits, matching.predicted_count - hits, matching.truth_count - hits)


def hits_by_rank(predicted_zyx: Any, truth_zyx: Any, radius: float) -> np.ndarray:
    """For predictions given best first, which of them raise the maximum matching: (n,) bool.

    The sum of the first n values is the size of the maximum matching of the n best predictions, for every n at once (augmenting paths;
    the sets that can be matched form a matroid, so an earlier hit is never lost).
    """
    predicted, truth = _points(predicted_zyx), _points(truth_zyx)
    rows, columns, _ = _candidate_pairs(predicted, truth, radius)
    near: list[list[int]] = [[] for _ in range(len(predicted))]
    for row, column in zip(rows.tolist(), columns.tolist()):
        near[row].append(column)
    owner: dict[int, int] = {}
    return np.array([_augment(index, near, owner) for index in range(len(predicted))], dtype=bool)


def _augment(start: int, near: list[list[int]], owner: dict[int, int]) -> bool:
    """Give prediction ``start`` a truth, moving earlier predictions to others of theirs where needed; breadth first.

    ``owner`` maps each taken truth to its prediction and is updated.
    """
    reached_from: dict[int, int] = {}  # truth -> prediction
    gives_up: dict[int, int] = {}  # prediction -> the truth it holds
    queue = [start]
    for prediction in queue:
        for truth in near[prediction]:
            if truth in reached_from:
                continue
            reached_from[truth] = prediction
            if truth in owner:
                gives_up[owner[truth]] = truth
                queue.append(owner[truth])
                continue
            taken: int | None = truth
            while taken is not None:
                owner[taken] = reached_from[taken]
                taken = gives_up.get(owner[taken])
            return True
    return False


def precision_recall_curve(predicted_zyx: Any, scores: Any, truth_zyx: Any, radius: float) -> PrecisionRecallCurve:
    """Curve over falling score of one tomogram's predictions."""
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    hits = hits_by_rank(_points(predicted_zyx)[order], truth_zyx, radius)
    return curve_from_hits(hits, np.asarray(scores, dtype=np.float64)[order], len(_points(truth_zyx)))


def curve_from_hits(hits: np.ndarray, scores: np.ndarray, truth_count: int) -> PrecisionRecallCurve:
    """Curve of ranked hits, of one tomogram or of several pooled and ranked together."""
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    recall = found / truth_count if truth_count else np.full(len(hits), np.nan)
    average = float((precision * hits).sum() / truth_count) if truth_count else float("nan")
    return PrecisionRecallCurve(scores, precision, recall, average)


def recall_at(predicted_zyx: Any, truth_zyx: Any, radius: float, counts: list[int]) -> list[float]:
    """Recall of the n best predictions, given best first, for each n of ``counts``."""
    found = np.concatenate([[0], np.cumsum(hits_by_rank(predicted_zyx, truth_zyx, radius))])
    truth_count = max(1, len(_points(truth_zyx)))
    return [float(found[min(count, len(found) - 1)] / truth_count) for count in counts]
