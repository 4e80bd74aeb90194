"""The report of the chain: a picture and counts for each tomogram and, where the truth is known, scores between their bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...particles.formats import read_particles
from ...report.comparison import Scores, mean_scores
from ...report.html import Picture, Section, Table, readable, write_report
from ...report.summary import REPORT, Panel, score_table, slice_picture
from ...runtime.job import InputFile, Result
from ...runtime.names import file_stem
from ...volumes.contrast import particles_bright
from ...volumes.io import open_labels, open_volume
from .bounds import RATIO, Truth, with_ratio
from .chain import Found, Students

GENERAL_SOURCE = "The general models that the package ships were used as they are: no tomogram of this run taught them."
HEADLINES = ("membrane Dice", "particle F1")


class Finished(NamedTuple):
    """One tomogram through the chain: its results, and its scores in all slices and in the labelled ones (empty without truth)."""

    tomogram: InputFile
    found: Found
    truth: Truth | None
    scores: Scores
    labelled_scores: Scores


def write_chain_report(
    folder: Path, items: Sequence[Finished], students: Students, failures: Mapping[str, str], particle_diameter: float,
    z_range: tuple[int, int] | None, results: Sequence[Result] = (),
) -> Scores:
    """Write ``report.html`` and its pictures; returns the scores, mean over the tomograms whose truth is known.

    ``particle_diameter`` in Angstrom, ``z_range`` the slices that gave the pseudo-labels, None without any.
    """
    means = with_ratio(mean_scores([item.scores for item in items if item.scores])) if any(item.scores for item in items) else {}
    sections = [_overview(means, z_range), *_training(students, folder)]
    sections += [_section(item, folder, particle_diameter) for item in items]
    if failures:
        rows = [[name, message] for name, message in failures.items()]
        sections.append(Section("Not finished", "Run the same command again once this is mended; all else is kept.",
                                [Table(["tomogram", "what went wrong"], rows)]))
    write_report(folder / REPORT, "cryoetseg: masks and particles without labels", sections, results)
    return means


def _overview(means: Scores, z_range: tuple[int, int] | None) -> Section:
    source = GENERAL_SOURCE if z_range is None else (
        f"Pseudo-labels come from slices {z_range[0]} to {z_range[1] - 1} of the training tomograms; the students saw no other labels.")
    if not means:
        return Section("Overview", f"{source} Nothing is known of these tomograms, so there are pictures and counts, but no scores.")
    ratios = means.get(RATIO, {})
    reached = ", ".join(f"{name} {readable(ratios[name])}" for name in HEADLINES if name in ratios)
    text = f"{source} Scores over all slices, mean over the tomograms whose truth is known." + (
        f" Part of the oracle's score that the student reaches: {reached}." if reached else "")
    return Section("Overview", text, [score_table(means)])


def _training(students: Students, folder: Path) -> list[Section]:
    curves = [(name, model.parent / "training" / "training_curve.png") for name, model in
              (("membrane student", students.membranes), ("picker", students.picker)) if model is not None]
    pictures = [Picture(path, f"Training of the {name}.") for name, path in curves if path.is_file()]
    return [Section("Training", pictures=pictures)] if pictures else []


def _section(item: Finished, folder: Path, particle_diameter: float) -> Section:
    volume = open_volume(item.tomogram.path, item.tomogram.voxel_size)
    size = volume.header.voxel_size
    depth = volume.header.shape[0]
    mask = None if item.found.membranes is None else open_labels(item.found.membranes).data
    points = None if item.found.particles is None else read_particles(item.found.particles).zyx
    counts = [] if points is None else [f"{len(points)} particles"]
    if mask is not None:
        counts.append(f"membranes in {sum(np.count_nonzero(part) for part in mask) / mask.size:.1%} of the volume")
    z = depth // 2
    image = particles_bright(np.asarray(volume.data[z], np.float32), item.tomogram.contrast)
    panels = [Panel("tomogram"), Panel("found", None if mask is None else mask[z], points), *_true_panel(item.truth, z)]
    picture = slice_picture(folder / f"{file_stem(item.tomogram.tilt_series_id)}.png", image, z, panels, size, particle_diameter / size)
    tables = [score_table(with_ratio(item.scores))] if item.scores else []
    if item.labelled_scores:
        labelled = score_table(item.labelled_scores)
        tables.append(Table(labelled.columns, labelled.rows, "The same in the slices that gave the pseudo-labels."))
    return Section(item.tomogram.tilt_series_id, f"{depth} slices, {size:.4g} Å a voxel: {', '.join(counts)}.", tables, [picture])


def _true_panel(truth: Truth | None, z: int) -> list[Panel]:
    if truth is None:
        return []
    mask = None if truth.membranes is None else open_labels(truth.membranes).data[z]
    points = None if truth.particles is None else read_particles(truth.particles).zyx
    return [Panel("truth", mask, points)]
