"""Curated layers back to files, with their history beside them (NAME.history.json): from which file, what was added and taken away."""
from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from .. import __version__
from ..core.particles.formats import write_particles
from ..core.particles.table import ParticleTable
from ..core.runtime.files import read_json, write_json
from ..core.volumes.io import open_labels, write_volume
from .layers import FEATURES, OURS

HISTORY = ".history.json"
SAME_PLACE = 1e-3  # voxels


def write_points(path: str, data: Any, attributes: Dict[str, Any]) -> List[str]:
    """Write a points layer as a particle list (napari's protocol); returns the files written."""
    table = table_of(np.asarray(data), attributes)
    write_particles(table, path)
    before: Optional[ParticleTable] = _memory(attributes).get("table")
    changes = {"particles": len(table)}
    if before is not None:
        kept = _kept(before.zyx, table.zyx)
        changes.update({"taken away": len(before) - kept, "added": len(table) - kept})
    return [path, _write_history(Path(path), attributes, changes)]


def write_labels(path: str, data: Any, attributes: Dict[str, Any]) -> List[str]:
    """Write a labels layer as a volume (napari's protocol); returns the files written."""
    labels = np.asarray(data)
    voxel_size = float(np.asarray(attributes["scale"])[-1])
    translate = [float(value) for value in np.asarray(attributes["translate"])[-3:]]
    changes = {"labelled voxels": int(np.count_nonzero(labels))}
    source = Path(_memory(attributes).get("path", ""))
    if source.exists() and source.name:
        before = np.asarray(open_labels(source).data)
        if before.shape == labels.shape:
            changes["changed voxels"] = int(np.count_nonzero(before != labels))
    write_volume(path, labels, voxel_size, (translate[0], translate[1], translate[2]))
    return [path, _write_history(Path(path), attributes, changes)]


def table_of(zyx: np.ndarray, attributes: Dict[str, Any]) -> ParticleTable:
    """The particle list of a points layer: its places in voxels, the columns that went along; new points have the layer's defaults."""
    memory = _memory(attributes)
    before: Optional[ParticleTable] = memory.get("table")
    features = attributes.get("features")
    columns = {name: np.asarray(features[name]) for name in FEATURES if features is not None and name in features}
    numbers = _numbers(columns.get("class_id"), len(zyx), 1.0).astype(np.int64)
    angles = np.stack([_numbers(columns.get(name), len(zyx), 0.0) for name in ("rot", "tilt", "psi")], axis=1)
    names = dict(memory.get("class_names", {}))
    for number, name in zip(numbers, columns.get("class_name", [])):
        if isinstance(name, str) and name:
            names.setdefault(int(number), name)
    return ParticleTable.from_points(
        zyx[:, -3:], voxel_size=float(np.asarray(attributes["scale"])[-1]), class_id=numbers, class_names=names, angles=angles,
        tilt_series_id=before.tilt_series_ids()[0] if before is not None and len(before) else "",
        score=_numbers(columns.get("score"), len(zyx), np.nan), diameters=_numbers(columns.get("diameter"), len(zyx), np.nan))


def _numbers(values: Optional[np.ndarray], count: int, default: float) -> np.ndarray:
    if values is None or len(values) != count:
        return np.full(count, default)
    found = np.array([float(value) if value is not None and str(value) != "" else np.nan for value in values], dtype=np.float64)
    return np.where(np.isfinite(found), found, default)


def _memory(attributes: Dict[str, Any]) -> Dict[str, Any]:
    return attributes.get("metadata", {}).get(OURS, {})


def _kept(before: np.ndarray, after: np.ndarray) -> int:
    """How many places are in both lists."""
    keys = {tuple(np.round(place / SAME_PLACE).astype(np.int64)) for place in before}
    return sum(tuple(np.round(place / SAME_PLACE).astype(np.int64)) in keys for place in after)


def _write_history(path: Path, attributes: Dict[str, Any], changes: Dict[str, int]) -> str:
    """One entry more than the history of the file that the layer came from."""
    memory = _memory(attributes)
    earlier = Path(memory.get("path", "") + HISTORY)
    entries = read_json(earlier).get("entries", []) if memory.get("path") and earlier.is_file() else []
    entry = {"program": f"cryoetseg {__version__}, napari", "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
             "from": Path(memory.get("path", "")).name, "sha256": memory.get("sha256", ""), **changes}
    target = Path(str(path) + HISTORY)
    write_json(target, {"entries": [*entries, entry]})
    return str(target)
