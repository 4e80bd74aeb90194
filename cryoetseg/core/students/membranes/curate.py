"""Masks corrected by hand: membranes that were pointed at are taken out, others put in from the probabilities."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...runtime.errors import InputError
from ...runtime.job import InputFile, Job, MethodOutcome, Output
from ...runtime.names import file_stem, name_of, named_inputs
from ...runtime.params import parameters_from
from ...volumes.checks import whole_numbers
from ...volumes.io import create_volume, open_labels, open_volume
from ...volumes.streaming import release_pages, z_slabs
from .curate_params import CurateMembranesParameters, Place, places_in
from .parts import Parts, parts_beside, parts_of_mask


class Change(NamedTuple):
    """Voxels of a flattened mask, ascending, and the value that they get."""

    places: np.ndarray
    value: int


def run(job: Job) -> MethodOutcome:
    """Correct each mask (role ``mask``), with the probabilities (role ``probability``) of its tilt series where there are some."""
    parameters, outcome = parameters_from(CurateMembranesParameters, job.parameters), MethodOutcome()
    probabilities = {name_of(item): item for item in job.inputs_of("probability")}
    for item in named_inputs(job, "mask"):
        _correct(item, probabilities.get(name_of(item)), parameters, Path(job.output_folder), outcome)
    return outcome


def _correct(item: InputFile, probability: InputFile | None, p: CurateMembranesParameters, folder: Path, outcome: MethodOutcome) -> None:
    name, opened = name_of(item), open_labels(item.path, item.voxel_size)
    mask, header = opened.data, opened.header
    parts = parts_of_mask(mask)
    out = _pointed_at(parts, p.removed, name, "the mask")
    changes = [Change(parts.voxels_of(out), 0)]
    if _places(p.added, name):
        beside = parts_beside(_probabilities(probability, name, mask.shape), p.candidates_from, mask)
        put_in = _pointed_at(beside, p.added, name, f"what reaches a probability of {p.candidates_from:g} beside the mask")
        first = parts.largest_number + 1 if parts.are_numbered else 1
        changes += [Change(beside.voxels_of([part]), first + place * parts.are_numbered) for place, part in enumerate(put_in)]
    path = f"{file_stem(name)}_membranes.mrc"
    with create_volume(folder / path, header.shape, mask.dtype, header.voxel_size, header.origin) as target:
        left = _write(mask, changes, target, item.path)
    _tell(outcome, name, [len(change.places) * header.voxel_size**3 for change in changes], len(out))
    if not left:
        outcome.warnings.append(f"{name}: no membrane is left")
    outcome.outputs.append(Output(kind="membrane_mask", path=path, voxel_size=header.voxel_size, tilt_series_id=name))


def _places(text: str, name: str) -> list[Place]:
    return [place for place in places_in(text) if place.series == name]


def _pointed_at(parts: Parts, text: str, name: str, where: str) -> list[int]:
    """The parts that the places of a tilt series point at, each once; raises :class:`InputError` for a place in none."""
    found = []
    for place in _places(text, name):
        part = parts.at((place.z, place.y, place.x))
        if part is None:
            raise InputError(f"{name}: {place.x:g}, {place.y:g}, {place.z:g} lies in no membrane of {where}", "a place in a membrane",
                             "point at the membrane again")
        found.append(part)
    return list(dict.fromkeys(found))


def _probabilities(item: InputFile | None, name: str, shape: Sequence[int]) -> Any:
    """The map (z, y, x); raises :class:`InputError` where there is none or it is none of the mask."""
    if item is None:
        raise InputError(f"{name}: there are no probabilities to put membranes in from", "the probabilities of the same tomogram",
                         "give them, or put nothing in")
    data = open_volume(item.path, item.voxel_size).data
    if tuple(data.shape) != tuple(shape):
        raise InputError(f"{item.path}: {tuple(data.shape)} voxels (z, y, x)", f"those of the mask, {tuple(shape)}",
                         "give the probabilities that the mask was made of")
    return data


def _write(mask: Any, changes: Sequence[Change], target: Any, path: str) -> int:
    """Write the mask with its changes slab by slab; returns the number of voxels that are membrane."""
    plane, count = mask.shape[1] * mask.shape[2], 0
    for window in z_slabs(mask.shape):
        slab = np.array(whole_numbers(np.asarray(mask[window]), path)).reshape(-1)
        for change in changes:
            first, end = np.searchsorted(change.places, [window.start * plane, window.stop * plane])
            slab[change.places[first:end] - window.start * plane] = change.value
        target[window] = slab.reshape(-1, *mask.shape[1:])
        count += int(np.count_nonzero(slab))
        release_pages(mask)
        release_pages(target)
    return count


def _tell(outcome: MethodOutcome, name: str, volumes: Sequence[float], taken_out: int) -> None:
    """What was changed, in membranes and cubic Angstrom."""
    outcome.metrics[name] = {"taken_out": taken_out, "taken_out_A3": volumes[0], "put_in": len(volumes) - 1, "put_in_A3": sum(volumes[1:])}
