"""Training tiles of the backbone: pictures of slabs and, where they are known, the densities behind them."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job
from ..runtime.names import distinct
from ..volumes.contrast import particles_bright
from ..volumes.io import open_volume
from .training_params import TrainBackboneParameters

STRETCH_PERCENTILES = (0.5, 99.5)  # as slabs are stretched before segmentation
LEAST_WIDTH = 1e-6  # of the grey values of a slice, from black to white
DENSITY_MEAN = 0.15  # typical crowding of a simulated cytosol: puts the target near zero mean


@dataclass(frozen=True)
class Pair:
    """One tomogram (z, y, x), particles bright, and its density or, where none is known, None."""

    name: str
    tomogram: np.ndarray
    density: np.ndarray | None
    limits: np.ndarray  # (z, 2): grey values of black and white of each slice


@dataclass(frozen=True)
class TileChoice:
    """Where a tile lies and how it is turned: drawn first, then cut."""

    z: int
    y: int
    x: int
    mirror_y: bool
    mirror_x: bool
    sign: int


def open_pairs(job: Job) -> list[Pair]:
    """Open the job's tomograms with the densities of the same tilt series; raises :class:`InputError` when one does not fit."""
    densities = {item.tilt_series_id: item for item in job.inputs_of("grand_model")}
    pairs = [_open_pair(item, densities.get(item.tilt_series_id)) for item in distinct(job.inputs_of("tomogram"))]
    if len(pairs) < 2:
        raise InputError(f"{len(pairs)} tomogram(s) to train on", "at least two, one of them for validation")
    return pairs


def _open_pair(item: InputFile, density: InputFile | None) -> Pair:
    volume = particles_bright(np.asarray(open_volume(item.path, item.voxel_size).data, np.float32), item.contrast)
    truth = None if density is None else np.asarray(open_volume(density.path, density.voxel_size).data, np.float32)
    if truth is not None and truth.shape != volume.shape:
        raise InputError(f"{density.path if density else ''} has shape {truth.shape}", f"the tomogram's, {volume.shape}")
    limits = np.stack([np.percentile(slab, STRETCH_PERCENTILES) for slab in volume]).astype(np.float32)
    return Pair(item.tilt_series_id, volume, truth, limits)


def draw_tile(pair: Pair, parameters: TrainBackboneParameters, generator: np.random.Generator) -> TileChoice:
    """Draw a tile of ``pair`` uniformly over all places where it fits."""
    room = [size - need for size, need in zip(pair.tomogram.shape, (parameters.slices, parameters.tile_px, parameters.tile_px))]
    if min(room) < 0:
        raise InputError(f"tomogram {pair.name} of shape {pair.tomogram.shape}",
                         f"at least {parameters.slices} slices of {parameters.tile_px} x {parameters.tile_px}", "choose smaller tiles")
    z, y, x = (int(generator.integers(free + 1)) for free in room)
    mirror_y, mirror_x = generator.random(2) < 0.5
    sign = -1 if generator.random() < parameters.contrast_flip else 1
    return TileChoice(z, y, x, bool(mirror_y), bool(mirror_x), sign)


def cut_tile(pair: Pair, choice: TileChoice, parameters: TrainBackboneParameters) -> tuple[np.ndarray, np.ndarray]:
    """Picture and target of a tile, each float32 (slices, tile, tile).

    The picture lies in [-1, 1]. The target is the density, twice and shifted to a similar range, or the picture itself where no
    density is known: then the training is an ordinary diffusion model of the user's tomograms.
    """
    depth = slice(choice.z, choice.z + parameters.slices)
    where = (depth, slice(choice.y, choice.y + parameters.tile_px), slice(choice.x, choice.x + parameters.tile_px))
    black, white = pair.limits[depth, 0, None, None], pair.limits[depth, 1, None, None]
    picture = np.clip((pair.tomogram[where] - black) / np.maximum(white - black, LEAST_WIDTH), 0, 1) * 2 - 1
    target = picture if pair.density is None else 2 * (pair.density[where] - DENSITY_MEAN)
    return _turned(picture, choice), _turned(target, choice)


def _turned(tile: np.ndarray, choice: TileChoice) -> np.ndarray:
    turned = tile[:, :: -1 if choice.mirror_y else 1, :: -1 if choice.mirror_x else 1]
    return np.ascontiguousarray(choice.sign * turned, np.float32)


def split(pairs: Sequence[Pair], held_out: float) -> tuple[list[Pair], list[Pair]]:
    """Training and validation tomograms; the last ones are held out, so that neighbouring tiles never meet; one at least on each side."""
    count = min(max(1, round(held_out * len(pairs))), len(pairs) - 1)
    return list(pairs[:-count]), list(pairs[-count:])
