"""Figures of Vox-UDA's results, drawn from their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.files import read_json
from ..runtime.job import Job, Result
from ..runtime.names import name_of
from .figures import draw_orthogonal, new_figure, save_figure
from .voxuda_figures import COLUMNS, draw_ablation, draw_feature_maps, draw_montage

MOST_SHOWN = 24
PANEL_INCHES = 1.8


def draw_comparison(result: Result, folder: Path) -> list[str]:
    """The rows of the ablation as bars, and the features of both domains without and with adaptation."""
    scores = read_json(folder / result.outputs_of("scores")[0].path)
    figure = new_figure(10.0, 1.2 + 0.4 * len(scores["summary"]))
    draw_ablation(figure, scores["summary"], scores["published_dice"])
    save_figure(folder / "ablation.png", figure)
    names = ["ablation.png"]
    for output in result.outputs_of("features"):
        figure = new_figure(9.0, 4.5)
        draw_feature_maps(figure, read_json(folder / output.path)["maps"])
        names.append(f"{Path(output.path).stem}.png")
        save_figure(folder / names[-1], figure)
    return names


def draw_segmented(result: Result, folder: Path) -> list[str]:
    """Subtomograms with their masks, the first ones of the job; whole tomograms in three planes."""
    names = _montage(result, folder)
    masks = {output.tilt_series_id: folder / output.path for output in result.outputs_of("mask")}
    for source in (item for item in Job(**result.job).inputs_of("tomogram")):
        names.append(_planes(source.path, source.voxel_size, masks[name_of(source)], folder))
    return names


def _montage(result: Result, folder: Path) -> list[str]:
    from ..volumes.contrast import particles_bright
    from ..volumes.io import open_labels, read_volume
    from ..voxuda.data import find_entries

    job = Job(**result.job)
    if not job.inputs_of("subtomogram"):
        return []
    entries = find_entries(job.inputs_of("subtomogram"), job.inputs_of("subtomogram_mask"), "input")[:MOST_SHOWN]
    outputs = result.outputs_of("mask")[:len(entries)]
    volumes = [particles_bright(read_volume(entry.path, entry.voxel_size)[0], entry.contrast) for entry in entries]
    masks = [np.asarray(open_labels(folder / output.path).data) for output in outputs]
    truths = [np.asarray(open_labels(entry.mask).data) for entry in entries if entry.mask is not None]
    figure = new_figure(PANEL_INCHES * COLUMNS, PANEL_INCHES * 1.1 * -(-len(entries) // COLUMNS))
    draw_montage(figure, volumes, masks, [entry.path.stem for entry in entries], truths or None)
    save_figure(folder / "montage.png", figure)
    return ["montage.png"]


def _planes(path: str, voxel_size: Any, mask: Path, folder: Path) -> str:
    from ..volumes.io import open_labels, open_volume

    volume = open_volume(path, voxel_size)
    depth, height, width = volume.header.shape
    figure = new_figure(9.0, 9.0 * (depth + height) / (depth + width))
    draw_orthogonal(figure, volume.data, open_labels(mask).data, voxel_size=volume.header.voxel_size)
    name = f"{mask.stem.removesuffix('_mask')}_overview.png"
    save_figure(folder / name, figure)
    return name
