"""Particles and membranes of a tomogram in three dimensions. Also imported by Scipion's own interpreter: valid Python 3.8."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np

from .figures import MASK_COLOUR, SERIES

MOST_VOXELS = 30_000_000  # of a mask that are looked at: larger ones are seen at every second, third, ... voxel
MOST_POINTS = 8_000  # membrane points drawn; more only slow the window down


def membrane_points(mask: Any, most: int = MOST_POINTS, seed: int = 0) -> np.ndarray:
    """Positions (n, 3) in voxels (z, y, x) of at most ``most`` voxels of a mask (z, y, x), evenly drawn; the same at each call.

    Memory maps are read slice by slice, with a stride where they are large.
    """
    step = max(1, int(np.ceil((np.prod(mask.shape, dtype=np.float64) / MOST_VOXELS) ** (1 / 3))))
    found = [np.zeros((0, 3))]
    for z in range(0, mask.shape[0], step):
        voxels = np.argwhere(np.asarray(mask[z, ::step, ::step]) != 0) * step
        found.append(np.column_stack([np.full(len(voxels), float(z)), voxels]))
    points = np.concatenate(found)
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))]


CROWD = 400  # particles; more are drawn smaller, so that they do not hide the membranes


def draw_scatter(
    axes: Any,
    points_zyx: np.ndarray,
    shape: Sequence[int],
    *,
    classes: Optional[np.ndarray] = None,
    names: Optional[Mapping[int, str]] = None,
    membranes_zyx: Optional[np.ndarray] = None,
    voxel_size: float = 1.0,
    diameter: Union[float, np.ndarray] = 250.0,
    title: str = "",
) -> None:
    """Draw particles (n, 3) in voxels (z, y, x) on 3D axes, coloured by class, with membranes as small points.

    ``voxel_size`` in Angstrom: the axes count nanometres and keep the proportions of the volume of ``shape`` (z, y, x).
    ``diameter`` of the particles in Angstrom, one or one (n,) for each, sets the size of their markers roughly.
    """
    to_nm = voxel_size / 10
    points = np.asarray(points_zyx, dtype=np.float64).reshape(-1, 3) * to_nm
    numbers = np.zeros(len(points), dtype=int) if classes is None else np.asarray(classes, dtype=int)
    extent = np.array(shape[::-1], dtype=np.float64) * to_nm
    if membranes_zyx is not None and len(membranes_zyx):
        z, y, x = (np.asarray(membranes_zyx, dtype=np.float64) * to_nm).T
        axes.scatter(x, y, z, s=5, color=MASK_COLOUR, alpha=0.5, linewidths=0, label="membranes", depthshade=False)
    sizes = np.broadcast_to(np.asarray(diameter, dtype=np.float64), len(points))
    markers = np.clip(2e4 * (sizes / 10 / extent.max()) ** 2 * min(1.0, CROWD / max(1, len(points))), 4, 200)
    for place, number in enumerate(np.unique(numbers)):
        z, y, x = points[numbers == number].T
        name = (names or {}).get(int(number), f"class {number}" if classes is not None and number else "particles")
        axes.scatter(x, y, z, s=markers[numbers == number], color=SERIES[place % len(SERIES)], label=f"{name} ({len(x)})")
    axes.set(xlabel="x (nm)", ylabel="y (nm)", zlabel="z (nm)", xlim=(0, extent[0]), ylim=(0, extent[1]), zlim=(0, extent[2]))
    axes.set_box_aspect(extent)
    axes.set_title(title, fontsize="small")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper left")
