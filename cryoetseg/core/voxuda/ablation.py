"""The published comparison: parts of the method switched off one by one, between no adaptation and full supervision (spec B7).

Every row trains the same network for the same number of steps. A row and seed that is done is not repeated, so that an interrupted
comparison goes on where it stopped. Rows that adapt to the target may move the border of foreground there (calibration), the bounds and
DANN stay as they were trained; for every row the table also has the Dice without and with it.
"""
from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError, ParameterError
from ..runtime.files import read_json, write_json, write_text
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator
from .calibration import border, calibrate
from .data import Subtomograms, read_domains
from .evaluate import LARGEST_MAP, domain_separation, feature_map, pooled_features, score
from .network import VoxResNet
from .params import Calibration, TrainVoxUdaParameters, VoxUdaAblationParameters
from .train import MODEL, fit, save

logger = logging.getLogger(__name__)
TABLE, SCORES, FEATURES = "ablation.csv", "ablation.json", "features.json"
_PLAIN: dict[str, Any] = {"consistency": False, "adversarial": False, "pseudo_labels": False, "statistics": "all", "calibration": "none"}
_WHOLE: dict[str, Any] = {"consistency": True, "consistency_weight": 1.0, "adversarial": True, "pseudo_labels": True}
ROWS: dict[str, dict[str, Any]] = {
    "source_only": _PLAIN,
    "noised_source": {"consistency": True, "consistency_weight": 0.0, "adversarial": False, "pseudo_labels": False},
    "dann": {**_PLAIN, "adversarial": True},
    "without_noise_module": {**_WHOLE, "consistency": False},
    "without_pseudo_labels": {**_WHOLE, "pseudo_labels": False},
    "noise_module_denoiser": {**_WHOLE, "denoiser": "noise_module"},
    "bilateral_denoiser": {**_WHOLE, "denoiser": "bilateral"},
    "gaussian_denoiser": {**_WHOLE, "denoiser": "gaussian"},
    "vox_uda": _WHOLE,
    "supervised": _PLAIN,
}
# Dice and IoU of Vox-UDA's tables I and III, source set 1, in per cent
PUBLISHED = {"source_only": (17.4, 9.7), "dann": (53.0, 38.4), "without_noise_module": (57.5, 41.9), "without_pseudo_labels": (61.8, 46.2),
             "noise_module_denoiser": (64.4, 48.5), "bilateral_denoiser": (64.5, 49.1), "vox_uda": (65.9, 50.3), "supervised": (61.6, 46.0)}
OWN_FIELDS = set(VoxUdaAblationParameters.model_fields) - set(TrainVoxUdaParameters.model_fields)
COLUMNS = ("dice", "dice_deviation", "iou", "iou_deviation", "dice_none", "dice_otsu")
RULES: tuple[Calibration, ...] = ("none", "otsu")
MAPPED_ROWS = ("source_only", "vox_uda")


def run(job: Job) -> MethodOutcome:
    """Compare on the inputs ``source`` and ``target``, both with masks; the target's serve the scores and the supervised row alone."""
    p = parameters_from(VoxUdaAblationParameters, job.parameters)
    rows = checked_rows(p.rows)
    source, target = read_domains(job, p.size, p.common_voxel_size, p.mask_threshold)
    if target.masks is None:
        raise InputError("the target has no masks, so nothing can be scored", "a mask for each target subtomogram",
                         "simulate the target, or train without comparison")
    known, held_out = split(target, p.test_share, job.seed)
    folder = Path(job.output_folder)
    scores: dict[str, dict[str, Any]] = {row: {} for row in rows}
    for seed in range(job.seed, job.seed + p.seeds):  # seed by seed: an interrupted comparison has whole seeds
        for row in rows:
            scores[row][str(seed)] = scored_row(row, source, known, held_out, p, folder / "rows" / f"{row}_{seed}", seed, job.device)
            table = {name: summary(list(values.values())) for name, values in scores.items() if values}
            write_text(folder / TABLE, as_csv(table))
            logger.info("%s, seed %d: Dice %.3f", row, seed, scores[row][str(seed)]["dice"])
    write_json(folder / SCORES, {"rows": scores, "summary": table, "published_dice": {row: PUBLISHED[row][0] for row in PUBLISHED},
                                 "gap_closed": gap_closed(table)})
    outputs = [Output(kind="table", path=TABLE), Output(kind="scores", path=SCORES)]
    if p.draw_features and set(MAPPED_ROWS) <= set(rows):
        write_json(folder / FEATURES, mapped_features(folder, source, held_out, p, job.seed))
        outputs.append(Output(kind="features", path=FEATURES))
    return MethodOutcome(outputs=outputs, metrics={**table, "gap_closed": gap_closed(table)})


def checked_rows(text: str) -> list[str]:
    """Names of rows from a list with commas; raises :class:`ParameterError` for unknown ones."""
    rows = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in rows if name not in ROWS]
    if unknown or not rows:
        raise ParameterError(f"rows '{', '.join(unknown) or text}'", ", ".join(ROWS), "give names of rows with commas")
    return list(dict.fromkeys(rows))


