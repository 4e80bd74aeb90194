"""The embedding of every pick of a tomogram, some boxes at a time; what is done is kept, so that an interrupted run goes on."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..models.embedding3d import EmbeddingNetwork
from ..particles.table import ParticleTable
from ..runtime.device import autocast_dtype
from ..runtime.files import atomic_path
from ..runtime.progress import track
from ..volumes.cleaned import CleanedView
from ..volumes.streaming import release_pages
from .boxes import cut_box

BATCH = 64
STATISTICS = 256  # boxes that tell mean and deviation of all
HALF_TURNS = ((), (3, 4), (2, 4), (2, 3))  # axes that are turned over, of (n, channel, z, y, x)
CHUNK = 4096  # picks between two files
RELEASED = 8  # boxes between which the pages of the file are given back: one touches ten megabytes of a wide file, and picks lie everywhere


class Picks(NamedTuple):
    """The picks of one tomogram, bright in ``volume``: ``table`` in its voxels, unit ``vectors`` (n, d)."""

    name: str
    volume: CleanedView
    voxel_size: float
    table: ParticleTable
    vectors: np.ndarray


class BoxScale(NamedTuple):
    """Mean and deviation of the boxes of one tomogram."""

    mean: float
    deviation: float


def box_scale(volume: Any, zyx: np.ndarray, voxel_size: float) -> BoxScale:
    """Of boxes about at most 256 of the points (n, 3), evenly taken."""
    chosen = zyx[np.unique(np.linspace(0, len(zyx) - 1, min(len(zyx), STATISTICS)).astype(int))]
    total = [(box.mean(dtype=np.float64), (box.astype(np.float64) ** 2).mean()) for box in _cut(volume, chosen, voxel_size)]
    mean, square = np.mean(total, axis=0)
    return BoxScale(float(mean), float(np.sqrt(max(square - mean**2, 1e-12))))


def boxes_at(volume: Any, zyx: np.ndarray, voxel_size: float, scale: BoxScale) -> np.ndarray:
    """Boxes (n, 32, 32, 32) float32 about the points (n, 3) on the common scale of their tomogram."""
    boxes = np.stack(list(_cut(volume, zyx, voxel_size)))
    return (boxes - np.float32(scale.mean)) / np.float32(scale.deviation)


def _cut(volume: Any, zyx: np.ndarray, voxel_size: float) -> Iterator[np.ndarray]:
    for number, place in enumerate(zyx):
        yield cut_box(volume, place, voxel_size)
        if number % RELEASED == RELEASED - 1:
            release_pages(volume)
    release_pages(volume)


def embedded(volume: Any, zyx: np.ndarray, voxel_size: float, network: EmbeddingNetwork, device: torch.device, kept: Path,
             description: str) -> np.ndarray:
    """Unit vectors (n, d) of the points (n, 3), voxels (z, y, x), of a volume of ``voxel_size`` Angstrom with bright particles.

    Finished parts are read from and written to ``kept_NUMBER.npz``.
    """
    if not len(zyx):
        return np.zeros((0, network.head[-1].out_features), dtype=np.float32)  # type: ignore[arg-type]
    scale = box_scale(volume, zyx, voxel_size)
    parts = []
    for number, first in enumerate(range(0, len(zyx), CHUNK)):
        path, points = kept.with_name(f"{kept.name}_{number}.npz"), zyx[first:first + CHUNK]
        found = _read(path, points)
        if found is None:
            batches = track(_batches(points), description, total=-(-len(points) // BATCH))
            found = np.concatenate([forward(network, boxes_at(volume, batch, voxel_size, scale), device) for batch in batches])
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as part, Path(part).open("wb") as stream:
                np.savez(stream, zyx=points, vectors=found)
        parts.append(found)
    return np.concatenate(parts)


def _batches(points: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(points), BATCH):
        yield points[first:first + BATCH]


def _read(path: Path, points: np.ndarray) -> np.ndarray | None:
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return stored["vectors"] if np.array_equal(stored["zyx"], points) else None


def forward(network: EmbeddingNetwork, boxes: np.ndarray, device: torch.device) -> np.ndarray:
    """Unit vectors (n, d) of boxes (n, z, y, x): the mean over the half turns that leave the missing wedge where it is."""
    precision, total = autocast_dtype(device), 0.0
    whole = torch.from_numpy(boxes)[:, None].to(device)
    with torch.inference_mode(), torch.autocast(device.type, precision, enabled=precision != torch.float32):
        for axes in HALF_TURNS:
            total = total + network(whole.flip(axes) if axes else whole).float()
    vectors = torch.as_tensor(total)
    return (vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-9)).cpu().numpy()
