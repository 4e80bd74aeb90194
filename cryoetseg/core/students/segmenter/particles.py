"""Coordinates for each class from a class map, with limits of size and scores."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...particles.table import ParticleTable
from ...runtime.errors import ParameterError
from .clustering import Clusters, ball_radius, connected_groups, mean_shift_groups, merge_close, split_large
from .params import SegmentClassesParameters

LIMIT = re.compile(r"(\d+):(\d*)-(\d*)")


def find_particles(
    class_map: Any, confidence: Any, sizes: Mapping[int, int], parameters: SegmentClassesParameters, voxel_size: float,
    *, classes: int, names: Mapping[int, str] | None = None, tilt_series_id: str = "",
) -> ParticleTable:
    """Particles of a class map (z, y, x), best score first.

    ``confidence`` (z, y, x) of the shown class in percent, or None. ``sizes``: usual number of voxels of an object of each class (a
    model's card has them under ``object_voxels``). ``voxel_size`` in Angstrom. Both volumes may be memory maps; they are streamed.
    """
    groups = _groups(class_map, confidence, sizes, parameters, voxel_size, classes)
    low, high = size_limits(sizes, parameters, classes)
    kept = (groups.voxels >= low[groups.classes]) & (groups.voxels <= high[groups.classes]) & (groups.score >= parameters.smallest_score)
    diameters = np.array([2 * ball_radius(sizes[value]) * voxel_size if value in sizes else np.nan for value in groups.classes.tolist()])
    table = ParticleTable.from_points(groups.zyx, voxel_size=voxel_size, tilt_series_id=tilt_series_id, class_id=groups.classes,
                                      score=groups.score, diameters=diameters, class_names=names)
    return table.select(kept).sorted_by_score()


def _groups(class_map: Any, confidence: Any, sizes: Mapping[int, int], parameters: SegmentClassesParameters, voxel_size: float,
            classes: int) -> Clusters:
    if parameters.clustering == "mean_shift":
        radius = parameters.cluster_radius / voxel_size or ball_radius(min(sizes.values(), default=1))
        groups = mean_shift_groups(class_map, confidence, radius, classes)
        return merge_close(groups, np.full(len(groups), radius))
    groups = split_large(connected_groups(class_map, confidence, classes), class_map, confidence, sizes)
    return merge_close(groups, np.array([ball_radius(sizes.get(value, 0)) for value in groups.classes.tolist()]))


def size_limits(sizes: Mapping[int, int], parameters: SegmentClassesParameters, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest number of voxels for each class, (classes + 1,) each; raises :class:`ParameterError`."""
    usual = np.array([float(sizes.get(value, 0)) for value in range(classes + 1)])
    low = np.maximum(parameters.smallest_part * usual, 1)
    high = np.where((usual > 0) & (parameters.largest_part > 0), parameters.largest_part * usual, np.inf)
    for item in filter(None, (part.strip() for part in parameters.sizes.split(","))):
        match = LIMIT.fullmatch(item)
        if match is None or not 1 <= int(match[1]) <= classes:
            raise ParameterError(f"sizes '{item}'", f"CLASS:SMALLEST-LARGEST in voxels with a class from 1 to {classes}, such as 1:50-900")
        low[int(match[1])] = float(match[2] or 1)
        high[int(match[1])] = float(match[3] or np.inf)
    return low, high
