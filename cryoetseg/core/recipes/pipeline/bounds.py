"""What the chain found beside its bounds: baselines without learning from below, the same students on true labels from above."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ...particles.formats import read_particles, write_particles
from ...particles.table import in_slices
from ...report.comparison import Scores, blobs, membrane_baselines, membrane_scores, pick_scores
from ...report.summary import joined
from ...runtime.checksums import checksum
from ...runtime.errors import InputError
from ...runtime.job import InputFile, Job
from ...runtime.names import file_stem
from ...runtime.provenance import making
from ...volumes.cleaned import open_cleaned
from ...volumes.io import read_labels
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


def true_labels(name: str, truth: Truth, z_range: tuple[int, int], folder: Path) -> Labels:
    """The truth as labels for the oracle, written into ``folder`` under the tomogram's ``name``: particles only of the slices that give
    pseudo-labels, all of one class.

    Pseudo-labels know no classes; an oracle that told classes apart would be another network on another task.
    """
    if truth.particles is None:
        return Labels(truth.membranes, None)
    table = read_particles(truth.particles)
    inside = in_slices(table.zyx, z_range)
    path = folder / f"{file_stem(name)}_training.star"
    one_class = replace(table.select(inside), class_id=np.ones(int(inside.sum()), dtype=table.class_id.dtype), class_names={})
    # the file says that it comes from the truth alone: another tomogram in the chain must not make it another file
    with making("pipeline", {str(truth.particles): checksum(truth.particles)}):
        write_particles(one_class, path)
    return Labels(truth.membranes, path if inside.any() else None)


class Judge:
    """Scores results of one tomogram against its truth; the baselines are made once, whatever the number of slice ranges."""

    def __init__(self, tomogram: InputFile, truth: Truth, particle_diameter: float) -> None:
        """``particle_diameter`` in Angstrom."""
        volume, header = open_cleaned(tomogram.path, tomogram.contrast, tomogram.voxel_size)
        self._bright, self._truth = np.asarray(volume), truth
        self._diameter_px = particle_diameter / header.voxel_size

    def scores(self, found: dict[str, Found], z_range: tuple[int, int] | None = None) -> Scores:
        """Scores of each named result and of the baselines in slices ``z_range`` (all unless given)."""
        window = z_range or (0, self._bright.shape[0])
        membranes: Scores = {}
        picks: Scores = {}
        masks = {name: read_labels(result.membranes)[0] for name, result in found.items() if result.membranes}
        points = {name: read_particles(result.particles).zyx for name, result in found.items() if result.particles}
        if self._truth.membranes is not None and masks:
            membranes = membrane_scores({**masks, **self._baselines}, read_labels(self._truth.membranes)[0], window)
        if self._truth.particles is not None and points:
            picks = pick_scores(points, self._blobs, read_particles(self._truth.particles).zyx, window, self._diameter_px)
        return joined(membranes, picks)

    @cached_property
    def _baselines(self) -> dict[str, np.ndarray]:
        return membrane_baselines(self._bright)

    @cached_property
    def _blobs(self) -> np.ndarray:
        return blobs(self._bright, self._diameter_px)


def with_ratio(scores: Scores) -> Scores:
    """The scores with one more row: what part of the oracle's the student reaches, where both exist."""
    if STUDENT not in scores or ORACLE not in scores:
        return scores
    ratio = {name: _ratio(value, scores[ORACLE].get(name)) for name, value in scores[STUDENT].items()}
    return {**scores, RATIO: {name: value for name, value in ratio.items() if np.isfinite(value)}}


def _ratio(value: float, bound: float | None) -> float:
    return value / bound if bound else float("nan")
