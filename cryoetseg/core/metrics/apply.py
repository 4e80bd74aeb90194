"""The evaluations as jobs: inputs with the roles ``predicted`` and ``truth``, tables of scores in the output folder."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..runtime.errors import InputError, JobError, ParameterError
from ..runtime.files import write_json, write_text
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import in_pairs, name_of, tell_apart
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator
from ..volumes.header import VolumeHeader
from ..volumes.io import open_labels, open_volume
from ..volumes.streaming import read_slabs
from . import evaluate_picking
from .params import EvaluatePickingParameters, EvaluateRestorationParameters, EvaluateSegmentationParameters
from .resolution import fourier_shell_correlation, resolution_at
from .restoration import scores_of_standardised, standardised_pair
from .segmentation import class_scores, confusion_matrix, dice_from_counts, mean_slice_dice, overlap_from_counts, slice_counts, surface_dice
from .uncertainty import blocks_of_slices, bootstrap_interval
from .views import BrightView, SlabView

VOXEL_SIZE_TOLERANCE = 0.01  # relative; headers round
Rows = list[dict[str, Any]]
Pair = tuple[InputFile, InputFile]


def run(job: Job) -> MethodOutcome:
    """Run one of the evaluations. Raises :class:`InputError` when a prediction does not fit its truth."""
    if job.method not in METHODS:
        raise JobError(f"'{job.method}' is no evaluation", ", ".join(METHODS))
    return METHODS[job.method](job, input_pairs(job))


def input_pairs(job: Job) -> list[Pair]:
    """Predictions with their truths: by tilt series where the names tell all, else in order.

    Raises :class:`InputError` where names say that they are of different tilt series.
    """
    predicted, truth = job.inputs_of("predicted"), job.inputs_of("truth")
    if not predicted or len(predicted) != len(truth):
        raise JobError(f"{len(predicted)} inputs are 'predicted' and {len(truth)} are 'truth'", "as many of each, at least one")
    order = in_pairs([name_of(item) for item in predicted], [name_of(item) for item in truth])
    pairs = [(item, truth[index]) for item, index in zip(predicted, order)]
    for item, true in pairs:
        if tell_apart(name_of(item), name_of(true)):
            raise InputError(f"the prediction {name_of(item)} beside the truth {name_of(true)}", "prediction and truth of one tilt series",
                             "rename a file that is called wrongly")
    return pairs


def evaluate_segmentation(job: Job, pairs: list[Pair]) -> MethodOutcome:
    """Overlap of masks, or of each class of label volumes."""
    parameters = parameters_from(EvaluateSegmentationParameters, job.parameters)
    if parameters.labels == "classes":
        return _evaluate_classes(job, pairs, parameters)
    rows, blocks, warnings = [], [], []
    for predicted, truth in pairs:
        window = _common_window(predicted, truth, parameters.z_start, parameters.z_end)
        mask = SlabView(open_labels(predicted.path).data, *window, threshold=parameters.threshold)
        true_mask = SlabView(open_labels(truth.path).data, *window, threshold=0)
        counts = slice_counts(mask, true_mask)
        warnings += _oddities(truth)
        blocks.append(blocks_of_slices(counts))
        rows.append({"tomogram": predicted.tilt_series_id or Path(predicted.path).stem,
                     **overlap_from_counts(*(int(count) for count in counts.sum(axis=0)))._asdict(),
                     "per_slice_dice": mean_slice_dice(counts), "surface_dice": surface_dice(mask, true_mask, parameters.tolerance_px)})
    summary = summarise(rows)
    units = np.concatenate(blocks) if len(pairs) == 1 else np.array([block.sum(axis=0) for block in blocks])
    if parameters.bootstrap_repeats:
        interval = bootstrap_interval(units, lambda drawn: dice_from_counts(*drawn.sum(axis=0)), numpy_generator(job.seed, "bootstrap"),
                                      parameters.bootstrap_repeats, parameters.confidence)
        summary.update(dice_low=interval.low, dice_high=interval.high)
    outcome = write_scores(job, rows, summary)
    return MethodOutcome(outputs=outcome.outputs, metrics=outcome.metrics, warnings=warnings)


def _oddities(truth: InputFile) -> list[str]:
    """What makes a true mask suspect: nothing marked, or values below zero."""
    slabs = [(float(slab.min()), float(slab.max())) for slab in read_slabs(open_labels(truth.path).data)]
    low, high = min(low for low, _ in slabs), max(high for _, high in slabs)
    found = [f"the truth {truth.path} is empty: no voxel is above 0"] if high <= 0 else []
    return found + ([f"the truth {truth.path} holds values down to {low:g}; only voxels above 0 count as marked"] if low < 0 else [])


def _evaluate_classes(job: Job, pairs: list[Pair], parameters: EvaluateSegmentationParameters) -> MethodOutcome:
    total = np.zeros((1, 1), dtype=np.int64)
    rows: Rows = []
    for predicted, truth in pairs:
        window = _common_window(predicted, truth, parameters.z_start, parameters.z_end)
        matrix = confusion_matrix(SlabView(open_labels(predicted.path).data, *window), SlabView(open_labels(truth.path).data, *window))
        size = max(len(total), len(matrix))
        total = np.pad(total, (0, size - len(total))) + np.pad(matrix, (0, size - len(matrix)))
        rows += [{"tomogram": predicted.tilt_series_id or Path(predicted.path).stem, "class_id": number, **scores._asdict()}
                 for number, scores in class_scores(matrix).items()]
    pooled = class_scores(total)
    summary = {"mean_class_dice": float(np.mean([scores.dice for scores in pooled.values()])) if pooled else 1.0,
               "accuracy": float(np.trace(total) / total.sum()),
               "classes": {str(number): scores.dice for number, scores in pooled.items()}, "confusion_matrix": total.tolist()}
    return write_scores(job, rows, summary)


def _common_window(predicted: InputFile, truth: InputFile, z_start: int, z_end: int) -> tuple[int, int]:
    """The z range to compare; raises :class:`InputError` when the volumes have other sizes or voxel sizes."""
    first, second = (open_labels(item.path, item.voxel_size).header for item in (predicted, truth))
    if first.shape != second.shape:
        raise InputError(f"{first.path.name} has the shape {first.shape}, {second.path.name} {second.shape} (z, y, x)", "equal shapes",
                         "resample one onto the other's grid first")
    # a voxel size given for both must not hide that the files' own ones differ
    _check_voxel_sizes(*(_own_or(given, item) for given, item in zip((first, second), (predicted, truth))))
    last = z_end or first.shape[0]
    if not 0 <= z_start < last <= first.shape[0]:
        raise ParameterError(f"z_start {z_start}, z_end {z_end}", f"0 <= z_start < z_end <= {first.shape[0]}, the volume's slices")
    return z_start, last


def _own_or(given: VolumeHeader, item: InputFile) -> VolumeHeader:
    """What the file itself says, where it says a voxel size."""
    own = open_labels(item.path).header
    return own if own.voxel_size_is_known else given


def _check_voxel_sizes(first: VolumeHeader, second: VolumeHeader) -> None:
    known = first.voxel_size_is_known and second.voxel_size_is_known
    if known and abs(first.voxel_size - second.voxel_size) > VOXEL_SIZE_TOLERANCE * second.voxel_size:
        raise InputError(f"{first.path.name} has voxels of {first.voxel_size:.3f} A, {second.path.name} of {second.voxel_size:.3f} A",
                         "equal voxel sizes", "resample one to the other's voxel size, or give the right voxel size")


def evaluate_restoration(job: Job, pairs: list[Pair]) -> MethodOutcome:
    """Correlation, PSNR, SSIM and Fourier shell correlation of restored tomograms."""
    parameters = parameters_from(EvaluateRestorationParameters, job.parameters)
    rows, warnings, outputs = [], [], []
    for number, (predicted, truth) in enumerate(pairs):
        first, last = _common_window(predicted, truth, parameters.z_start, parameters.z_end)
        name = predicted.tilt_series_id or Path(predicted.path).stem
        volumes = [open_volume(item.path, item.voxel_size) for item in (predicted, truth)]
        restored, clean = standardised_pair(*(BrightView(volume.data, item.contrast, first, last)
                                              for volume, item in zip(volumes, (predicted, truth))))
        scores = scores_of_standardised(restored, clean)
        curve = fourier_shell_correlation(restored, clean, volumes[1].header.voxel_size)
        rows.append({"tomogram": name, **scores._asdict(), "resolution": resolution_at(curve, parameters.shell_threshold)})
        outputs.append(_write_table(job, f"shell_correlation_{number + 1:03d}.csv", pd.DataFrame(curve._asdict())))
        if scores.pearson < 0:
            warnings.append(f"{name}: the correlation is negative; check the contrast (dark or bright particles) of both volumes")
    outcome = write_scores(job, rows, summarise(rows))
    return MethodOutcome(outputs=[*outcome.outputs, *outputs], metrics=outcome.metrics, warnings=warnings)


def summarise(rows: Rows) -> dict[str, Any]:
    """Mean over tomograms of every score, with standard deviations when there are several; counts are summed."""
    table = pd.DataFrame(rows).drop(columns="tomogram")
    whole = [name for name in table.columns if pd.api.types.is_integer_dtype(table[name])]
    summary: dict[str, Any] = {name: int(table[name].sum()) if name in whole else float(table[name].mean()) for name in table.columns}
    if len(rows) > 1:
        summary.update({f"{name}_std": float(table[name].std()) for name in table.columns if name not in whole})
        summary["tomograms"] = len(rows)
    return summary


def write_scores(job: Job, rows: Rows, summary: dict[str, Any]) -> MethodOutcome:
    """``scores.csv`` with a row a tomogram (and class), ``scores.json`` with these and the summary."""
    table = _write_table(job, "scores.csv", pd.DataFrame(rows))
    write_json(Path(job.output_folder) / "scores.json", {"method": job.method, "summary": summary, "rows": rows})
    return MethodOutcome(outputs=[table, Output(kind="table", path="scores.json")], metrics=summary)


def _write_table(job: Job, name: str, table: pd.DataFrame) -> Output:
    write_text(Path(job.output_folder) / name, table.to_csv(index=False, float_format="%.6g"))
    return Output(kind="table", path=name)


def evaluate_picks(job: Job, pairs: list[Pair]) -> MethodOutcome:
    """Precision, recall and F1 of particle lists."""
    parameters = parameters_from(EvaluatePickingParameters, job.parameters)
    lists, warnings = evaluate_picking.paired_lists(pairs, parameters, job.inputs_of("tomogram"))
    rows = [{"tomogram": pair.name, **evaluate_picking.scores_of(pair, parameters)._asdict()} for pair in lists]
    summary = evaluate_picking.pooled_scores(lists, parameters, numpy_generator(job.seed, "bootstrap"))
    outcome = write_scores(job, rows, {**summary, **({"tomograms": len(rows)} if len(rows) > 1 else {})})
    curve = evaluate_picking.pooled_curve(lists, parameters)
    tables = [] if curve is None else [_write_table(job, "precision_recall.csv", curve)]
    return MethodOutcome(outputs=[*outcome.outputs, *tables], metrics=outcome.metrics, warnings=warnings)


METHODS = {"evaluate-segmentation": evaluate_segmentation, "evaluate-picking": evaluate_picks, "evaluate-restoration": evaluate_restoration}
