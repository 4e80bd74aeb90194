"""Particle lists of one or many tomograms against their truths."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..particles.formats import read_particles
from ..particles.table import ParticleTable
from ..runtime.errors import InputError, ParameterError
from ..runtime.job import InputFile
from ..runtime.names import meant, name_of, tell_apart
from ..volumes.io import read_header
from .params import EvaluatePickingParameters
from .picking import DetectionScores, Matching, curve_from_hits, detection_scores, hits_by_rank, match_points
from .picking_sizes import SizedPicks, scores_by_size
from .uncertainty import bootstrap_interval, calibration

ENOUGH_TOMOGRAMS = 5  # from here on tomograms are the independent units of the bootstrap


class ListPair(NamedTuple):
    """Predicted and true particles of one tomogram, in the truth's voxels."""

    name: str
    predicted: ParticleTable
    truth: ParticleTable


def paired_lists(pairs: list[tuple[InputFile, InputFile]], parameters: EvaluatePickingParameters,
                 tomograms: Sequence[InputFile] = ()) -> tuple[list[ListPair], list[str]]:
    """The particle lists tomogram by tomogram, within the z range, and warnings about what was assumed.

    ``tomograms`` tell the sizes that lists counted from the centre need: one for all lists, or by tilt series.
    """
    headers = [read_header(item.path, item.voxel_size) for item in tomograms]
    shapes = {name_of(item): header.shape for item, header in zip(tomograms, headers)}
    size: dict[str, Any] = {"tomogram_shape": headers[0].shape if len(headers) == 1 else shapes,
                            "tomogram_voxel_size": headers[0].voxel_size} if headers else {}
    lists: list[ListPair] = []
    warnings: list[str] = []
    for predicted_file, truth_file in pairs:
        predicted, truth = (_read(item, size) for item in (predicted_file, truth_file))
        predicted = _in_voxels_of(predicted, truth, warnings)
        told = truth_file.tilt_series_id if predicted_file.tilt_series_id == truth_file.tilt_series_id else ""
        lists += _by_tomogram(predicted, truth, truth_file.tilt_series_id, told, warnings)
    return [ListPair(item.name, _in_range(item.predicted, parameters), _in_range(item.truth, parameters)) for item in lists], warnings


def _read(item: InputFile, size: dict[str, Any]) -> ParticleTable:
    """A list in voxels of the size that was given; one that knows its own is converted, not told another."""
    try:
        own = read_particles(item.path, **size)
    except InputError:  # formats that need a voxel size to be read at all
        return read_particles(item.path, voxel_size=item.voxel_size, **size)
    if not own.voxel_size_is_known:
        return read_particles(item.path, voxel_size=item.voxel_size, **size)
    return own if item.voxel_size is None else own.at_voxel_size(item.voxel_size)


def _in_voxels_of(predicted: ParticleTable, truth: ParticleTable, warnings: list[str]) -> ParticleTable:
    if not (predicted.voxel_size_is_known and truth.voxel_size_is_known):
        warnings.append("one of the lists does not tell its voxel size; both are taken to count the same voxels")
        return predicted
    if abs(predicted.voxel_size - truth.voxel_size) > 1e-3 * truth.voxel_size:
        warnings.append(f"predictions in voxels of {predicted.voxel_size:g} A were converted to those of the truth, {truth.voxel_size:g} A")
        return predicted.at_voxel_size(truth.voxel_size)
    return predicted


