"""Labelled tomograms from a generator: made particles, set softly into real background at chosen places.

They are what *train picker* and *train segmenter* take: a tomogram and the list of what is in it, class by class. The paper names this
use and leaves it open.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import distinct, file_stem, name_of
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator
from ..volumes.cleaned import CleanedView, checked_header, open_cleaned
from ..volumes.io import create_volume
from ..volumes.streaming import release_pages
from .known import known_particles
from .model import Generator, load_generator
from .params import VOXEL_SIZE_TOLERANCE, PasteParameters
from .sample import generate_particles

TRIES = 200  # places drawn for each particle before the tomogram counts as full
SLAB = 16


def soft_ball(box: int, softness: float) -> np.ndarray:
    """Weights (box, box, box): 1 about the middle voxel, falling to 0 at the faces over the share ``softness`` of the radius."""
    axis = np.arange(box) - box // 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2) / (box / 2)
    inner = 1 - softness
    return np.where(distance <= inner, 1.0, np.where(distance >= 1, 0.0, 0.5 * (1 + np.cos(np.pi * (distance - inner) / softness))))


def pasted(background: np.ndarray, cube: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """``background`` with ``cube`` (mean 0, deviation 1; z, y, x both) in its middle, at the background's own mean and deviation there.

    m + sqrt(1 - w^2) (b - m) + w s c keeps the variance where both overlap, which a plain mean of unlike noise would lower.
    """
    mean, deviation = float(background.mean()), float(background.std())
    return mean + np.sqrt(1 - weight**2) * (background - mean) + weight * deviation * cube


def free_places(view: CleanedView, taken: np.ndarray, count: int, box: int, spacing: float, rng: np.random.Generator) -> np.ndarray:
    """``count`` voxel centres (n, 3) whose boxes lie wholly inside, in the sample, and ``spacing`` voxels from each other and from
    ``taken`` (m, 3). Raises :class:`InputError` where there is no room for so many."""
    half = box // 2
    high = np.array(view.shape) - (box - half)
    if (high < half).any():
        raise InputError(f"a tomogram of {view.shape} voxels (z, y, x)", f"at least the model's box of {box} along each axis")
    places = [np.asarray(place, dtype=float) for place in taken]
    for _ in range(count * TRIES):
        if len(places) == len(taken) + count:
            break
        place = rng.integers(half, high + 1).astype(float)
        apart = all(np.linalg.norm(place - other) >= spacing for other in places)
        if apart and view.valid_at(place[None])[0]:
            places.append(place)
    found = np.array(places[len(taken):]).reshape(-1, 3)
    if len(found) < count:
        raise InputError(f"room for {len(found)} of {count} particles in a tomogram of {view.shape} voxels", "fewer or nearer particles",
                         "lower the number or the spacing")
    return found


def run(job: Job) -> MethodOutcome:
    """Set particles of the model (role ``model``) into the tomograms (role ``tomogram``), away from those that are known (role
    ``particles``), which stay and are listed too. Writes ``<name>_pasted.mrc`` and ``<name>_pasted.star`` each."""
    p = parameters_from(PasteParameters, job.parameters)
    generator = load_generator(job.input_of("model").path)
    kinds = generator.class_numbers(p.classes)
    outcome = MethodOutcome(metrics={"pasted": 0, "known": 0, "box_px": generator.box})
    for number, item in enumerate(distinct(job.inputs_of("tomogram"))):
        _paste_into(item, job, p, generator, kinds, job.seed + number, outcome)
    if not job.inputs_of("particles"):
        outcome.warnings.append("no list of the particles that the tomograms hold already was given: a training takes those for background")
    return outcome


def _paste_into(item: InputFile, job: Job, p: PasteParameters, generator: Generator, classes: Sequence[int], seed: int,
                outcome: MethodOutcome) -> None:
    checked_header(item)
    view, header = open_cleaned(item.path, item.contrast, item.voxel_size)
    if abs(header.voxel_size / generator.voxel_size - 1) > VOXEL_SIZE_TOLERANCE:
        raise InputError(f"{item.path} has voxels of {header.voxel_size:.4g} A", f"{generator.voxel_size:.4g} A, those of the model",
                         "bring the tomogram to that voxel size first")
    names = [name_of(other) for other in distinct(job.inputs_of("tomogram"))]
    known = known_particles(job.inputs_of("particles"), item, names, header)
    kinds = [kind for kind in classes for _ in range(p.count)]
    spacing = (p.spacing or generator.box * generator.voxel_size) / header.voxel_size
    centres = free_places(view, known.zyx, len(kinds), generator.box, spacing, numpy_generator(seed, "places"))
    stem = f"{file_stem(name_of(item))}_pasted"
    with create_volume(Path(job.output_folder) / f"{stem}.mrc", view.shape, "float32", header.voxel_size, header.origin) as target:
        _copy(view, target)
        cubes = generate_particles(generator, kinds, (centres / np.array(view.shape)).astype(np.float32), p, seed, job.device)
        weight = soft_ball(generator.box, p.softness)
        for centre, cube in zip(centres, cubes):
            start = centre.astype(int) - generator.box // 2
            window = tuple(slice(first, first + generator.box) for first in start)
            target[window] = pasted(np.asarray(target[window]), view.sign * cube, weight)
    write_particles(_listed(known, centres, kinds, generator, stem, header.voxel_size), Path(job.output_folder) / f"{stem}.star")
    outcome.outputs += [Output(kind="tomogram", path=f"{stem}.mrc", voxel_size=header.voxel_size, tilt_series_id=stem),
                        Output(kind="particles", path=f"{stem}.star", voxel_size=header.voxel_size, tilt_series_id=stem)]
    outcome.metrics["pasted"] += len(kinds)
    outcome.metrics["known"] += len(known)


def _copy(view: CleanedView, target: Any) -> None:
    for first in range(0, view.shape[0], SLAB):
        slab = slice(first, first + SLAB)
        target[slab] = view.restored(view[slab])  # gold and fill values become the mean
        release_pages(target)


def _listed(known: ParticleTable, centres: np.ndarray, kinds: Sequence[int], generator: Generator, name: str,
            voxel_size: float) -> ParticleTable:
    """Known and pasted particles in one list; a class of one name has one number."""
    old = [known.class_names.get(int(number), f"class{number}") for number in known.class_id]
    names = sorted({*old, *(generator.classes[kind] for kind in kinds)})
    numbers = [names.index(word) + 1 for word in (*old, *(generator.classes[kind] for kind in kinds))]
    return ParticleTable.from_points(np.concatenate([known.zyx.reshape(-1, 3), centres]), voxel_size=voxel_size, tilt_series_id=name,
                                     class_id=numbers, class_names=dict(enumerate(names, start=1)))
