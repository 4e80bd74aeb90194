"""Point annotations of the CryoET data portal (.ndjson, one JSON object a line): 0-based voxels, orientations as 3x3 matrices.

The matrices turn the reference into the tomogram, as copick's do. Files say neither voxel size nor object nor run; the portal's folders
do (RUN/Reconstructions/VoxelSpacing7.840/Annotations/100/NAME_orientedpoint.ndjson), with the object in NAME.json beside.
"""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from ..runtime.files import read_json, write_text
from .angles import from_matrices, to_matrices
from .options import ReadOptions
from .table import UNKNOWN, ParticleTable

SPACING = re.compile(r"VoxelSpacing(\d+(?:\.\d+)?)")
SHAPES = re.compile(r"_(point|orientedpoint|instancepoint|instanceseg)$", re.IGNORECASE)


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read point annotations; what the file does not say is taken from the portal's folders. Raises :class:`InputError` naming the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "point annotations of the CryoET data portal") from error
    points = [_point(line, number, path) for number, line in enumerate(lines, start=1) if line.strip()]
    spacing = next((part for part in map(SPACING.fullmatch, path.absolute().parts) if part), None)
    voxel_size = options.voxel_size or (float(spacing[1]) if spacing else UNKNOWN)
    name = _object_name(path)
    return ParticleTable.from_points(
        np.array([location for location, _ in points]).reshape(-1, 3)[:, ::-1],
        voxel_size=voxel_size, tilt_series_id=_run_name(path) or options.tilt_series_id,
        angles=from_matrices(np.array([matrix for _, matrix in points]).reshape(-1, 3, 3)), class_names={1: name} if name else {})


def _point(line: str, number: int, path: Path) -> tuple[list[float], np.ndarray]:
    try:
        item = json.loads(line)
        location = [float(item["location"][axis]) for axis in "xyz"]
        matrix = np.array(item.get("xyz_rotation_matrix") or np.eye(3), dtype=np.float64).reshape(3, 3)
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-2) or np.linalg.det(matrix) < 0:
            raise ValueError("xyz_rotation_matrix is no rotation")
        return location, matrix
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: line {number} is no point annotation: {error!r}", "location with x, y, z, one object a line") from error


def _object_name(path: Path) -> str:
    """The object's name from the metadata beside the points, where they are."""
    metadata = path.with_name(SHAPES.sub("", path.stem) + ".json")
    if metadata == path or not metadata.is_file():
        return ""
    described: Any = read_json(metadata).get("annotation_object")
    return str(described.get("name") or "") if isinstance(described, dict) else ""


def _run_name(path: Path) -> str:
    """The run, two folders above VoxelSpacing...; empty elsewhere."""
    parts = path.absolute().parts
    at = next((index for index, part in enumerate(parts) if SPACING.fullmatch(part)), 0)
    return parts[at - 2] if at > 2 and parts[at - 1] == "Reconstructions" else ""


def write(table: ParticleTable, path: Path) -> None:
    """Write oriented points of one tomogram and one class. Raises :class:`InputError` for more."""
    if len(table.tilt_series_ids()) > 1 or len(set(table.class_id.tolist())) > 1:
        raise InputError(f"cannot write {path}: {len(table.tilt_series_ids())} tomograms and {len(set(table.class_id.tolist()))} classes",
                         "one of each in an annotation file", "write one file for each")
    lines = [json.dumps({"type": "orientedPoint", "location": {"x": x, "y": y, "z": z}, "xyz_rotation_matrix": matrix.tolist()})
             for (z, y, x), matrix in zip(table.zyx.tolist(), to_matrices(table.angles))]
    write_text(path, "".join(line + "\n" for line in lines))
