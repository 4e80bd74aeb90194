"""The averages, the table and the pictures of clusters."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..runtime.files import write_text
from ..runtime.job import MethodOutcome, Output
from ..runtime.progress import track
from ..runtime.seeds import numpy_generator
from ..volumes.io import write_volume
from .averages import Average, mean_of, shifted_average, turned_average
from .boxes import BOX_VOXEL
from .describe import contrast_of, diameter_of
from .embed import Picks, box_scale, boxes_at
from .grouping import UNSURE
from .params import ClusterParticlesParameters

SHOWN = 6  # members of a cluster in the picture


def write_clusters(picks: Sequence[Picks], rows: pd.DataFrame, p: ClusterParticlesParameters, seed: int, folder: Path,
                   outcome: MethodOutcome) -> None:
    """Write each cluster's average, ``clusters.csv`` and ``boxes.npz``, from which the pictures are drawn."""
    table, shown, numbers = [], [], sorted(set(rows["cluster"]) - {UNSURE}) + ([UNSURE] if (rows["cluster"] == UNSURE).any() else [])
    for number in track(numbers, "averages"):
        own = np.flatnonzero(rows["cluster"] == number)
        best = own[np.argsort(-rows["confidence"].to_numpy()[own], kind="stable")][:p.average]
        boxes = _boxes(picks, rows, best)
        average = _average(boxes, p, numpy_generator(seed, "average", int(number)))
        name = f"cluster_{number:02d}.mrc" if number != UNSURE else "unsure.mrc"
        write_volume(folder / name, average.density.astype(np.float32), BOX_VOXEL)
        outcome.outputs.append(Output(kind="average", path=name, voxel_size=BOX_VOXEL))
        table.append(_described(rows.iloc[own], int(number), len(boxes), average))
        shown.append(np.stack([average.density, *boxes[:SHOWN], *[np.zeros_like(boxes[0])] * (SHOWN - len(boxes[:SHOWN]))]))
    write_text(folder / "clusters.csv", pd.DataFrame(table).to_csv(index=False, float_format="%.4g"))
    outcome.outputs.append(Output(kind="table", path="clusters.csv"))
    np.savez_compressed(folder / "boxes.npz", numbers=np.array(numbers), boxes=np.array(shown, dtype=np.float16))


def _boxes(picks: Sequence[Picks], rows: pd.DataFrame, chosen: np.ndarray) -> np.ndarray:
    """Boxes (n, z, y, x) of chosen rows, the most certain first."""
    result, first = np.zeros((len(chosen), 0)), 0
    parts = []
    for part in picks:
        own = (chosen >= first) & (chosen < first + len(part.table))
        if own.any():
            scale = box_scale(part.volume, part.table.zyx, part.voxel_size)
            parts.append((np.flatnonzero(own), boxes_at(part.volume, part.table.zyx[chosen[own] - first], part.voxel_size, scale)))
        first += len(part.table)
    result = np.empty((len(chosen), *parts[0][1].shape[1:]), dtype=np.float32)
    for places, boxes in parts:
        result[places] = boxes
    return result


def _average(boxes: np.ndarray, p: ClusterParticlesParameters, rng: np.random.Generator) -> Average:
    if p.align == "rotation" and len(boxes) > 2:
        return turned_average(boxes, (p.tilt_min, p.tilt_max), rng)
    return shifted_average(boxes) if p.align != "none" else mean_of(boxes)


def _described(rows: pd.DataFrame, number: int, averaged: int, average: Average) -> dict[str, Any]:
    """One line of the table; lengths in Angstrom."""
    near = rows["near_membrane"].dropna()
    finite = rows["neighbour"][np.isfinite(rows["neighbour"])]
    return {"cluster": number, "particles": len(rows), "tomograms": rows["tilt_series_id"].nunique(),
            "confidence": rows["confidence"].mean(), "score": rows["score"].mean(), "diameter_of_picks": rows["diameter"].median(),
            "diameter_of_average": diameter_of(average.density), "contrast": contrast_of(average.density),
            "likeness_to_average": float(average.likeness.mean()), "averaged": averaged,
            "neighbour": finite.median() if len(finite) else np.nan,
            "share_near_membrane": near.astype(float).mean() if len(near) else np.nan}
