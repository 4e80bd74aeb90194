"""One report over several segmented tomograms: pictures, counts and, where something is known, scores beside trivial baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..particles.formats import read_particles
from ..runtime.job import InputFile, Job, Result, read_result
from ..runtime.names import name_of
from ..volumes.contrast import particles_bright
from ..volumes.io import read_labels, read_volume
from .comparison import OURS, Scores, compare_membranes, compare_picks, mean_scores
from .figures import draw_bars, draw_slice, new_figure, points_near, save_figure
from .html import Picture, Section, Step, Table, write_report
from .known import Known, known_table, recall_curves, recall_picture
from .terms import meanings_of

REPORT = "report.html"
PANEL_INCHES = 4.0
MATCHED = "Against the truth, in the segmented slices; a pick hits a particle within half its diameter."


class Segmented(NamedTuple):
    """Where the ``result.json`` of a mask and that of a particle list of one tomogram lie, which may be the same.

    ``simulation`` is that of a simulated tomogram, which tells the truth; ``known`` holds positions of some of its particles.
    ``root`` is the folder that relative paths of inputs start from.
    """

    membranes: Path
    particles: Path
    simulation: Path | None = None
    known: Known | None = None
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


def write_summary(items: Sequence[Segmented], folder: Path, title: str, name: str = REPORT, steps: Sequence[Step] = ()) -> list[Table]:
    """Write the report ``name`` and its pictures into ``folder``; returns its tables of scores, none where nothing is known.

    ``steps`` are what the reader may do next.
    """
    results: list[Result] = []
    scores: list[Scores] = []
    tables: list[Table] = []
    sections: list[Section] = []
    for item in items:
        made, found = _read_found(item)
        truth = _read_truth(item.simulation)
        scored = _score(found, truth)
        section = _section(found, truth, scored, item.known, folder)
        sections.append(section)
        scores += [scored] if scored else []
        tables += section.tables if item.known is not None else []
        results += [*made, *([read_result(item.simulation)] if item.simulation is not None else [])]
    means = mean_scores(scores) if scores else {}
    overview = [_overview(means, folder)] if means else []
    tables += [table for section in overview for table in section.tables]
    shown = [*sections, *overview, *_reading(tables), *([Section("What next", steps=steps)] if steps else [])]
    write_report(folder / name, title, shown, results)
    return tables


def _read_found(item: Segmented) -> tuple[list[Result], Found]:
    records = {path: read_result(path) for path in dict.fromkeys([item.membranes, item.particles])}
    masked, picked = records[item.membranes], records[item.particles]
    source = Job(**masked.job).input_of("tomogram")
    volume, header = read_volume(item.root / source.path, source.voxel_size)
    mask, _ = read_labels(item.membranes.parent / masked.outputs_of("membrane_mask")[0].path)
    particles = read_particles(item.particles.parent / picked.outputs_of("particles")[0].path)
    diameter = float(picked.job["parameters"].get("particle_diameter") or picked.metrics["particle_diameter"])
    bright = particles_bright(volume, source.contrast)
    return list(records.values()), Found(Path(source.path).stem, bright, mask, particles.zyx, header.voxel_size,
                                         _slices(masked, source), diameter / header.voxel_size)


def _slices(result: Result, source: InputFile) -> tuple[int, int]:
    """The slices that were segmented, as the result tells them for this tomogram or for all."""
    first, _, end = str(result.metrics.get(name_of(source), result.metrics)["slices"]).partition(":")
    return int(first), int(end)


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


def _section(found: Found, truth: Truth | None, scores: Scores, known: Known | None, folder: Path) -> Section:
    first, last = found.z_range
    share = float((found.mask[first:last] > 0).mean())
    text = (
        f"Slices {first} to {last - 1} of {found.volume.shape[0]}, {found.voxel_size:.4g} Å a voxel. Membranes fill {share:.1%} of them; "
        f"{len(found.points)} particle candidates of about {found.diameter_px * found.voxel_size:.0f} Å."
    )
    pictures = [_picture(found, truth, known, folder)]
    if known is None:
        return Section(found.name, text, [score_table(scores)] if scores else [], pictures)
    curves = recall_curves(found.volume, found.points, known, found.diameter_px)
    pictures.append(recall_picture(folder / f"{found.name}_recall.png", curves, known))
    return Section(found.name, f"{text} {known.about}", [known_table(curves, known)], pictures)


def _picture(found: Found, truth: Truth | None, known: Known | None, folder: Path) -> Picture:
    """The middle slice: as it is, with what was found, and with what is known of it."""
    z = sum(found.z_range) // 2
    panels = [Panel("tomogram"), Panel("found", found.mask[z], found.points)]
    panels += [Panel("truth", truth.mask[z], truth.points)] if truth is not None else []
    panels += [Panel(known.title, None, known.points)] if known is not None else []
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


def score_table(scores: Scores, caption: str = MATCHED) -> Table:
    """Methods as rows, scores as columns."""
    names = list(dict.fromkeys(name for row in scores.values() for name in row))
    rows = [[method, *(row.get(name) for name in names)] for method, row in scores.items()]
    return Table(["method", *names], rows, caption)


def _overview(means: Scores, folder: Path) -> Section:
    figure = new_figure(9.5, 3.5)
    draw_bars(figure.add_subplot(), means)
    picture = Picture(save_figure(folder / "scores.png", figure), "The same scores as bars.")
    text = "What was found without labels, beside what anyone could have without learning. Higher is better, 1 is perfect."
    table = score_table(means, f"Mean over the simulated tomograms. {MATCHED}")
    return Section("Scores where the truth is known", text, [table], [picture])


def _reading(tables: Sequence[Table]) -> list[Section]:
    """What the words of the tables mean."""
    words = [*(str(row[0]) for table in tables for row in table.rows), *(name for table in tables for name in table.columns)]
    return [Section("What the words mean", meanings=meanings_of(words))] if words else []
