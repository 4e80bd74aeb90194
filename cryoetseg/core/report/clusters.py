"""Pictures of clusters: the map with a colour for each, and a gallery of averages and members. Scipion's interpreter draws them too."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np
from matplotlib.figure import Figure

from .figures import GREY, SERIES, draw_slice

MARKERS = "os^Dv<>p"
PLANES = ("xy", "xz", "yz")
PANEL_INCHES = 1.15
FEWEST_FOR_A_CURVE = 30  # particles of a kind


def colour_of(number: int) -> str:
    """The colour of a cluster; grey for 0, the unsure ones."""
    return SERIES[(number - 1) % len(SERIES)] if number else GREY


def draw_map(axes: Any, places: np.ndarray, clusters: np.ndarray, title: str = "") -> None:
    """Draw particles at ``places`` (n, 2), each with colour and marker of its cluster (n,), 0 in grey."""
    for number in sorted(set(clusters.tolist()), key=lambda value: (value == 0, value)):
        own = clusters == number
        marker = MARKERS[(number - 1) // len(SERIES) % len(MARKERS)] if number else "x"
        label = f"cluster {number} ({int(own.sum())})" if number else f"unsure ({int(own.sum())})"
        axes.scatter(places[own, 0], places[own, 1], s=14, c=colour_of(number), marker=marker, linewidths=0 if number else 0.8, label=label)
        if number:
            axes.annotate(str(number), np.median(places[own], axis=0), fontsize="medium", weight="bold",
                          bbox={"facecolor": "white", "alpha": 0.7, "pad": 1, "linewidth": 0})
    axes.set(xticks=[], yticks=[], title=title)
    axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))


def draw_gallery(figure: Figure, numbers: Sequence[int], boxes: np.ndarray, counts: Sequence[int], voxel_size: float) -> None:
    """Draw for each cluster a row: three planes of its average, then the middle slices of members; ``boxes`` (k, 1 + m, z, y, x), all 0
    where a cluster has fewer members than there are places."""
    columns = len(PLANES) + boxes.shape[1] - 1
    grid = figure.subplots(len(numbers), columns, squeeze=False)
    for row, (number, own, count) in enumerate(zip(numbers, boxes.astype(np.float32), counts)):
        middle = own.shape[-1] // 2
        planes = [own[0][middle], own[0][:, middle], own[0][:, :, middle], *(member[middle] for member in own[1:])]
        for column, plane in enumerate(planes):
            if not plane.any():
                grid[row, column].set_axis_off()
                continue
            name = (f"cluster {number}" if number else "unsure") + f" ({count})\n" if column == 0 else ""
            title = name + PLANES[column] if column < len(PLANES) else ""
            # microscopes give dark particles: drawn so
            draw_slice(grid[row, column], -plane, title=title, voxel_size=voxel_size if (row, column) == (0, 0) else None)


def draw_counts(figure: Figure, counts: Any, neighbours: Any, promised: Any) -> None:
    """Draw the tables of counts: concentrations, neighbours over chance by distance, and what the scores promise, where they do.

    Kinds of few particles get no curve of neighbours: a single pair of theirs would outshine the others.
    """
    bars, curves, scores = figure.subplots(1, 3, squeeze=False)[0]
    kinds = counts[counts["cluster"] != "all"].groupby("cluster", sort=False)["per_um3"].mean()
    names = [str(name) for name in kinds.index]
    bars.barh(names, kinds.to_numpy(), color=[_colour_of_row(name) for name in names])
    bars.invert_yaxis()
    bars.set(xlabel="particles in a cubic micrometre of sample", title="concentration")
    particles = counts.groupby(counts["cluster"].astype(str))["particles"].sum()
    enough = set(particles.index[particles >= FEWEST_FOR_A_CURVE]) - {"unsure"}
    kinds_alone = neighbours[neighbours["cluster"].astype(str).isin(enough)]
    for name, part in kinds_alone.groupby("cluster", sort=False):
        middle = (part["from_A"] + part["to_A"]) / 20
        curves.plot(middle, part["times_chance"], color=_colour_of_row(str(name)), label=name, linewidth=1)
    curves.axhline(1, color="black", linewidth=0.5)
    curves.set(xlabel="distance (nm)", ylabel="times chance", title="neighbours")
    if len(kinds_alone):
        curves.legend(fontsize="x-small")
    if len(promised):
        for name, label in (("precision", "precision"), ("recall_of_listed", "recall of what is listed")):
            scores.plot(promised["threshold"], promised[name], marker="o", label=label)
        scores.legend(fontsize="x-small")
    scores.set(xlabel="smallest score", ylim=(0, 1.02), title="promised by the scores" if len(promised) else "scores are no probabilities")


def _colour_of_row(name: str) -> str:
    """The colour of a row of the tables of counts; grey for those of no kind."""
    return colour_of(int(name)) if name.isdigit() else GREY
