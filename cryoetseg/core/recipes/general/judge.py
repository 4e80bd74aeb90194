"""How the general models do on the held-out scenes, told apart by voxel size, noise and what is in them."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch

from ...metrics.picking import curve_from_hits
from ...metrics.segmentation import dice_from_counts
from ...students.centres.model import Calibration
from ...students.membranes.apply import completed_probability
from ...students.membranes.network import MembraneModel
from ...students.membranes.params import SegmentMembranesParameters
from ...students.volumes import volume_from_array
from .calibration import ScoredPicks
from .scenes import MEMBRANE, Scene

SNR_BORDERS = (0.1, 0.3)
FROM = 0.5


def probability_of(scene: Scene, model: MembraneModel, device: torch.device) -> np.ndarray:
    """Probability of membrane float16 (z, y, x) of a scene at its own voxel size, as a tomogram's is found."""
    found = np.zeros(scene.volume.shape, np.float16)
    volume = volume_from_array(scene.name, np.asarray(scene.volume, dtype=np.float32), scene.voxel_size)
    completed_probability(volume, model, found, (0, scene.volume.shape[0]), SegmentMembranesParameters(), device)
    return found


def membrane_figures(scenes: Iterable[Scene], model: MembraneModel, device: torch.device) -> dict[str, Any]:
    """Dice over all voxels of scenes of alike noise, and the share called membrane where there are none."""
    counts: dict[str, np.ndarray] = {}
    false: dict[str, list[float]] = {}
    for scene in scenes:
        called, truth = probability_of(scene, model, device) >= FROM, scene.classes == MEMBRANE
        if truth.any():
            key = f"Dice, {_noise(float(scene.record['snr']))}"  # type: ignore[arg-type]
            pairs = [np.count_nonzero(a & b) for a, b in ((called, truth), (called, ~truth), (~called, truth))]
            counts[key] = counts.get(key, np.zeros(3)) + pairs
        else:
            false.setdefault(f"false share, {scene.record['kind']}", []).append(float(called.mean()))
    return {**{key: dice_from_counts(*value) for key, value in sorted(counts.items())},
            **{key: float(np.mean(values)) for key, values in sorted(false.items())}}


def particle_figures(picks: Sequence[ScoredPicks], calibration: Calibration) -> dict[str, Any]:
    """Precision, recall and F1 of picks with a probability of at least one half, average precision, and the error of diameters."""
    figures: dict[str, Any] = {}
    for label, chosen in _groups(picks):
        hit = np.concatenate([part.hit for part in chosen])
        logit = np.concatenate([calibration.calibrated(part.logit, part.voxel_size) for part in chosen])
        truth, sure = sum(part.truth for part in chosen), logit >= np.log(FROM / (1 - FROM))
        if truth == 0:
            figures[label] = {"false picks for each scene": float(sure.sum() / len(chosen))}
            continue
        precision, recall = float(hit[sure].mean()) if sure.any() else 0.0, float(hit[sure].sum() / truth)
        right = np.concatenate([part.diameter[part.hit] / part.true_diameter[part.hit] for part in chosen])
        figures[label] = {
            "precision": precision, "recall": recall, "F1": 2 * precision * recall / max(precision + recall, 1e-9),
            "average precision": average_precision(logit, hit, truth),
            "median error of diameters": float(np.median(np.abs(np.log2(right)))) if len(right) else None}
    return figures


def average_precision(score: np.ndarray, hit: np.ndarray, truth: int) -> float:
    """Area under precision over recall: the mean, over all true particles, of the precision where each is reached (0 if never)."""
    order = np.argsort(-score, kind="stable")
    return curve_from_hits(hit[order], score[order], truth).average_precision


def _groups(picks: Sequence[ScoredPicks]) -> list[tuple[str, list[ScoredPicks]]]:
    empty = [part for part in picks if part.truth == 0]
    groups = {"all": [part for part in picks if part.truth]}
    for part in groups["all"]:
        groups.setdefault(_noise(part.snr), []).append(part)
        groups.setdefault("voxels below 15 A" if part.voxel_size < 15 else "voxels of 15 A and more", []).append(part)
    return [(label, chosen) for label, chosen in {**groups, "nothing to find": empty}.items() if chosen]


def _noise(snr: float) -> str:
    low, high = SNR_BORDERS
    return f"SNR below {low:g}" if snr < low else f"SNR {low:g} to {high:g}" if snr < high else f"SNR above {high:g}"
