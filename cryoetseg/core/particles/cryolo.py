"""crYOLO's boxes (.cbox, a STAR file), read only: x and y are the box's lower corner, z is its middle slice; 0-based voxels."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..runtime.errors import InputError
from .options import ReadOptions, numbers
from .star import read_blocks
from .table import UNKNOWN, ParticleTable

BLOCK = "cryolo"
TRACE = "give the boxes that crYOLO traced through the tomogram (cryolo_predict.py --tomogram, folder CBOX_3D)"


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read boxes picked in a tomogram; position = corner + half a box. Raises :class:`InputError` naming file and column."""
    blocks = read_blocks(path)
    if BLOCK not in blocks:
        raise InputError(f"{path}: block data_{BLOCK} is missing", "boxes of crYOLO 1.8 or later", "blocks found: " + ", ".join(blocks))
    boxes = blocks[BLOCK]
    if "CoordinateZ" not in boxes.columns or pd.to_numeric(boxes["CoordinateZ"], errors="coerce").isna().any():
        raise InputError(f"{path}: column CoordinateZ is missing or not set: boxes of an image", "boxes of a tomogram", TRACE)
    xyz = np.stack([numbers(boxes, f"Coordinate{axis}", path) for axis in "XYZ"], axis=1)
    xyz[:, 0] += numbers(boxes, "Width", path) / 2
    xyz[:, 1] += numbers(boxes, "Height", path) / 2
    score = pd.to_numeric(boxes["Confidence"], errors="coerce") if "Confidence" in boxes.columns else UNKNOWN
    return ParticleTable.from_points(xyz[:, ::-1], voxel_size=options.voxel_size or UNKNOWN, tilt_series_id=options.tilt_series_id,
                                     score=score)
