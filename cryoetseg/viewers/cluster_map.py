"""What a run of *cluster particles* found, as its window needs it: places on the map, averages, and slices about each particle."""
import csv
import os
from typing import Any, Dict, List, NamedTuple, Tuple

import numpy as np

from .slice_stack import PLANES

UNSURE = 0
REACH = 400.0  # A about a particle that are shown
VISIBLE = ("map_x", "map_y")


class Member(NamedTuple):
    """A particle of the map: its cluster, its tomogram, and its position (z, y, x) in voxels of ``voxelSize`` Angstrom."""

    cluster: int
    tsId: str
    zyx: Tuple[float, float, float]
    voxelSize: float
    diameter: float


class ClusterMap:
    """``members`` at ``places`` (n, 2); of each cluster in ``numbers`` how many particles it has, ``counts``, and the middle slice of its
    average, ``averages``."""

    def __init__(self, folder: str) -> None:
        with open(os.path.join(folder, "picks.csv"), encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        shown = [row for row in rows if row["map_x"]]
        self.members = [_member(row) for row in shown]
        self.places = np.array([[float(row[name]) for name in VISIBLE] for row in shown]).reshape(-1, 2)
        with np.load(os.path.join(folder, "boxes.npz"), allow_pickle=False) as stored:
            self.numbers: List[int] = stored["numbers"].tolist()
            boxes = stored["boxes"][:, 0].astype(np.float32)
        self.averages = {number: -box[len(box) // 2] for number, box in zip(self.numbers, boxes)}  # dark, as microscopes show them
        self.counts: Dict[int, int] = {number: sum(int(row["cluster"]) == number for row in rows) for number in self.numbers}

    @property
    def clusters(self) -> np.ndarray:
        """The cluster (n,) of each member."""
        return np.array([member.cluster for member in self.members], dtype=np.int64)

    def nearest(self, places: np.ndarray, place: Tuple[float, float], reach: float) -> int:
        """The member whose place in ``places`` (n, 2) is nearest to ``place``; -1 where none is within ``reach``."""
        if not len(places):
            return -1
        distances = np.hypot(*(places - place).T)
        found = int(np.argmin(distances))
        return found if distances[found] <= reach else -1


def _member(row: Dict[str, str]) -> Member:
    z, y, x = (float(row[axis]) for axis in "zyx")
    diameter = float(row["diameter"] or "nan")
    return Member(int(row["cluster"]), row["tilt_series_id"], (z, y, x), float(row["voxel_size"]), diameter)


def slicesAbout(volume: np.ndarray, member: Member) -> List[Tuple[str, np.ndarray, np.ndarray]]:
    """Three slices through a member, one along each axis: name, image, and where the member lies in it (row, column)."""
    reach = max(2, round(REACH / member.voxelSize))
    middle = np.clip(np.rint(member.zyx).astype(int), 0, np.array(volume.shape) - 1)
    first, last = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, volume.shape)
    result = []
    for number, axis in enumerate("zyx"):
        cut: List[Any] = [slice(low, high) for low, high in zip(first, last)]
        cut[number] = int(middle[number])
        image = np.asarray(volume[tuple(cut)], dtype=np.float32)
        result.append((f"{axis} = {middle[number]}", image, (np.array(member.zyx) - first)[list(PLANES[axis])]))
    return result
