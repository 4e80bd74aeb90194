"""Writing simulated tomograms: volumes, labels, particle lists and the record of parameters."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..particles.angles import to_matrices
from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.files import write_json, write_text
from ..runtime.job import Output
from ..volumes.io import write_volume
from .rotations import quaternions
from .tomogram import SimulatedTomogram


def write_tomogram(tomogram: SimulatedTomogram, folder: Path) -> list[Output]:
    """Write everything about one tomogram into ``folder`` under its name.

    Reconstructions are written with the contrast that the parameters ask for (dark particles unless told otherwise); the grand model
    is bright. The parameters' file comes last: where it is, the rest is complete.
    """
    p, name = tomogram.parameters, tomogram.parameters.name
    sign = np.float32(-1 if p.contrast == "dark" else 1)
    volumes: list[tuple[str, str, NDArray[Any]]] = [
        ("tomogram", "", sign * tomogram.reconstruction), ("clean_tomogram", "_clean", sign * tomogram.clean),
        ("grand_model", "_grand_model", tomogram.grand_model), ("class_mask", "_classes", tomogram.class_mask),
        ("instance_mask", "_instances", tomogram.instance_mask), ("membrane_mask", "_membranes", tomogram.membrane_mask),
    ]
    for number, half in enumerate(tomogram.half_maps or (), start=1):
        volumes.append(("half_map", f"_half{number}", sign * half))
    if p.write_tilt_series:
        volumes.append(("tilt_series", "_tilts", tomogram.images))
        write_text(folder / f"{name}_tilts.tlt", "".join(f"{angle:8.2f}\n" for angle in tomogram.tilt_series.angles))
    outputs = []
    for kind, suffix, array in volumes:
        write_volume(folder / f"{name}{suffix}.mrc", array, p.voxel_size)
        outputs.append(Output(kind=kind, path=f"{name}{suffix}.mrc", voxel_size=p.voxel_size, tilt_series_id=name))
    return [*outputs, *_write_particle_lists(tomogram, folder), _write_record(tomogram, folder)]


def _write_particle_lists(tomogram: SimulatedTomogram, folder: Path) -> list[Output]:
    p, stem = tomogram.parameters, f"{tomogram.parameters.name}_particles"
    for suffix in (".star", ".csv"):
        write_particles(tomogram.particles, folder / (stem + suffix))
    write_json(folder / (stem + ".json"), {"tomogram": p.name, "particles": particle_rows(tomogram.particles, tomogram.instance_mask)})
    lists = Output(kind="particles", path=stem + ".star", voxel_size=p.voxel_size, tilt_series_id=p.name)
    return [lists, *(Output(kind="table", path=stem + suffix, tilt_series_id=p.name) for suffix in (".csv", ".json"))]


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


def _write_record(tomogram: SimulatedTomogram, folder: Path) -> Output:
    series = tomogram.tilt_series
    record = {
        "parameters": tomogram.parameters.model_dump(), "seed": tomogram.seed, "contrast": tomogram.parameters.contrast,
        "class_names": tomogram.class_names, "number_of_particles": tomogram.numbers(), "snr": tomogram.snr,
        "projection_snr": tomogram.projection_snr,
        "tilt_series": {
            "angles_degrees": series.angles.tolist(), "true_angles_degrees": series.true_angles.tolist(),
            "dose_before_e_per_A2": series.dose_before.tolist(), "defocus_um": series.defocus.tolist(),
            "shifts_yx_px": series.shifts.tolist(), "transmission": series.transmission.tolist(),
        },
    }
    path = f"{tomogram.parameters.name}_parameters.json"
    write_json(folder / path, record)
    return Output(kind="report", path=path, tilt_series_id=tomogram.parameters.name)
