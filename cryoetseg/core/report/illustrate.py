"""The figures that belong to each kind of result, drawn from its files and added to its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.job import InputFile, Output, Result
from ..runtime.names import distinct, file_stem, name_of
from .illustrate_dual import draw_restored
from .illustrate_generation import draw_generated, draw_scores
from .illustrate_voxuda import draw_comparison, draw_segmented

ORTHOGONAL_INCHES = 9.0
EIGENIMAGE_INCHES, EIGENIMAGE_COLUMNS = 2.0, 6
BAR_SCORES = ("dice", "surface_dice", "iou", "precision", "recall", "f1", "mean_class_dice", "accuracy")
DEFAULT_DIAMETER = 250.0  # Angstrom, of the circles where the job names no particle diameter


def illustrate(result: Result) -> Result:
    """Draw the figures of a result that has none yet; returns the completed result, for the runner to record."""
    drawer = DRAWERS.get(result.method)
    if drawer is None or result.outputs_of("figure"):
        return result
    folder = Path(result.job["output_folder"])
    figures = [Output(kind="figure", path=name) for name in drawer(result, folder)]
    return result.model_copy(update={"outputs": [*result.outputs, *figures]})


def draw_segmentation(result: Result, folder: Path) -> list[str]:
    """Tomogram with membranes and candidates in three planes through the middle of the slab range, and the eigenimages there."""
    overviews = _overviews(result, folder, "membrane_mask", in_range=True)
    return [*overviews, *(_middle_eigenimages(folder, kept.path) for kept in result.outputs_of("eigenimages"))]


def _middle_eigenimages(folder: Path, kept: str) -> str:
    """Draw the eigenimages of the middle one of the slabs kept in the file ``kept``, and how they were merged."""
    from .figures import draw_eigenimages, new_figure, save_figure
    from .slab_file import read_slabs

    slabs = read_slabs(folder / kept)
    slab = slabs[len(slabs) // 2]
    rows = -(-(len(slab.eigenimages) + 1) // EIGENIMAGE_COLUMNS)
    figure = new_figure(EIGENIMAGE_INCHES * EIGENIMAGE_COLUMNS, (EIGENIMAGE_INCHES + 0.35) * rows)
    draw_eigenimages(figure, slab.eigenimages, slab.record, slab.canvas)
    name = f"{Path(kept).stem}_z{slab.z}.png"
    save_figure(folder / name, figure)
    return name


def draw_simulation(result: Result, folder: Path) -> list[str]:
    """Each simulated tomogram with its true membranes and particles."""
    from ..volumes.io import open_labels

    names = []
    for number, tomogram in enumerate(result.outputs_of("tomogram")):
        mask = open_labels(folder / result.outputs_of("membrane_mask")[number].path).data
        names.append(_overview(result, folder, InputFile(path=str(folder / tomogram.path)), mask, None, number))
    return names


def draw_membranes(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the membranes found, in three planes through the middle of the slice range."""
    return _overviews(result, folder, "membrane_mask", in_range=True)


