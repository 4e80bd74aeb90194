"""What a pick's score means: the share of true ones among picks like it, on scenes that taught nothing."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from ...students.centres.apply import find_centres
from ...students.centres.model import Calibration, CentreModel
from ...students.centres.targets import SMALLEST_PX, matched
from ...students.volumes import volume_from_array
from .scenes import MEMBRANE_BOUND, Scene

REACH = 0.4  # of the true diameter: how far a pick may lie from the centre
WEAK = 1e3  # inverse strength of the fit's regularisation


class ScoredPicks(NamedTuple):
    """Picks of one scene, best first: ``logit``, ``hit`` (true ones, each particle once), estimated and true diameters of the hits in
    Angstrom, ``truth`` the number of particles that can be sought, ``unsure`` picks of bodies too small to be sought, left out."""

    logit: np.ndarray
    hit: np.ndarray
    diameter: np.ndarray
    true_diameter: np.ndarray
    bound: np.ndarray
    truth: int
    unsure: int
    voxel_size: float
    snr: float
    kind: str


def scored_picks(scene: Scene, model: CentreModel, device: torch.device) -> ScoredPicks:
    """Pick a scene and compare with its particles. Picks at a body too small for every scale are neither right nor wrong."""
    volume = volume_from_array(scene.name, np.asarray(scene.volume, dtype=np.float32), scene.voxel_size)
    centres = find_centres(volume, model, device)
    table, working = scene.particles, scene.voxel_size * min(model.binnings(scene.voxel_size))
    sought = table.diameters >= SMALLEST_PX * working
    reach = REACH * table.diameters / scene.voxel_size
    hit = matched(centres.zyx, table.zyx[sought], reach[sought])
    small = ~hit & matched(centres.zyx, table.zyx[~sought], np.maximum(reach[~sought], 1.5))
    kept = centres.of(~small)
    nearest = _nearest(kept.zyx, table.zyx)
    true_diameter = table.diameters[nearest] if len(table) else np.full(len(kept.zyx), np.nan)
    bound = (table.class_id[nearest] == MEMBRANE_BOUND).astype(float) if len(table) else np.zeros(len(kept.zyx))
    return ScoredPicks(kept.logit, hit[~small], kept.diameter * scene.voxel_size, true_diameter, bound, int(sought.sum()), int(small.sum()),
                       scene.voxel_size, float(scene.record["snr"]), str(scene.record["kind"]))  # type: ignore[arg-type]


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    return cKDTree(others).query(points)[1] if len(others) and len(points) else np.zeros(len(points), dtype=int)


def fitted(picks: Sequence[ScoredPicks]) -> Calibration:
    """Logistic regression of being right on the heat's logit and the voxel size; every scene weighs the same, however crowded."""
    logit, hit = (np.concatenate([getattr(part, name) for part in picks]) for name in ("logit", "hit"))
    size = np.concatenate([np.full(len(part.hit), part.voxel_size) for part in picks])
    if hit.all() or not hit.any():
        return Calibration()
    weights = np.concatenate([np.full(len(part.hit), 1 / max(len(part.hit), 1)) for part in picks])
    regression = LogisticRegression(C=WEAK).fit(np.column_stack([logit, np.log2(size / 10)]), hit, weights * len(hit) / weights.sum())
    return Calibration(float(regression.coef_[0, 0]), float(regression.intercept_[0]), float(regression.coef_[0, 1]))
