"""DUAL beside other denoisers on tomograms whose truth is known: restoration scores, and picking after each (spec C7).

Gaussian, anisotropic diffusion and non-local means get the setting that correlates best with the truth, which no user could find: what
beats them here beats them anywhere.
"""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...dual.apply import run_denoise
from ...dual.baselines import best_baselines
from ...dual.data import open_checked
from ...metrics.picking import precision_recall_f1
from ...metrics.restoration import restoration_scores
from ...particles.formats import read_particles
from ...particles.table import ParticleTable
from ...picking.dog import difference_of_gaussians, sigma_for_diameter
from ...runtime.errors import InputError, JobError
from ...runtime.files import write_text
from ...runtime.job import InputFile, Job, MethodOutcome, Output
from ...runtime.names import name_of
from ...runtime.params import parameters_from
from ...volumes.contrast import particles_bright
from ...volumes.io import read_volume
from .params import CompareDenoisersParameters

EXCLUSION_PER_SIGMA = 3.0  # published: 24 nm with a sigma of 8 nm
Row = dict[str, Any]


def run(job: Job) -> MethodOutcome:
    """Inputs: ``model``, one ``tomogram``, its ``grand_model``; optional ``restored`` (others' results) and ``particles`` (truth)."""
    p = parameters_from(CompareDenoisersParameters, job.parameters)
    tomograms, truths = job.inputs_of("tomogram"), job.inputs_of("grand_model")
    if len(tomograms) != 1 or len(truths) != 1:
        raise JobError(f"{len(tomograms)} tomograms and {len(truths)} grand models", "one of each")
    truth, particles = _bright(truths[0]), job.inputs_of("particles")
    table = read_particles(particles[0].path, voxel_size=truths[0].voxel_size) if particles else None
    voxel_size = open_checked(tomograms[0]).header.voxel_size
    rows = [_scored(name, setting, volume, truth, table, voxel_size, p) for name, setting, volume in _results(job, tomograms[0], truth)]
    write_text(Path(job.output_folder) / "denoisers.csv", pd.DataFrame(rows).to_csv(index=False))
    metrics = {row["method"]: {key: value for key, value in row.items() if key != "method"} for row in rows}
    denoised = Output(kind="tomogram", path=f"{Path(tomograms[0].path).stem}_denoised.mrc", voxel_size=voxel_size)
    return MethodOutcome(outputs=[denoised, Output(kind="table", path="denoisers.csv")], metrics=metrics)


def _results(job: Job, tomogram: InputFile, truth: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """Every method's result with bright particles: the baselines, what others made, DUAL."""
    noisy = _bright(tomogram)
    if noisy.shape != truth.shape:
        raise InputError(f"tomogram {noisy.shape} and grand model {truth.shape} (z, y, x)", "equal shapes")
    for name, (setting, volume) in best_baselines(noisy, truth).items():
        yield name, setting, volume
    for item in job.inputs_of("restored"):
        yield name_of(item), "given", _bright(item)
    inputs = [job.input_of("model"), tomogram]
    tile = {"tile_px": job.parameters["tile_px"]} if "tile_px" in job.parameters else {}
    (output,) = run_denoise(job.model_copy(update={"inputs": inputs, "parameters": tile})).outputs
    yield "DUAL", "", _bright(tomogram.model_copy(update={"path": str(Path(job.output_folder) / output.path)}))


def _scored(name: str, setting: str, volume: np.ndarray, truth: np.ndarray, particles: ParticleTable | None, voxel_size: float,
            p: CompareDenoisersParameters) -> Row:
    row: Row = {"method": name, "setting": setting, **restoration_scores(volume, truth)._asdict()}
    if particles is not None:
        centres = particles.zyx if p.particle_class == 0 else particles.zyx[particles.class_id == p.particle_class]
        sigma = sigma_for_diameter(p.particle_diameter) / voxel_size
        picks = difference_of_gaussians(volume, sigma, exclusion_px=EXCLUSION_PER_SIGMA * sigma, count=p.picks or len(centres))
        scores = precision_recall_f1(picks.points, centres, p.radius / voxel_size)
        row.update(dog_precision=scores.precision, dog_recall=scores.recall, dog_f1=scores.f1)
    return row


def _bright(item: InputFile) -> np.ndarray:
    return particles_bright(read_volume(item.path, item.voxel_size)[0], item.contrast)