def draw_filaments(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the filaments found and the points on their axes, in three planes through the middle of the slice range."""
    return _overviews(result, folder, "filament_mask", in_range=True)


def draw_classes(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the classes found, one colour a class, and the particles, in three planes through the middle."""
    from .figures import SERIES

    return _overviews(result, folder, "class_mask", colours=SERIES)


def draw_picks(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the picked particles."""
    return _overviews(result, folder)


def draw_evaluation(result: Result, folder: Path) -> list[str]:
    """The scores between 0 and 1 as bars."""
    from .figures import draw_bars, new_figure, save_figure

    scores = {name.replace("_", " "): float(result.metrics[name]) for name in BAR_SCORES if name in result.metrics}
    if not scores:
        return []
    figure = new_figure(6.0, 3.5)
    draw_bars(figure.add_subplot(), {"all tomograms": scores})
    save_figure(folder / "scores.png", figure)
    return ["scores.png"]


def draw_measured_membranes(result: Result, folder: Path) -> list[str]:
    """The membranes of each mask, one colour each, over the tomogram where there is one, in three planes through the middle."""
    from ..volumes.io import open_labels, open_volume
    from .figures import SERIES, draw_orthogonal, new_figure, save_figure

    tomograms = [InputFile(**source) for source in result.job["inputs"] if source["role"] == "tomogram"]
    names = []
    for number, output in enumerate(result.outputs_of("membrane_instances")):
        labels = open_labels(folder / output.path)
        below = open_volume(tomograms[number].path).data if number < len(tomograms) else labels.data
        depth, height, width = labels.header.shape
        figure = new_figure(ORTHOGONAL_INCHES, ORTHOGONAL_INCHES * (depth + height) / (depth + width))
        draw_orthogonal(figure, below, labels.data, voxel_size=labels.header.voxel_size, mask_colours=SERIES)
        names.append(f"{Path(output.path).stem}.png")
        save_figure(folder / names[-1], figure)
    return names


def draw_clusters(result: Result, folder: Path) -> list[str]:
    """The map of the clusters, averages beside members, and counts."""
    import pandas as pd

    from .clusters import PANEL_INCHES, draw_counts, draw_gallery, draw_map
    from .figures import new_figure, save_figure

    rows, table = pd.read_csv(folder / "picks.csv"), pd.read_csv(folder / "clusters.csv").set_index("cluster")
    shown = rows.dropna(subset=["map_x"])
    figure = new_figure(8.0, 6.0)
    draw_map(figure.add_subplot(), shown[["map_x", "map_y"]].to_numpy(), shown["cluster"].to_numpy(), "alike particles near each other")
    save_figure(folder / "map.png", figure)
    with np.load(folder / "boxes.npz", allow_pickle=False) as stored:
        numbers, boxes = stored["numbers"].tolist(), stored["boxes"]
    figure = new_figure(PANEL_INCHES * (boxes.shape[1] + 2), (PANEL_INCHES + 0.35) * len(numbers))
    counts = [int(table.loc[number, "particles"]) for number in numbers]
    draw_gallery(figure, numbers, boxes, counts, result.outputs_of("average")[0].voxel_size or 1.0)
    save_figure(folder / "gallery.png", figure)
    figure = new_figure(13.0, 4.0)
    draw_counts(figure, *(pd.read_csv(folder / f"{name}.csv") for name in ("counts", "neighbours", "scores")))
    save_figure(folder / "counts.png", figure)
    return ["map.png", "gallery.png", "counts.png"]


DRAWERS: dict[str, Callable[[Result, Path], list[str]]] = {
    "segment-slabs": draw_segmentation,
    "simulate": draw_simulation,
    "segment-membranes": draw_membranes,
    "segment-filaments": draw_filaments,
    "segment-classes": draw_classes,
    "pick-dog": draw_picks,
    "pick-deepet": draw_picks,
    "cluster-particles": draw_clusters,
    **dict.fromkeys(("measure-membranes", "membrane-points"), draw_measured_membranes),
    "generate-particles": draw_generated,
    "evaluate-generation": draw_scores,
    "segment-subtomograms": draw_segmented,
    "voxuda-ablation": draw_comparison,
    **dict.fromkeys(("denoise-dual", "simulate-dual", "convert-dual", "fill-wedge"), draw_restored),
    "evaluate-segmentation": draw_evaluation,
    "evaluate-picking": draw_evaluation,
}


def _overviews(result: Result, folder: Path, kind: str = "", *, in_range: bool = False, colours: Sequence[str] = ()) -> list[str]:
    """Each tomogram of the job with its mask, an output of a ``kind`` (none unless given), and its particles, where there are any.

    Planes go through the middle, with ``in_range`` through that of the slices that the job was about.
    """
    from ..volumes.io import open_labels

    sources = distinct([InputFile(**source) for source in result.job["inputs"] if source["role"] == "tomogram"])
    outputs = result.outputs_of(kind) if kind else [None] * len(sources)
    names = []
    for number, (source, output) in enumerate(zip(sources, outputs)):
        mask: Any = None if output is None else open_labels(folder / output.path).data
        centre = [_middle_of_range(result.job["parameters"], mask.shape[0]), *(size // 2 for size in mask.shape[1:])] if in_range else None
        names.append(_overview(result, folder, source, mask, centre, number, colours))
    return names


def _overview(
    result: Result, folder: Path, tomogram: InputFile, mask: Any, centre: list[int] | None, number: int = 0, colours: Sequence[str] = (),
) -> str:
    from ..particles.formats import read_particles
    from ..volumes.io import open_volume
    from .figures import MASK_COLOUR, draw_orthogonal, new_figure, save_figure

    volume = open_volume(tomogram.path, tomogram.voxel_size)
    size = volume.header.voxel_size
    lists = result.outputs_of("particles")
    points = np.asarray(read_particles(folder / lists[number].path).zyx) if lists else None
    depth, height, width = volume.header.shape
    figure = new_figure(ORTHOGONAL_INCHES, ORTHOGONAL_INCHES * (depth + height) / (depth + width))
    draw_orthogonal(figure, volume.data, mask, points, centre=centre, voxel_size=size, diameter_px=_diameter(result) / size,
                    mask_colours=colours or (MASK_COLOUR,))  # fmt: skip
    name = f"{file_stem(name_of(tomogram))}_overview.png"
    save_figure(folder / name, figure)
    return name


def _diameter(result: Result) -> float:
    known = result.job["parameters"].get("particle_diameter") or result.metrics.get("particle_diameter")
    return float(known or DEFAULT_DIAMETER)


def _middle_of_range(parameters: dict[str, Any], depth: int) -> int:
    return int((parameters.get("z_start", 0) + (parameters.get("z_end") or depth)) // 2)
