"""What is known of a volume before its voxels are read."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

Triple = tuple[float, float, float]
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class VolumeHeader:
    """Geometry of a volume file.

    ``shape`` and ``origin`` are ordered (z, y, x); ``voxel_size`` is the isotropic edge of a voxel and ``origin`` the position of
    the first voxel, both in Angstrom. ``dtype`` is the type on disk. When the file states no voxel size, ``voxel_size`` is 1.0
    and ``voxel_size_is_known`` is False. ``warnings`` are the tolerated oddities, one sentence each. ``level`` names the resolution of a
    file that holds several; ``is_stack_of_images`` says that the file calls itself one, as tilt series do.
    """

    path: Path
    shape: Shape
    dtype: np.dtype
    voxel_size: float
    origin: Triple = (0.0, 0.0, 0.0)
    format: str = "mrc"
    voxel_size_is_known: bool = True
    warnings: tuple[str, ...] = ()
    level: str = ""
    is_stack_of_images: bool = False
