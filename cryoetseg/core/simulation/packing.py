"""Packing macromolecules into a volume without overlap: largest first, random places, dilated masks against an occupancy array."""
from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch.nn import functional

from ..runtime.progress import track
from .library import MASK_THRESHOLD, Template
from .rotations import matrix_zyx, random_rotation

logger = logging.getLogger(__name__)
Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]
TRACE = 0.01  # densities below are left out when a placed particle's box is trimmed


@dataclass(frozen=True)
class Body:
    """A turned template on the tomogram's grid: ``density`` (z, y, x) whose voxel 0 lies at ``centre voxel + offset``."""

    density: Volume
    mask: Mask
    offset: NDArray[np.int64]

    def box_at(self, centre: NDArray[np.int64]) -> tuple[slice, slice, slice]:
        """Slices of the body's box with its centre in voxel ``centre``."""
        start = centre + self.offset
        stop = start + self.density.shape
        return slice(start[0], stop[0]), slice(start[1], stop[1]), slice(start[2], stop[2])


def render(template: Template, rotation: Rotation, fraction: NDArray[np.float64], voxel_size: float) -> Body:
    """Sample ``template``, turned by ``rotation`` and moved by ``fraction`` (z, y, x) of a voxel, on a grid of ``voxel_size``."""
    matrix = matrix_zyx(rotation)
    reach = np.minimum(np.abs(matrix) @ template.half_extents, template.radius)
    half = np.ceil(reach / voxel_size).astype(np.int64) + 2
    # grid_sample wants (x, y, z) with -1..1 from the first to the last voxel centre of the source
    to_grid = matrix.T[::-1] / ((np.array(template.density.shape[::-1]) - 1) / 2 * template.spacing)[:, None]
    along = []
    for column in range(3):
        positions = (np.arange(-half[column], half[column] + 1) - fraction[column]) * voxel_size
        along.append(torch.from_numpy((positions[:, None] * to_grid[:, column]).astype(np.float32)))
    grid = along[0][:, None, None] + along[1][None, :, None] + along[2][None, None, :]
    source = torch.from_numpy(template.density)[None, None]
    density = functional.grid_sample(source, grid[None], mode="bilinear", padding_mode="zeros", align_corners=True)[0, 0].numpy()
    return _trimmed(density, half)


def _trimmed(density: Volume, half: NDArray[np.int64]) -> Body:
    """Cut the box to the traces of density, keeping at least one voxel around the mask for its dilation."""
    seen = density > TRACE
    mask = density > MASK_THRESHOLD
    lower, upper = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        along = np.flatnonzero(seen.any(axis=others))
        lower[axis], upper[axis] = (along[0], along[-1] + 1) if len(along) else (half[axis], half[axis] + 1)
    lower, upper = np.maximum(lower - 1, 0), np.minimum(upper + 1, np.array(density.shape))
    box = tuple(slice(low, high) for low, high in zip(lower, upper))
    return Body(np.ascontiguousarray(density[box]), np.ascontiguousarray(mask[box]), lower - half)


def dilated(mask: Mask) -> Mask:
    """Dilation by one voxel along the axes, without leaving the box."""
    grown = mask.copy()
    for axis in range(3):
        front, back = [slice(None)] * 3, [slice(None)] * 3
        front[axis], back[axis] = slice(1, None), slice(None, -1)
        grown[tuple(front)] |= mask[tuple(back)]
        grown[tuple(back)] |= mask[tuple(front)]
    return grown


def numbers_for(templates: Sequence[Template], volume: float, occupancy: float) -> list[int]:
    """How many of each template fill ``occupancy`` of ``volume`` (cubic Angstrom) in the ratio of their abundances."""
    per_round = sum(template.abundance * template.mask_volume for template in templates)
    rounds = volume * occupancy / per_round if per_round > 0 else 0.0
    return [round(rounds * template.abundance) for template in templates]


@dataclass(frozen=True)
class Placed:
    """One placed macromolecule: which template, where (voxels, sub-voxel), how turned."""

    template: int
    centre: NDArray[np.float64]
    rotation: Rotation
    body: Body
    voxel: NDArray[np.int64]


def pack(
    templates: Sequence[Template], numbers: Sequence[int], occupied: Mask, voxel_size: float, z_range: tuple[int, int],
    tries: int, rng: np.random.Generator,
) -> Iterator[Placed]:
    """Yield placed macromolecules, largest template first, and mark them in ``occupied``.

    A place is free when the mask grown by one voxel touches nothing in ``occupied`` and the whole box lies inside the volume
    and inside the voxels ``z_range``. After ``tries`` places a particle is given up.
    """
    order = sorted(range(len(templates)), key=lambda index: -templates[index].mask_volume)
    queue = [index for index in order for _ in range(numbers[index])]
    given_up: dict[str, int] = {}
    for index in track(queue, "packing macromolecules"):
        rotation, fraction = random_rotation(rng), rng.uniform(-0.5, 0.5, size=3)
        body = render(templates[index], rotation, fraction, voxel_size)
        voxel = _free_place(body, occupied, z_range, tries, rng)
        if voxel is None:
            given_up[templates[index].name] = given_up.get(templates[index].name, 0) + 1
            continue
        occupied[body.box_at(voxel)] |= body.mask
        yield Placed(index, voxel + fraction, rotation, body, voxel)
    if given_up:
        logger.info("no free place for %s", ", ".join(f"{count} {name}" for name, count in given_up.items()))


def _free_place(
    body: Body, occupied: Mask, z_range: tuple[int, int], tries: int, rng: np.random.Generator
) -> NDArray[np.int64] | None:
    lower = -body.offset
    upper = np.array(occupied.shape) - body.density.shape - body.offset
    lower[0], upper[0] = lower[0] + z_range[0], upper[0] - (occupied.shape[0] - z_range[1])
    if (upper < lower).any():
        return None
    grown = dilated(body.mask)
    candidates = rng.integers(lower, upper + 1, size=(8 * tries, 3))
    # the middle voxel is looked up first: it is cheap and rules out most places in a crowded volume
    free = candidates[~occupied[tuple(candidates.T)]][:tries]
    for voxel in free:
        if not (occupied[body.box_at(voxel)] & grown).any():
            return voxel
    return None