def split(target: Subtomograms, test_share: float, seed: int) -> tuple[Subtomograms, Subtomograms]:
    """Target subtomograms to train on and others to score on, class by class; the same ones twice when ``test_share`` is 0."""
    if test_share == 0:
        return target, target
    generator = numpy_generator(seed, "held out")
    tested: list[int] = []
    for name in sorted(set(target.classes)):
        places = generator.permutation([place for place, own in enumerate(target.classes) if own == name])
        tested += [int(place) for place in places[:round(test_share * len(places))]]
    trained = sorted(set(range(len(target))) - set(tested))
    if min(len(trained), len(tested)) < 2:
        raise InputError(f"{len(target)} target subtomograms cannot be split into training and test", "two or more of each",
                         "give more subtomograms, or test share 0")
    return target.select(trained), target.select(sorted(tested))


def row_parameters(row: str, p: TrainVoxUdaParameters) -> TrainVoxUdaParameters:
    """The training of one row."""
    settings = {name: value for name, value in p.model_dump().items() if name not in OWN_FIELDS}
    return TrainVoxUdaParameters(**{**settings, **ROWS[row]})


def scored_row(
    row: str, source: Subtomograms, target: Subtomograms, held_out: Subtomograms, p: TrainVoxUdaParameters, folder: Path, seed: int,
    device: str,
) -> dict[str, Any]:
    """Scores of one training, made or read where the identical one is done."""
    settings = row_parameters(row, p)
    identity = json.loads(json.dumps({"parameters": settings.model_dump(), "seed": seed, "source": source.names, "target": target.names,
                                      "held_out": held_out.names}))
    kept = folder / "scores.json"
    if kept.exists() and (record := read_json(kept))["identity"] == identity:
        return record["scores"]
    network, outcome, warnings = fit(target if row == "supervised" else source, target, settings, folder / "training", seed, device)
    borders = {rule: border(network, target.volumes, rule) for rule in RULES}
    by_rule = {rule: score(network, held_out.volumes, _masks(held_out), held_out.classes, found.logit) for rule, found in borders.items()}
    scores = {**by_rule[settings.calibration], **{f"dice_{rule}": by_rule[rule]["dice"] for rule in RULES},
              "borders": {rule: found._asdict() for rule, found in borders.items()}}
    _, told = calibrate(network, target.volumes, settings.calibration)
    save(network, folder / MODEL, settings, target.voxel_size, {**outcome.record(), "parameters": settings.model_dump(), "seed": seed})
    scores["warnings"] = warnings + told
    write_json(kept, {"identity": identity, "scores": scores, "training": outcome.record()})
    return scores


def _masks(subtomograms: Subtomograms) -> np.ndarray:
    assert subtomograms.masks is not None
    return subtomograms.masks


def summary(scores: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation over the seeds, of all samples together and of each class; the mean Dice by each rule of calibration."""
    dice, iou = (np.array([entry[name] for entry in scores]) for name in ("dice", "iou"))
    classes = {name: float(np.mean([entry["classes"][name]["dice"] for entry in scores])) for name in scores[0].get("classes", {})}
    by_rule = {f"dice_{rule}": float(np.mean([entry[f"dice_{rule}"] for entry in scores])) for rule in RULES}
    return {"seeds": len(scores), "dice": float(dice.mean()), "dice_deviation": float(dice.std()), "iou": float(iou.mean()),
            "iou_deviation": float(iou.std()), "class_dice": classes, **by_rule}


def gap_closed(table: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Share of the way from source-only to supervised Dice that the whole method covers; None where a row is missing."""
    if not {"source_only", "vox_uda", "supervised"} <= set(table):
        return None
    bottom, ours, top = (float(table[row]["dice"]) for row in ("source_only", "vox_uda", "supervised"))
    return (ours - bottom) / (top - bottom) if top != bottom else None


def as_csv(table: Mapping[str, Mapping[str, Any]]) -> str:
    """The table as text, with the published figures beside ours."""
    classes = list(next(iter(table.values()))["class_dice"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "seeds", *COLUMNS, *(f"dice_{name}" for name in classes), "published_dice", "published_iou"])
    for row, entry in table.items():
        numbers = [entry[name] for name in COLUMNS] + [entry["class_dice"][name] for name in classes]
        published = [f"{value / 100:.3f}" for value in PUBLISHED.get(row, ())]
        writer.writerow([row, entry["seeds"], *(f"{number:.4f}" for number in numbers), *(published or ["", ""])])
    return text.getvalue()


def mapped_features(
    folder: Path, source: Subtomograms, target: Subtomograms, p: TrainVoxUdaParameters, seed: int,
) -> dict[str, Any]:
    """t-SNE positions of the deepest features of both domains without and with adaptation, and how well a line tells them apart."""
    from ..models.card import load_model

    target = target.select(range(min(len(target), LARGEST_MAP)))
    source = source.select(range(min(len(source), LARGEST_MAP)))
    maps = {}
    for row in MAPPED_ROWS:
        network, _ = load_model(folder / "rows" / f"{row}_{seed}" / MODEL, lambda card: VoxResNet(card.network_parameters["width"]))
        own, other = (pooled_features(network, part.volumes) for part in (source, target))
        positions = feature_map(own, other, seed)
        maps[row] = {"source": positions[0].tolist(), "target": positions[1].tolist(), "separation": domain_separation(own, other, seed)}
    return {"maps": maps, "classes": target.classes}
