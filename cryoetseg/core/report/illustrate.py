"""The figures that belong to each kind of result, drawn from its files and added to its record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.job import RESULT_FILE, Output, Result, write_result
from .illustrate_dual import draw_restored
from .illustrate_generation import draw_generated, draw_scores
from .illustrate_voxuda import draw_comparison, draw_segmented

ORTHOGONAL_INCHES = 9.0
EIGENIMAGE_INCHES, EIGENIMAGE_COLUMNS = 2.0, 6
BAR_SCORES = ("dice", "surface_dice", "iou", "precision", "recall", "f1", "mean_class_dice", "accuracy")
DEFAULT_DIAMETER = 250.0  # Angstrom, of the circles where the job names no particle diameter


def illustrate(result: Result) -> Result:
    """Draw the figures of a result that has none yet and write them into its ``result.json``; returns the completed result."""
    drawer = DRAWERS.get(result.method)
    if drawer is None or result.outputs_of("figure"):
        return result
    folder = Path(result.job["output_folder"])
    figures = [Output(kind="figure", path=name) for name in drawer(result, folder)]
    completed = result.model_copy(update={"outputs": [*result.outputs, *figures]})
    write_result(folder / RESULT_FILE, completed)
    return completed


def draw_segmentation(result: Result, folder: Path) -> list[str]:
    """Tomogram with membranes and candidates in three planes through the middle of the slab range, and the eigenimages there."""
    from ..volumes.io import open_labels

    mask = open_labels(folder / result.outputs_of("membrane_mask")[0].path)
    centre = [_middle_of_range(result.job["parameters"], mask.data.shape[0]), *(size // 2 for size in mask.data.shape[1:])]
    source = result.job["inputs"][0]
    overview = _overview(result, folder, Path(source["path"]), source["voxel_size"], mask.data, centre)
    return [overview, *(_middle_eigenimages(folder, kept.path) for kept in result.outputs_of("eigenimages"))]


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
        names.append(_overview(result, folder, folder / tomogram.path, None, mask, None, number))
    return names


def draw_membranes(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the membranes found, in three planes through the middle of the slice range."""
    from ..volumes.io import open_labels

    names = []
    sources = [source for source in result.job["inputs"] if source["role"] == "tomogram"]
    for source, output in zip(sources, result.outputs_of("membrane_mask")):
        mask = open_labels(folder / output.path).data
        centre = [_middle_of_range(result.job["parameters"], mask.shape[0]), *(size // 2 for size in mask.shape[1:])]
        names.append(_overview(result, folder, Path(source["path"]), source["voxel_size"], mask, centre))
    return names


def draw_classes(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the classes found, one colour a class, and the particles, in three planes through the middle."""
    from ..volumes.io import open_labels
    from .figures import SERIES

    sources = [source for source in result.job["inputs"] if source["role"] == "tomogram"]
    names = []
    for number, (source, output) in enumerate(zip(sources, result.outputs_of("class_mask"))):
        labels = open_labels(folder / output.path).data
        names.append(_overview(result, folder, Path(source["path"]), source["voxel_size"], labels, None, number, SERIES))
    return names


def draw_picks(result: Result, folder: Path) -> list[str]:
    """Tomogram with the picked particles."""
    source = result.job["inputs"][0]
    return [_overview(result, folder, Path(source["path"]), source["voxel_size"], None, None)]


def draw_learned_picks(result: Result, folder: Path) -> list[str]:
    """Each tomogram with the particles that a trained picker found."""
    sources = [source for source in result.job["inputs"] if source["role"] == "tomogram"]
    return [_overview(result, folder, Path(source["path"]), source["voxel_size"], None, None, number)
            for number, source in enumerate(sources)]  # fmt: skip


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


DRAWERS: dict[str, Callable[[Result, Path], list[str]]] = {
    "segment-slabs": draw_segmentation,
    "simulate": draw_simulation,
    "segment-membranes": draw_membranes,
    "segment-classes": draw_classes,
    "pick-dog": draw_picks,
    "pick-deepet": draw_learned_picks,
    "generate-particles": draw_generated,
    "evaluate-generation": draw_scores,
    "segment-subtomograms": draw_segmented,
    "voxuda-ablation": draw_comparison,
    **dict.fromkeys(("denoise-dual", "simulate-dual", "convert-dual", "fill-wedge"), draw_restored),
    "evaluate-segmentation": draw_evaluation,
    "evaluate-picking": draw_evaluation,
}


def _overview(
    result: Result, folder: Path, tomogram: Path, voxel_size: float | None, mask: Any, centre: list[int] | None, number: int = 0,
    colours: Sequence[str] = (),
) -> str:
    from ..particles.formats import read_particles
    from ..volumes.io import open_volume
    from .figures import MASK_COLOUR, draw_orthogonal, new_figure, save_figure

    volume = open_volume(tomogram, voxel_size)
    size = volume.header.voxel_size
    lists = result.outputs_of("particles")
    points = np.asarray(read_particles(folder / lists[number].path).zyx) if lists else None
    depth, height, width = volume.header.shape
    figure = new_figure(ORTHOGONAL_INCHES, ORTHOGONAL_INCHES * (depth + height) / (depth + width))
    draw_orthogonal(figure, volume.data, mask, points, centre=centre, voxel_size=size, diameter_px=_diameter(result) / size,
                    mask_colours=colours or (MASK_COLOUR,))  # fmt: skip
    name = f"{tomogram.stem}_overview.png"
    save_figure(folder / name, figure)
    return name


def _diameter(result: Result) -> float:
    known = result.job["parameters"].get("particle_diameter") or result.metrics.get("particle_diameter")
    return float(known or DEFAULT_DIAMETER)


def _middle_of_range(parameters: dict[str, Any], depth: int) -> int:
    return int((parameters.get("z_start", 0) + (parameters.get("z_end") or depth)) // 2)
