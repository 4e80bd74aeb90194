"""copick picks (JSON): Angstrom from the centre of the first voxel, orientations as 4x4 matrices that turn the object into the tomogram."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import read_json, write_json
from .angles import from_matrices, to_matrices
from .options import ReadOptions
from .table import UNKNOWN, ParticleTable


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read copick picks; without a voxel size anywhere the table has voxels of 1 Angstrom. Raises :class:`InputError`."""
    content = read_json(path)
    if not isinstance(content.get("points"), list):
        raise InputError(f"{path}: field points is missing", "copick picks")
    voxel_size = options.voxel_size or content.get("voxel_spacing") or 1.0
    points = [_point(item, number, path) for number, item in enumerate(content["points"])]
    matrices = np.array([matrix for _, matrix, _ in points]).reshape(-1, 4, 4)
    xyz = np.array([location for location, _, _ in points]).reshape(-1, 3) + matrices[:, :3, 3]
    name = content.get("pickable_object_name")
    return ParticleTable.from_points(
        xyz[:, ::-1] / voxel_size, voxel_size=voxel_size, tilt_series_id=content.get("run_name") or options.tilt_series_id,
        score=[score for _, _, score in points], angles=from_matrices(matrices[:, :3, :3]), class_names={1: name} if name else {})


def _point(item: Any, number: int, path: Path) -> tuple[list[float], np.ndarray, float]:
    try:
        location = [float(item["location"][axis]) for axis in "xyz"]
        matrix = np.array(item.get("transformation_") or np.eye(4), dtype=np.float64).reshape(4, 4)
        return location, matrix, float(item.get("score", UNKNOWN))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: point {number} is not a copick point: {error!r}",
                         "location with x, y, z and a 4x4 transformation_") from error


def write(table: ParticleTable, path: Path) -> None:
    """Write copick picks of one tomogram and one class in Angstrom. Raises :class:`InputError` for more, or without a voxel size."""
    if not table.voxel_size_is_known:
        raise InputError(f"cannot write {path}: copick counts Angstrom and the voxel size is unknown", "a table with a voxel size")
    if len(table.tilt_series_ids()) > 1 or len(set(table.class_id.tolist())) > 1:
        raise InputError(f"cannot write {path}: {len(table.tilt_series_ids())} tomograms and {len(set(table.class_id.tolist()))} classes",
                         "one of each in a copick file", "write one file for each")
    number = int(table.class_id[0]) if len(table) else 1
    points = []
    for (z, y, x), rotation, score in zip(table.zyx * table.voxel_size, to_matrices(table.angles), table.score):
        matrix = np.eye(4)
        matrix[:3, :3] = rotation
        point = {"location": {"x": x, "y": y, "z": z}, "transformation_": matrix.tolist(), "instance_id": 0}
        points.append({**point, "score": float(score)} if np.isfinite(score) else point)
    write_json(path, {
        "pickable_object_name": table.class_names.get(number, f"class{number}"), "user_id": "cryoetseg", "session_id": "0",
        "run_name": (table.tilt_series_ids() or [""])[0] or None, "voxel_spacing": table.voxel_size, "unit": "angstrom", "points": points})
