"""STOPGAP motive lists (STAR block stopgap_motivelist): 1-based voxels, AV3 angles, shifts that move the particle."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..runtime.errors import InputError
from .angles import from_motl, to_motl
from .options import ReadOptions, as_floats, integers, numbered, numbers
from .star import read_blocks, write_blocks
from .table import UNKNOWN, ParticleTable

BLOCK = "stopgap_motivelist"


def read(path: Path, options: ReadOptions) -> ParticleTable:
    """Read a STOPGAP motive list; position = orig + shift - 1. Raises :class:`InputError` naming file and column."""
    blocks = read_blocks(path)
    if BLOCK not in blocks:
        raise InputError(f"{path}: block data_{BLOCK} is missing", "a STOPGAP motive list", "blocks found: " + ", ".join(blocks))
    rows = blocks[BLOCK]
    xyz = np.stack([numbers(rows, f"orig_{axis}", path) + numbers(rows, f"{axis}_shift", path) for axis in "xyz"], axis=1) - 1
    return ParticleTable.from_points(
        xyz[:, ::-1], voxel_size=options.voxel_size or UNKNOWN, tilt_series_id=_whole(rows, "tomo_num", path).astype(str),
        class_id=_whole(rows, "class", path), score=as_floats(rows["score"]) if "score" in rows.columns else UNKNOWN,
        angles=from_motl(numbers(rows, "phi", path), numbers(rows, "the", path), numbers(rows, "psi", path)))


def _whole(rows: pd.DataFrame, column: str, path: Path) -> np.ndarray:
    return integers(numbers(rows, column, path), f"column {column}", path)


def write(table: ParticleTable, path: Path) -> None:
    """Write a STOPGAP motive list; whole voxels go into orig, the rest into shift."""
    index = np.arange(1, len(table) + 1)
    one_based = table.zyx[:, ::-1] + 1
    whole = np.rint(one_based)
    phi, theta, psi = to_motl(table.angles)
    columns = {"motl_idx": index, "tomo_num": numbered(table.tilt_series_id), "object": np.ones_like(index), "subtomo_num": index,
               "halfset": np.where(index % 2, "A", "B").astype(object)}
    columns.update({f"orig_{axis}": values for axis, values in zip("xyz", whole.T)})
    columns["score"] = np.nan_to_num(table.score)
    columns.update({f"{axis}_shift": values for axis, values in zip("xyz", (one_based - whole).T)})
    columns.update({"phi": phi, "psi": psi, "the": theta, "class": table.class_id})
    write_blocks(path, {BLOCK: pd.DataFrame(columns)})
