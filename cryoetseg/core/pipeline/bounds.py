"""What the chain found beside its bounds: baselines without learning from below, the same students on true labels from above."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..particles.formats import read_particles
from ..report.comparison import Scores, compare_membranes, compare_picks
from ..report.summary import joined
from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job
from ..volumes.contrast import particles_bright
from ..volumes.io import read_labels, read_volume
from .chain import Found, Labels

PSEUDO, STUDENT, ORACLE = "pseudo-labels", "student", "oracle"
RATIO = "student / oracle"


@dataclass(frozen=True)
class Truth:
    """The true membrane mask and particle list of one tomogram, as files; None where unknown."""

    membranes: Path | None
    particles: Path | None


def truths_of(job: Job) -> dict[str, Truth]:
    """What is known of the job's tomograms, by tilt-series id; raises :class:`InputError` for a truth of no tomogram."""
    names = {item.tilt_series_id for item in job.inputs_of("tomogram")}
    files = {role: {item.tilt_series_id: Path(item.path) for item in job.inputs_of(role)} for role in ("truth_mask", "truth_particles")}
    stray = sorted(set().union(*files.values()) - names)
    if stray:
        raise InputError(f"truth for {', '.join(stray)}, which is no tomogram of this run", ", ".join(sorted(names)))
    known = [name for name in sorted(names) if any(name in named for named in files.values())]
    return {name: Truth(files["truth_mask"].get(name), files["truth_particles"].get(name)) for name in known}


def true_labels(truth: Truth, z_range: tuple[int, int], folder: Path) -> Labels:
    """The truth as labels for the oracle, written into ``folder``: particles only of the slices that give pseudo-labels, all of one class.

    Pseudo-labels know no classes; an oracle that told classes apart would be another network on another task.
    """
    from ..particles.formats import write_particles

    if truth.particles is None:
        return Labels(truth.membranes, None)
    table = read_particles(truth.particles)
    first, last = z_range
    inside = (table.zyx[:, 0] >= first - 0.5) & (table.zyx[:, 0] < last - 0.5)
    path = folder / f"{truth.particles.stem}_training.star"
    one_class = replace(table.select(inside), class_id=np.ones(int(inside.sum()), dtype=table.class_id.dtype), class_names={})
    write_particles(one_class, path)
    return Labels(truth.membranes, path if inside.any() else None)


def scores_of(
    tomogram: InputFile, truth: Truth, found: dict[str, Found], z_range: tuple[int, int] | None, particle_diameter: float
) -> Scores:
    """Scores of each named result and of the baselines in slices ``z_range`` (all unless given); diameter in Angstrom."""
    volume, header = read_volume(tomogram.path, tomogram.voxel_size)
    bright = particles_bright(volume, tomogram.contrast)
    window = z_range or (0, header.shape[0])
    diameter_px = particle_diameter / header.voxel_size
    membranes: Scores = {}
    picks: Scores = {}
    masks = {name: read_labels(result.membranes)[0] for name, result in found.items() if result.membranes}
    points = {name: read_particles(result.particles).zyx for name, result in found.items() if result.particles}
    if truth.membranes is not None and masks:
        membranes = compare_membranes(bright, masks, read_labels(truth.membranes)[0], window)
    if truth.particles is not None and points:
        picks = compare_picks(bright, points, read_particles(truth.particles).zyx, window, diameter_px)
    return joined(membranes, picks)


def with_ratio(scores: Scores) -> Scores:
    """The scores with one more row: what part of the oracle's the student reaches, where both exist."""
    if STUDENT not in scores or ORACLE not in scores:
        return scores
    ratio = {name: _ratio(value, scores[ORACLE].get(name)) for name, value in scores[STUDENT].items()}
    return {**scores, RATIO: {name: value for name, value in ratio.items() if np.isfinite(value)}}


def _ratio(value: float, bound: float | None) -> float:
    return value / bound if bound else float("nan")
