"""Picking as a job: tomograms in, one particle list each out."""
from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..particles.formats import write_particles
from ..particles.table import ParticleTable, within_faces
from ..runtime.errors import ParameterError
from ..runtime.files import check_permit
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem, name_of, named_inputs
from ..runtime.params import parameters_from
from ..volumes.cleaned import checked_header, open_cleaned, told
from ..volumes.normalisation import quantiles
from ..volumes.views import ChangedView
from .dog import difference_of_gaussians, sigma_for_diameter
from .params import DogParameters

QUARTILES_OF_NORMAL = 1.349  # distance of the quartiles of a normal distribution, in its standard deviations
RARE = 0.01
SMALLEST_SIGMA_PX = 0.5  # below, a voxel is larger than the particle and the filter picks noise


def run(job: Job) -> MethodOutcome:
    """Pick every input tomogram into ``<name>_particles.star``, scores in rlnAutopickFigureOfMerit."""
    parameters = parameters_from(DogParameters, job.parameters)
    tomograms = named_inputs(job, "tomogram")
    outputs, metrics, warnings = [], {}, []
    for item in tomograms:
        check_permit(Path(job.output_folder) / _list_name(item))
    for item in tomograms:
        table, invalid_share, told_of = pick(item, parameters)
        warnings += told_of
        name = _list_name(item)
        write_particles(table, Path(job.output_folder) / name)
        outputs.append(Output(kind="particles", path=name, voxel_size=table.voxel_size, tilt_series_id=item.tilt_series_id))
        metrics[name_of(item)] = {"particles": len(table), "best_score": float(table.score.max(initial=-math.inf)),
                                  "invalid_fraction": invalid_share}
    total = sum(entry["particles"] for entry in metrics.values())
    return MethodOutcome(outputs=outputs, metrics={"particles": total, **metrics}, warnings=warnings)


class Picked(NamedTuple):
    """Picks of one tomogram, best first, the share of its voxels that show no sample, and what to tell the user."""

    table: ParticleTable
    invalid_share: float
    warnings: list[str]


def _list_name(tomogram: InputFile) -> str:
    return f"{file_stem(name_of(tomogram))}_particles.star"


def pick(tomogram: InputFile, parameters: DogParameters) -> Picked:
    """Picks of one tomogram, best first. Raises :class:`InputError` for a tomogram without voxel size or too coarse for the particle."""
    voxel_size = checked_header(tomogram).voxel_size
    sigma = parameters.sigma or sigma_for_diameter(parameters.particle_diameter)
    if sigma < SMALLEST_SIGMA_PX * voxel_size:
        raise ParameterError(f"sigma {sigma:.1f} A is {sigma / voxel_size:.2f} voxels", f"at least {SMALLEST_SIGMA_PX} voxels",
                             "give a larger particle diameter or a finer tomogram")
    by_threshold = parameters.selection == "threshold"
    view, _ = open_cleaned(tomogram.path, tomogram.contrast, tomogram.voxel_size, parameters.cleaning)
    bright = ChangedView(view, lambda values: values * np.float32(view.deviation))  # scores stay on the scale of the file
    border_px = parameters.border / voxel_size

    def wanted(points: np.ndarray) -> np.ndarray:
        return view.valid_at(points) & within_faces(points, view.shape, border_px)

    picks = difference_of_gaussians(
        clipped(bright, parameters.clip), sigma / voxel_size, ratio=parameters.sigma_ratio,
        exclusion_px=(parameters.exclusion or 3 * sigma) / voxel_size, threshold=parameters.threshold if by_threshold else None,
        count=None if by_threshold or parameters.count == 0 else parameters.count, wanted=wanted)
    name = name_of(tomogram)
    table = ParticleTable.from_points(picks.points + picks.offsets, voxel_size=voxel_size, tilt_series_id=name, score=picks.scores,
                                      diameters=parameters.particle_diameter)
    return Picked(table, view.grey.invalid_share, told(name, view.grey))


def clipped(volume: Any, deviations: float) -> Any:
    """``volume`` (z, y, x) with what lies further than so many ``deviations`` from the median drawn in to there; 0 changes nothing.

    The deviation is that of the quartiles, so that gold, ice and hot voxels, which it draws in, do not widen it. At most a hundredth of
    the voxels is drawn in on either side: where there is hardly any noise, that much is particles.
    """
    if deviations == 0:
        return volume
    lowest, low, median, high, highest = quantiles(volume, (RARE, 0.25, 0.5, 0.75, 1 - RARE))
    reach = deviations * (high - low) / QUARTILES_OF_NORMAL
    lower, upper = min(median - reach, lowest), max(median + reach, highest)
    return ChangedView(volume, lambda values: np.clip(values, lower, upper))
