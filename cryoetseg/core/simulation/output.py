"""Writing simulated tomograms: volumes, labels, particle lists and the record of parameters."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..particles.angles import to_matrices
from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.checksums import checksum
from ..runtime.errors import InputError
from ..runtime.files import read_json, write_json, write_text
from ..runtime.job import Output
from ..volumes.io import write_volume
from .params import SimulationParameters
from .rotations import quaternions
from .tomogram import SimulatedTomogram

Description = dict[str, Any]  # as JSON gives it back


def outputs_of(p: SimulationParameters) -> list[Output]:
    """What :func:`write_tomogram` writes of a tomogram with these parameters, the record last."""
    volumes = [("tomogram", ""), ("clean_tomogram", "_clean"), ("grand_model", "_grand_model"), ("class_mask", "_classes"),
               ("instance_mask", "_instances"), ("membrane_mask", "_membranes")]
    volumes += [("half_map", f"_half{number}") for number in (1, 2) if p.half_maps != "none"]
    volumes += [("tilt_series", "_tilts")] if p.write_tilt_series else []

    def output(kind: str, ending: str, voxel_size: float | None = None) -> Output:
        return Output(kind=kind, path=p.name + ending, voxel_size=voxel_size, tilt_series_id=p.name)

    return [*(output(kind, f"{suffix}.mrc", p.voxel_size) for kind, suffix in volumes),
            output("particles", "_particles.star", p.voxel_size), output("table", "_particles.csv"), output("table", "_particles.json"),
            output("report", "_parameters.json")]


def files_of(p: SimulationParameters) -> list[str]:
    """Names of all files of a tomogram, the record last."""
    angles = [f"{p.name}_tilts.tlt"] if p.write_tilt_series else []
    return [*angles, *(output.path for output in outputs_of(p))]


def write_tomogram(tomogram: SimulatedTomogram, folder: Path, templates: Sequence[Description] = ()) -> list[Output]:
    """Write everything about one tomogram into ``folder`` under its name.

    Reconstructions are written with the contrast that the parameters ask for (dark particles unless told otherwise); the grand model
    is bright. The record comes last, with the checksums of the other files and what ``templates`` tells of those given.
    """
    p, outputs = tomogram.parameters, outputs_of(tomogram.parameters)
    if p.write_tilt_series:
        write_text(folder / f"{p.name}_tilts.tlt", "".join(f"{angle:8.2f}\n" for angle in tomogram.tilt_series.angles))
    for output, array in zip(outputs, _volumes(tomogram)):
        write_volume(folder / output.path, array, p.voxel_size)
    _write_particle_lists(tomogram, folder)
    _write_record(tomogram, folder, templates)
    return outputs


def _volumes(tomogram: SimulatedTomogram) -> list[NDArray[Any]]:
    p = tomogram.parameters
    sign = np.float32(-1 if p.contrast == "dark" else 1)
    volumes: list[NDArray[Any]] = [sign * tomogram.reconstruction, sign * tomogram.clean, tomogram.grand_model, tomogram.class_mask,
                                   tomogram.instance_mask, tomogram.membrane_mask]
    volumes += [sign * half for half in tomogram.half_maps or ()]
    return [*volumes, tomogram.images] if p.write_tilt_series else volumes


def written_record(folder: Path, p: SimulationParameters, seed: int, templates: Sequence[Description]) -> Description | None:
    """The record of a tomogram that ``folder`` holds whole, made with these parameters, seed and templates; else None."""
    *others, last = files_of(p)
    try:
        record = read_json(folder / last)
        if (record.get("parameters"), record.get("seed"), record.get("templates")) != (_plain(p), seed, list(templates)):
            return None
        return record if record.get("files") == {name: checksum(folder / name) for name in others} else None
    except InputError:
        return None


def _plain(p: SimulationParameters) -> Description:
    """The parameters as JSON gives them back: those of the tomogram itself."""
    return json.loads(json.dumps({name: getattr(p, name) for name in SimulationParameters.model_fields}))


def _write_particle_lists(tomogram: SimulatedTomogram, folder: Path) -> None:
    p, stem = tomogram.parameters, f"{tomogram.parameters.name}_particles"
    for suffix in (".star", ".csv"):
        write_particles(tomogram.particles, folder / (stem + suffix))
    write_json(folder / (stem + ".json"), {"tomogram": p.name, "particles": particle_rows(tomogram.particles, tomogram.instance_mask)})


def particle_rows(table: ParticleTable, instances: NDArray[np.int32]) -> list[dict[str, Any]]:
    """One dictionary a particle: number in the instance mask, class, centre, orientation, share of the volume it fills."""
    voxels = np.bincount(instances.ravel(), minlength=len(table) + 1)
    rotations = quaternions(to_matrices(table.angles))
    return [
        {
            "id": row + 1, "class_id": int(table.class_id[row]), "class_name": table.class_names[int(table.class_id[row])],
            "centre_zyx_voxel": table.zyx[row].round(4).tolist(),
            "centre_zyx_angstrom": (table.zyx[row] * table.voxel_size).round(3).tolist(),
            "quaternion_xyzw": rotations[row].round(7).tolist(), "relion_rot_tilt_psi": table.angles[row].round(4).tolist(),
            "occupancy": float(voxels[row + 1] / instances.size),
        }
        for row in range(len(table))
    ]


def _write_record(tomogram: SimulatedTomogram, folder: Path, templates: Sequence[Description]) -> None:
    series = tomogram.tilt_series
    *others, last = files_of(tomogram.parameters)
    record = {
        "parameters": _plain(tomogram.parameters), "seed": tomogram.seed, "contrast": tomogram.parameters.contrast,
        "class_names": tomogram.class_names, "number_of_particles": tomogram.numbers(), "snr": tomogram.snr,
        "projection_snr": tomogram.projection_snr, "occupancy": float(np.mean(tomogram.instance_mask > 0)),
        "tilt_series": {
            "angles_degrees": series.angles.tolist(), "true_angles_degrees": series.true_angles.tolist(),
            "dose_before_e_per_A2": series.dose_before.tolist(), "defocus_um": series.defocus.tolist(),
            "shifts_yx_px": series.shifts.tolist(), "transmission": series.transmission.tolist(),
        },
        "templates": list(templates), "files": {name: checksum(folder / name) for name in others},
    }
    write_json(folder / last, record)
