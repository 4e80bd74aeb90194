"""Figures of Vox-UDA: the comparison, the map of features, montages of subtomograms with masks.

Also imported by Scipion's own interpreter: valid Python 3.8, matplotlib's objects only.
"""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

import numpy as np
from matplotlib.figure import Figure

from .figures import BLUE, GREY, ORANGE, SERIES, draw_slice

TITLES = {
    "source_only": "source only", "dann": "DANN", "without_noise_module": "without noise module",
    "without_pseudo_labels": "without pseudo-labels", "noise_module_denoiser": "Vox-UDA, noise-module denoiser",
    "bilateral_denoiser": "Vox-UDA, bilateral", "gaussian_denoiser": "Vox-UDA, Gaussian", "vox_uda": "Vox-UDA",
    "supervised": "fully supervised",
}  # fmt: skip
COLUMNS = 6


def draw_ablation(figure: Figure, summary: Mapping[str, Mapping[str, Any]], published: Mapping[str, float]) -> None:
    """Dice of each row with its deviation over the seeds, the published one (per cent) as a tick; on the right each class."""
    left, right = figure.subplots(1, 2, sharey=True, squeeze=False)[0]
    rows = [row for row in TITLES if row in summary]
    places = np.arange(len(rows))[::-1]
    means = [summary[row]["dice"] for row in rows]
    left.barh(places, means, xerr=[summary[row]["dice_deviation"] for row in rows], color=BLUE, height=0.6, error_kw={"ecolor": GREY})
    known = [(published[row] / 100, place) for row, place in zip(rows, places) if row in published]
    if known:
        left.plot(*zip(*known), linestyle="", marker="|", markersize=14, markeredgewidth=2, color=ORANGE, label="published, other data")
        left.legend(fontsize="small")
    for place, mean in zip(places, means):
        left.text(0.01, place, f"{mean:.3f}", va="center", fontsize="small", color="white")
    left.set_yticks(places, [TITLES[row] for row in rows])
    left.set(xlabel="mean Dice of the samples", xlim=(0, 1))
    for number, name in enumerate(sorted({name for row in rows for name in summary[row]["class_dice"]})):
        values = [summary[row]["class_dice"].get(name, np.nan) for row in rows]
        right.plot(values, places, marker="o", linestyle="", color=SERIES[number % len(SERIES)], label=name)
    right.set(xlabel="mean Dice of each class", xlim=(0, 1))
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(axis="x", alpha=0.3)


def draw_feature_maps(figure: Figure, maps: Mapping[str, Mapping[str, Any]]) -> None:
    """Positions of source and target by t-SNE, one panel a model."""
    for axes, (row, found) in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps.items()):
        for name, colour in (("source", BLUE), ("target", ORANGE)):
            positions = np.asarray(found[name], dtype=float)
            axes.scatter(positions[:, 0], positions[:, 1], s=6, color=colour, label=name)
        axes.set_title(f"{TITLES.get(row, row)}: a line tells the domains\napart in {found['separation']:.0%} (50% is chance)",
                       fontsize="small")  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(fontsize="small")


def draw_montage(
    figure: Figure, volumes: Sequence[np.ndarray], masks: Sequence[np.ndarray], titles: Sequence[str],
    truths: Optional[Sequence[np.ndarray]] = None, columns: int = COLUMNS,
) -> None:
    """Middle slices of subtomograms (z, y, x) with their masks over them; the outline of the true masks where they are known."""
    rows = -(-len(volumes) // columns)
    grid = figure.subplots(rows, min(columns, len(volumes)), squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for number, (axes, volume, mask, title) in enumerate(zip(grid, volumes, masks, titles)):
        middle = volume.shape[0] // 2
        draw_slice(axes, volume[middle], mask[middle], title=title)
        if truths is not None and truths[number][middle].any():
            axes.contour(truths[number][middle], levels=[0.5], colors=[BLUE], linewidths=1)
