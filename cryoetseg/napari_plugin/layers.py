"""What is opened as layers: tomograms as images, masks as labels, particles as points, all in Angstrom.

A layer remembers its file in ``metadata["cryoetseg"]``: saving writes the history of its changes from there.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np
import pandas as pd

from ..core.interchange.colours import class_colour
from ..core.particles.formats import SUFFIXES, read_particles
from ..core.particles.table import ParticleTable
from ..core.runtime.checksums import sha256
from ..core.runtime.job import RESULT_FILE, read_result
from ..core.volumes.header import VolumeHeader
from ..core.volumes.io import FORMATS, open_labels, read_header
from ..core.volumes.names import volume_stem, volume_suffix
from ..core.volumes.normalisation import quantiles

LayerData = Tuple[Any, Dict[str, Any], str]
OURS = "cryoetseg"
FEATURES = ("class_id", "class_name", "score", "rot", "tilt", "psi", "diameter")
DEFAULT_SIZE = 16.0  # voxels across a point where no diameter is known
CLUSTERED, MAP = "picks.csv", ("map_y", "map_x")  # what "particles cluster" writes of each pick
GAP, POINTS_ACROSS = 0.05, 60  # of the tomogram's width, between it and the map; points side by side across the map
GREY = (0.005, 0.995)  # quantiles of the tomogram that become black and white


def reader(path: Union[str, List[str]]) -> Optional[Callable[[Any], List[LayerData]]]:
    """A function that opens ``path`` (napari's protocol), or None for what is not ours."""
    first = Path(path[0] if isinstance(path, list) else path)
    known = first.name == RESULT_FILE or (first / RESULT_FILE).is_file() or volume_suffix(first) in FORMATS or first.suffix in SUFFIXES
    return open_paths if known else None


def open_paths(path: Union[str, List[str]]) -> List[LayerData]:
    """The layers of one or several files, or of the folder of a run."""
    return [layer for item in (path if isinstance(path, list) else [path]) for layer in _layers_of(Path(item))]


def _layers_of(path: Path) -> List[LayerData]:
    if path.name == RESULT_FILE or (path / RESULT_FILE).is_file():
        return run_layers(path.parent if path.name == RESULT_FILE else path)
    if volume_suffix(path) in FORMATS:
        return [image_layer(path)]
    return [points_layer(path)]


def run_layers(folder: Path) -> List[LayerData]:
    """Tomograms that a run worked on and made, its masks, probability maps, particles and the map of their clusters."""
    result = read_result(folder / RESULT_FILE)
    inputs = [item for item in result.job["inputs"] if item["role"] == "tomogram" and Path(item["path"]).exists()]
    layers = [image_layer(Path(item["path"]), item["voxel_size"]) for item in inputs]
    headers = {item["tilt_series_id"]: read_header(item["path"], item["voxel_size"]) for item in inputs}
    for output in result.outputs:
        path = folder / output.path
        if output.kind == "particles":
            layers += list_layers(path, headers, output.tilt_series_id)
        elif output.kind.endswith("mask"):
            layers.append(labels_layer(path))
        elif output.kind == "tomogram" or output.kind.endswith("probability"):
            layers.append(image_layer(path, visible=output.kind == "tomogram"))
        elif path.name == CLUSTERED and headers:
            layers += map_layers(path, next(iter(headers.values())))
    return layers


def image_layer(path: Path, voxel_size: Optional[float] = None, visible: bool = True) -> LayerData:
    """A tomogram or probability map, read slice by slice as it is shown."""
    volume = open_labels(path, voxel_size)
    low, high = quantiles(volume.data, list(GREY))
    options = {**_place(volume.header), "contrast_limits": (low, high if high > low else low + 1), "visible": visible}
    return volume.data, {**options, "name": volume_stem(path), "metadata": _remembered(path, volume.header.voxel_size)}, "image"


def labels_layer(path: Path) -> LayerData:
    """A mask in memory, because it can be painted on."""
    volume = open_labels(path)
    array = np.array(volume.data)
    labels = array.astype(np.int32) if array.dtype.kind == "f" else array
    return labels, {**_place(volume.header), "name": volume_stem(path), "opacity": 0.5,
                    "metadata": _remembered(path, volume.header.voxel_size)}, "labels"


def list_layers(path: Path, headers: Dict[str, VolumeHeader], name: str = "") -> List[LayerData]:
    """A particle list of a run: that of the tomogram ``name``, else a layer for each tomogram of the run that it has particles in."""
    there = [name] if name else [item for item in read_particles(path).tilt_series_ids() if item in headers]
    return [points_layer(path, headers.get(item), item if len(there) > 1 else "") for item in there] or [points_layer(path)]


def map_layers(path: Path, header: VolumeHeader) -> List[LayerData]:
    """The flat map of clusters, to the right of the tomogram and as wide, a point for each pick in the colour of its cluster."""
    rows = pd.read_csv(path)
    rows = rows.dropna(subset=list(MAP)) if set(MAP) < set(rows.columns) else rows[:0]
    if rows.empty:
        return []
    places = rows[list(MAP)].to_numpy()
    low, extent = places.min(axis=0), max(float(np.ptp(places, axis=0).max()), np.finfo(float).tiny)
    width = header.shape[2] * header.voxel_size
    corner = np.array([header.origin[1], header.origin[2] + (1 + GAP) * width])
    return [(places, {
        "name": "cluster map", "scale": (width / extent,) * 2, "translate": corner - low * width / extent, "size": extent / POINTS_ACROSS,
        "face_color": [class_colour(int(number)) for number in rows["cluster"]],
        "features": {column: rows[column].to_numpy() for column in ("tilt_series_id", "cluster", "confidence")}}, "points")]


def points_layer(path: Path, header: Optional[VolumeHeader] = None, name: str = "") -> LayerData:
    """A particle list, or the particles of the tilt series ``name`` in it; ``header`` is that of the tomogram they lie in."""
    table = read_particles(path)
    if name:
        table = table.of_tomogram(name)
    if header is not None and table.voxel_size_is_known:
        table = table.at_voxel_size(header.voxel_size)
    voxel_size = table.voxel_size if table.voxel_size_is_known else 1.0
    known = np.isfinite(table.diameters)
    size = np.where(known, np.nan_to_num(table.diameters) / voxel_size, DEFAULT_SIZE)
    colours = [class_colour(int(number)) for number in table.class_id]
    metadata = _remembered(path, voxel_size)
    metadata[OURS].update({"table": table, "class_names": dict(table.class_names)})
    return table.zyx, {
        "scale": (voxel_size,) * 3, "translate": header.origin if header is not None else (0.0, 0.0, 0.0), "size": size,
        "name": f"{path.stem} {name}" if name else path.stem,
        "face_color": "transparent", "border_color": colours or "white", "features": features_of(table), "out_of_slice_display": True,
        "metadata": metadata}, "points"


def features_of(table: ParticleTable) -> Dict[str, np.ndarray]:
    """The columns of a list that go along with each point."""
    names = [table.class_names.get(int(number), "") for number in table.class_id]
    columns = (table.class_id, np.array(names, dtype=object), table.score, *table.angles.T, table.diameters)
    return dict(zip(FEATURES, columns))


def _place(header: VolumeHeader) -> Dict[str, Any]:
    return {"scale": (header.voxel_size,) * 3, "translate": header.origin}


def _remembered(path: Path, voxel_size: float) -> Dict[str, Any]:
    checksum = sha256(path) if path.is_file() else ""
    return {OURS: {"path": str(path), "sha256": checksum, "voxel_size": voxel_size}}