def _by_tomogram(predicted: ParticleTable, truth: ParticleTable, name: str, told: str, warnings: list[str]) -> list[ListPair]:
    """``told`` is the tilt series that both lists were said to be of, whatever they say themselves."""
    in_truth = truth.tilt_series_ids()
    predicted = replace(predicted, tilt_series_id=np.array([meant(str(one), in_truth) for one in predicted.tilt_series_id], dtype=object))
    in_prediction = predicted.tilt_series_ids()
    if len(in_prediction) <= 1 and len(in_truth) <= 1:
        if not told and any(in_prediction) and any(in_truth) and tell_apart(in_prediction[0], in_truth[0]):
            raise InputError(f"predictions in {in_prediction[0]} and a truth of {in_truth[0]}", "lists of one tilt series",
                             "give the other list, or --tilt-series-id where one of them is named wrongly")
        return [ListPair((in_truth or in_prediction or [name])[0] or name, predicted, truth)]
    if not set(in_prediction) & set(in_truth):
        raise InputError(f"no tomogram is in both lists ({', '.join(in_prediction[:3])} ... and {', '.join(in_truth[:3])} ...)",
                         "lists that name the same tomograms", "rename the tilt series, or evaluate them one by one")
    without_truth = [item for item in in_prediction if item not in in_truth]
    if without_truth:
        warnings.append(f"{len(without_truth)} tomograms of the predictions have no truth and are left out: {', '.join(without_truth[:5])}")
    return [ListPair(item, predicted.of_tomogram(item), truth.of_tomogram(item)) for item in in_truth]


def _in_range(table: ParticleTable, parameters: EvaluatePickingParameters) -> ParticleTable:
    z = np.rint(table.zyx[:, 0])
    return table.select((z >= parameters.z_start) & ((z < parameters.z_end) if parameters.z_end else True))


def _groups(pair: ListPair, parameters: EvaluatePickingParameters) -> list[ListPair]:
    """What is matched among itself: the whole lists, or each class by its name or number."""
    if parameters.class_matching == "any":
        return [pair]
    predicted, truth = pair.predicted, pair.truth
    numbers = sorted(set(predicted.class_id.tolist()) | set(truth.class_id.tolist()))
    return [ListPair(truth.class_names.get(number, str(number)), predicted.select(predicted.class_id == number),
                     truth.select(truth.class_id == number)) for number in numbers]


def _match(group: ListPair, parameters: EvaluatePickingParameters) -> Matching:
    return match_points(group.predicted.zyx, group.truth.zyx, parameters.radius_px)


def _counts(matchings: list[Matching]) -> np.ndarray:
    """True positives, false positives and false negatives (3,) of several matchings together."""
    rows = [(len(item.distance), item.predicted_count - len(item.distance), item.truth_count - len(item.distance)) for item in matchings]
    return np.array(rows, dtype=np.int64).reshape(-1, 3).sum(axis=0)


def scores_of(pair: ListPair, parameters: EvaluatePickingParameters) -> DetectionScores:
    """Scores of one tomogram; with classes, of the hits of every class together."""
    return detection_scores(*_counts([_match(group, parameters) for group in _groups(pair, parameters)]).tolist())


def pooled_scores(lists: list[ListPair], parameters: EvaluatePickingParameters, generator: np.random.Generator) -> dict[str, Any]:
    """Scores over all tomograms together, their confidence interval, distances, and what the scores of the predictions allow."""
    matchings = [{group.name: _match(group, parameters) for group in _groups(pair, parameters)} for pair in lists]
    counts = np.array([_counts(list(by_class.values())) for by_class in matchings])
    summary: dict[str, Any] = detection_scores(*counts.sum(axis=0).tolist())._asdict()
    distances = np.concatenate([np.zeros(0), *(item.distance for by_class in matchings for item in by_class.values())])
    summary["mean_distance_px"] = float(distances.mean()) if len(distances) else float("nan")
    if parameters.bootstrap_repeats:
        interval = bootstrap_interval(_units(counts), lambda drawn: detection_scores(*drawn.sum(axis=0).tolist()).f1, generator,
                                      parameters.bootstrap_repeats, parameters.confidence)
        summary.update(f1_low=interval.low, f1_high=interval.high)
    if parameters.class_matching == "same":
        summary["classes"] = _class_f1(matchings)
        summary["mean_class_f1"] = float(np.mean(list(summary["classes"].values()))) if summary["classes"] else float("nan")
    return {**summary, **_ranked_scores(lists, parameters), **_scores_by_size(lists, parameters)}


def _units(counts: np.ndarray) -> np.ndarray:
    """Independent units of the bootstrap: tomograms where there are enough, else single particles."""
    if len(counts) >= ENOUGH_TOMOGRAMS:
        return counts
    return np.repeat(np.eye(3, dtype=np.int64), counts.sum(axis=0), axis=0)


