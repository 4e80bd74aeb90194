"""What a list of tomograms or a project of another program holds, in words and numbers."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ..particles.star import find_in_project, read_blocks
from ..runtime.errors import InputError
from ..runtime.files import read_json
from . import aretomo, relion_project
from .copick_project import parse_pattern, read_project


def describe(path: Path) -> dict[str, Any] | None:
    """The tomograms of RELION 5's and WarpTools' lists and optimisation sets, of AreTomo3's list, of a copick project; None for other
    files. Raises :class:`InputError` for one of these that is damaged."""
    suffix = path.suffix.lower()
    if suffix == ".star" and relion_project.is_tomogram_list(path):
        return {"kind": "tomograms", **_particles_of(path),
                "tomograms": [_of_relion(item) for item in relion_project.read_tomograms(path).tomograms.values()]}
    if suffix == ".csv" and aretomo.is_tomogram_list(path):
        listed = aretomo.read_tomograms(path)
        return {"kind": "tomograms", "tomograms": [{"name": name, "file": str(file)} for name, file in listed.items()]}
    if suffix == ".json" and _is_copick_project(path):
        return _of_copick(path)
    return None


def _particles_of(path: Path) -> dict[str, Any]:
    """The particle list that an optimisation set names beside its tomograms."""
    named = [str(block["rlnTomoParticlesFile"].iloc[0]) for block in read_blocks(path).values() if "rlnTomoParticlesFile" in block.columns]
    return {"particles": str(find_in_project(path, named[0])[0])} if named else {}


def _of_relion(item: relion_project.RelionTomogram) -> dict[str, Any]:
    return {"name": item.name, "file": str(item.file) if item.file else None, "voxel_size_angstrom": item.voxel_size,
            "tilt_series_pixel_size_angstrom": item.pixel_size, "size_px_zyx": list(item.size_px), "hand": item.hand,
            "tilt_range_degrees": list(item.tilt_range) if item.tilt_range else None}


def _is_copick_project(path: Path) -> bool:
    try:
        return "pickable_objects" in read_json(path)
    except InputError:
        return False


def _of_copick(path: Path) -> dict[str, Any]:
    project, everything = read_project(path), parse_pattern("")
    return {"kind": "copick project", "objects": list(project.objects()), "runs": [
        {"name": run, "tomograms": [entry.uri for entry in project.tomograms(everything, run)],
         "picks": [entry.uri for entry in project.picks(everything, run)],
         "segmentations": [entry.uri for entry in project.segmentations(everything, run)]} for run in project.run_names()]}
