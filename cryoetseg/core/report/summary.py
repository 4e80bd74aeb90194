"""One report over several segmented tomograms: pictures, counts and, where the truth is known, scores beside trivial baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..particles.formats import read_particles
from ..runtime.job import Result, read_result
from ..volumes.contrast import particles_bright
from ..volumes.io import read_labels, read_volume
from .comparison import OURS, Scores, compare_membranes, compare_picks, mean_scores
from .figures import draw_bars, draw_slice, new_figure, points_near, save_figure
from .html import Picture, Section, Table, write_report

REPORT = "report.html"
PANEL_INCHES = 4.0


class Segmented(NamedTuple):
    """Where the ``result.json`` of a segmentation lies and, for a simulated tomogram, that of its simulation.

    ``root`` is the folder that relative paths of inputs start from.
    """

    segmentation: Path
    simulation: Path | None = None
    root: Path = Path()


class Found(NamedTuple):
    """What was found in one tomogram: arrays (z, y, x) with bright particles, points (n, 3) in voxels, Angstrom per voxel."""

    name: str
    volume: np.ndarray
    mask: np.ndarray
    points: np.ndarray
    voxel_size: float
    z_range: tuple[int, int]
    diameter_px: float


class Truth(NamedTuple):
    """What there was to find."""

    mask: np.ndarray
    points: np.ndarray


class Panel(NamedTuple):
    """What is drawn over a slice: a mask (y, x) and points (n, 3) of the whole tomogram."""

    title: str
    mask: np.ndarray | None = None
    points: np.ndarray | None = None


def write_summary(items: list[Segmented], folder: Path, title: str, name: str = REPORT) -> Scores:
    """Write the report ``name`` and its pictures into ``folder``; returns the scores, mean over tomograms, empty without truth."""
    results, tables, sections = [], [], []
    for item in items:
        result, found = _read_found(item)
        truth = _read_truth(item.simulation)
        scores = _score(found, truth)
        tables += [scores] if scores else []
        results += [result] if item.simulation is None else [read_result(item.simulation), result]
        sections.append(_section(found, truth, scores, folder))
    means = mean_scores(tables) if tables else {}
    overview = [_overview(means, folder)] if means else []
    write_report(folder / name, title, [*overview, *sections], results)
    return means


def _read_found(item: Segmented) -> tuple[Result, Found]:
    result, folder = read_result(item.segmentation), item.segmentation.parent
    source, parameters = result.job["inputs"][0], result.job["parameters"]
    volume, header = read_volume(item.root / source["path"], source["voxel_size"])
    mask, _ = read_labels(folder / result.outputs_of("membrane_mask")[0].path)
    points = read_particles(folder / result.outputs_of("particles")[0].path).zyx
    z_range = int(parameters["z_start"]), int(parameters["z_end"] or volume.shape[0])
    diameter_px = float(parameters["particle_diameter"]) / header.voxel_size
    bright = particles_bright(volume, source["contrast"])
    return result, Found(Path(source["path"]).stem, bright, mask, points, header.voxel_size, z_range, diameter_px)


def _read_truth(record: Path | None) -> Truth | None:
    if record is None:
        return None
    result = read_result(record)
    mask, _ = read_labels(record.parent / result.outputs_of("membrane_mask")[0].path)
    return Truth(mask, read_particles(record.parent / result.outputs_of("particles")[0].path).zyx)


def _score(found: Found, truth: Truth | None) -> Scores:
    if truth is None:
        return {}
    membranes = compare_membranes(found.volume, {OURS: found.mask}, truth.mask, found.z_range)
    return joined(membranes, compare_picks(found.volume, {OURS: found.points}, truth.points, found.z_range, found.diameter_px))


def joined(membranes: Scores, picks: Scores) -> Scores:
    """All scores of each method, whichever of the two it has."""
    return {method: {**membranes.get(method, {}), **picks.get(method, {})} for method in {**membranes, **picks}}


def _section(found: Found, truth: Truth | None, scores: Scores, folder: Path) -> Section:
    first, last = found.z_range
    share = float((found.mask[first:last] > 0).mean())
    text = (
        f"Slices {first} to {last - 1} of {found.volume.shape[0]}, {found.voxel_size:.4g} Å a voxel. Membranes fill {share:.1%} of them; "
        f"{len(found.points)} particle candidates of about {found.diameter_px * found.voxel_size:.0f} Å."
    )
    return Section(found.name, text, [score_table(scores)] if scores else [], [_picture(found, truth, folder)])


def _picture(found: Found, truth: Truth | None, folder: Path) -> Picture:
    """The middle slice: as it is, with what was found, and with the truth where there is one."""
    z = sum(found.z_range) // 2
    panels = [Panel("tomogram"), Panel("found", found.mask[z], found.points)]
    panels += [Panel("truth", truth.mask[z], truth.points)] if truth is not None else []
    return slice_picture(folder / f"{found.name}.png", found.volume[z], z, panels, found.voxel_size, found.diameter_px)


def slice_picture(path: Path, image: np.ndarray, z: int, panels: Sequence[Panel], voxel_size: float, diameter_px: float) -> Picture:
    """Draw ``image`` (y, x), slice ``z`` of a tomogram with bright particles, once for each panel."""
    figure = new_figure(PANEL_INCHES * len(panels), PANEL_INCHES)
    for number, panel in enumerate(panels, start=1):
        draw_slice(
            figure.add_subplot(1, len(panels), number), -image, panel.mask, points_near(panel.points, 0, z, diameter_px / 2),
            title=f"{panel.title}, z = {z}", voxel_size=voxel_size, diameter_px=diameter_px,
        )  # fmt: skip
    save_figure(path, figure)
    return Picture(path, "Membranes in orange, particles as blue circles; only those within a radius of the slice are shown.")


def score_table(scores: Scores) -> Table:
    """Methods as rows, scores as columns."""
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    rows = [[method, *(row.get(name) for name in names)] for method, row in scores.items()]
    return Table(["method", *names], rows, "Against the truth, in the segmented slices; DoG has as many picks as there are candidates.")


def _overview(means: Scores, folder: Path) -> Section:
    figure = new_figure(8.0, 3.5)
    draw_bars(figure.add_subplot(), means)
    picture = Picture(save_figure(folder / "scores.png", figure), "Mean over the tomograms.")
    text = "What was found without labels, beside what anyone could have without learning. Higher is better, 1 is perfect."
    return Section("Scores", text, [score_table(means)], [picture])