def _class_f1(matchings: list[dict[str, Matching]]) -> dict[str, float]:
    names = dict.fromkeys(name for by_class in matchings for name in by_class)
    totals = {name: _counts([by_class[name] for by_class in matchings if name in by_class]) for name in names}
    return {name: detection_scores(*total.tolist()).f1 for name, total in totals.items()}


def _ranked_hits(lists: list[ListPair], parameters: EvaluatePickingParameters) -> tuple[np.ndarray, np.ndarray]:
    """Scores and hits of all predictions of all tomograms, best first; predictions without scores keep the order of their list."""
    scores, hits = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for group in (group for pair in lists for group in _groups(pair, parameters)):
        ranked = group.predicted.sorted_by_score()
        scores.append(ranked.score)
        hits.append(hits_by_rank(ranked.zyx, group.truth.zyx, parameters.radius_px))
    all_scores = np.concatenate(scores)
    order = np.argsort(-np.nan_to_num(all_scores, nan=-np.inf), kind="stable")
    return all_scores[order], np.concatenate(hits)[order]


def _ranked_scores(lists: list[ListPair], parameters: EvaluatePickingParameters) -> dict[str, float]:
    wanted = recall_counts(parameters)
    scores, hits = _ranked_hits(lists, parameters)
    truth_count = sum(len(pair.truth) for pair in lists)
    found = np.concatenate([[0], np.cumsum(hits)])
    ranked = {f"recall_at_{count}": float(found[min(count, len(hits))] / max(1, truth_count)) for count in wanted}
    if len(scores) and np.isfinite(scores).all():
        ranked["average_precision"] = curve_from_hits(hits, scores, truth_count).average_precision
        if scores.min() >= 0 and scores.max() <= 1:  # only then may scores mean probabilities
            ranked["calibration_error"] = calibration(scores, hits).error
    return ranked


def _scores_by_size(lists: list[ListPair], parameters: EvaluatePickingParameters) -> dict[str, Any]:
    """Recall and average precision of each range of sizes; nothing where no limits are given."""
    limits = size_limits(parameters)
    if not limits:
        return {}
    unknown = [pair.name for pair in lists if not np.isfinite(pair.truth.diameters).all()]
    if unknown:
        raise InputError(f"the true particles of {', '.join(unknown[:5])} have no diameters", "a truth that states them",
                         "leave size_limits empty")
    items = [SizedPicks(pair.predicted.zyx, pair.predicted.score, pair.truth.zyx, pair.truth.diameters) for pair in lists]
    return {name: scores._asdict() for name, scores in scores_by_size(items, limits, parameters.radius_px).items()}


def size_limits(parameters: EvaluatePickingParameters) -> list[float]:
    """The diameters in Angstrom that part the sizes; raises :class:`ParameterError` for other text."""
    try:
        limits = [float(word) for word in parameters.size_limits.replace(",", " ").split()]
    except ValueError:
        limits = [0.0]
    if limits != sorted(set(limits)) or (limits and not 0 < limits[0] <= limits[-1] < np.inf):
        raise ParameterError(f"size_limits = '{parameters.size_limits}'", "ascending diameters above 0 in Angstrom, such as '150, 250'")
    return limits


def recall_counts(parameters: EvaluatePickingParameters) -> list[int]:
    """The numbers of predictions at which recall is wanted; raises :class:`ParameterError` for other text."""
    words = parameters.recall_counts.replace(",", " ").split()
    if not all(word.isdigit() and int(word) > 0 for word in words):
        raise ParameterError(f"recall_counts = '{parameters.recall_counts}'", "whole numbers above 0, such as '268, 500, 800'")
    return [int(word) for word in words]


def pooled_curve(lists: list[ListPair], parameters: EvaluatePickingParameters) -> pd.DataFrame | None:
    """Precision and recall over falling score of all tomograms together; None when predictions have no scores."""
    scores, hits = _ranked_hits(lists, parameters)
    if len(scores) == 0 or not np.isfinite(scores).all():
        return None
    curve = curve_from_hits(hits, scores, sum(len(pair.truth) for pair in lists))
    return pd.DataFrame({"score": curve.score, "precision": curve.precision, "recall": curve.recall})
