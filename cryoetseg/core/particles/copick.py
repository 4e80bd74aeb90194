"""copick picks (JSON): Angstrom from the centre of the first voxel, orientations as 4x4 matrices that turn the object into the tomogram."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import read_json, write_json
from ..runtime.provenance import origin_of
from .angles import from_matrices, to_matrices
from .options import ReadOptions, positive
from .table import UNKNOWN, ParticleTable


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read copick picks; without a voxel size anywhere the table has voxels of 1 Angstrom. Raises :class:`InputError`."""
    content = read_json(path)
    if not isinstance(content.get("points"), list):
        raise InputError(f"{path}: field points is missing or no list", "copick picks")
    stated = positive(content.get("voxel_spacing"), "field voxel_spacing", path)
    voxel_size = options.voxel_size or options.tomogram_voxel_size or (stated if stated > 0 else 1.0)
    points = [_point(item, number, path) for number, item in enumerate(content["points"])]
    matrices = np.array([matrix for _, matrix, _ in points]).reshape(-1, 4, 4)
    xyz = np.array([location for location, _, _ in points]).reshape(-1, 3) + matrices[:, :3, 3]
    name = _name(content, "pickable_object_name", path)
    return ParticleTable.from_points(
        xyz[:, ::-1] / voxel_size, voxel_size=voxel_size, tilt_series_id=_name(content, "run_name", path) or options.tilt_series_id,
        score=[score for _, _, score in points], angles=from_matrices(matrices[:, :3, :3]), class_names={1: name} if name else {},
        scales_about="centre")


def _name(content: dict[str, Any], field: str, path: Path) -> str:
    name = content.get(field) or ""
    if not isinstance(name, str):
        raise InputError(f"{path}: field {field} holds a {type(name).__name__}", "text")
    return name


def _point(item: Any, number: int, path: Path) -> tuple[list[float], np.ndarray, float]:
    try:
        location = [float(item["location"][axis]) for axis in "xyz"]
        matrix = np.array(np.eye(4) if item.get("transformation_") is None else item["transformation_"], dtype=np.float64).reshape(4, 4)
        score = UNKNOWN if item.get("score") is None else float(item["score"])
        if not np.isfinite([*location, *matrix.ravel()]).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-6:
            raise ValueError("location or transformation_ is no place and rotation")
        return location, matrix, score
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: point {number} is not a copick point: {error!r}",
                         "location with x, y, z and a 4x4 transformation_") from error


def write(table: ParticleTable, path: Path, user: str = "cryoetseg", session: str = "0") -> None:
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
    made = origin_of(path)  # copick's library passes over fields that it does not know
    write_json(path, {
        "pickable_object_name": table.class_names.get(number, f"class{number}"), "user_id": user, "session_id": session,
        "run_name": (table.tilt_series_ids() or [""])[0] or None, "voxel_spacing": table.voxel_size, "unit": "angstrom",
        **({"made_by": made} if made else {}), "points": points})
