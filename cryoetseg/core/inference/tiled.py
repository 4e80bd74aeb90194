"""Running a function over a volume tile by tile, from one memory map into another."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from ..runtime.errors import ParameterError
from ..runtime.progress import track
from ..volumes.streaming import release_pages
from ..volumes.tiles import Blending, Border, Tile, plan_axis, plan_tiles, read_tile
from .blending import BandBlender, CropWriter, Finish, Writer
from .memory import TileSettings, Triple, free_cached_memory, is_out_of_memory

TileFunction = Callable[[np.ndarray], np.ndarray]


class _TileDoesNotFitError(MemoryError):
    """A single tile does not fit into memory."""


@dataclass
class _Run:
    """What stays the same while a volume is worked through."""

    function: TileFunction
    source: Any
    target: Any
    blending: Blending
    border: Border
    finish: Finish | None
    description: str
    align: Triple


def apply_tiled(
    function: TileFunction,
    source: Any,
    target: Any,
    tile: int | Sequence[int],
    overlap: int | Sequence[int],
    batch: int = 1,
    blending: Blending = "crop",
    *,
    border: Border = "inside",
    finish: Finish | None = None,
    tile_multiple: int = 1,
    align: int | Sequence[int] = 1,
    description: str = "tiles",
) -> TileSettings:
    """Apply ``function`` to overlapping tiles of ``source`` (z, y, x) and put the results together in ``target``.

    ``function`` takes float32 tiles (n, z, y, x) and gives (n, z, y, x) or (n, channels, z, y, x) of the same extent. ``source`` and
    ``target`` (z, y, x or channels, z, y, x) are arrays, memory maps or zarr arrays; integer targets get rounded, clipped values.
    ``tile`` and ``overlap`` are voxels, one number or (z, y, x); (1, h, w) slides over single slices.

    ``blending``: ``crop`` takes each voxel from the tile whose middle is nearest, unchanged; ``cosine`` and ``gaussian`` average.
    ``border``: tiles stay ``inside`` the volume or reach over its faces by half the overlap (``reflect``, ``zero``). A volume smaller
    than a tile is padded by reflection (by zeros with ``zero``). Tiles start at multiples of ``align`` (one number or z, y, x).
    ``finish`` maps final
    (channels, z, y, x) blocks to what is stored.

    When memory runs out, the batch is halved, then what a tile has beside its overlap (edges stay multiples of ``tile_multiple``), each
    step logged; then :class:`MemoryLimitError`. Returns the settings that worked. Memory: one batch, plus for averaging one band of a
    tile's thickness.
    """
    settings = TileSettings(_triple(tile), _triple(overlap), batch)
    _check(settings, source, target)
    run = _Run(function, source, target, blending, border, finish, description, _triple(align))
    while True:
        worked = _attempt_volume(run, settings)
        if worked is not None:
            return worked
        free_cached_memory()
        settings = settings.with_smaller_tile(tile_multiple, run.align)


def _triple(value: int | Sequence[int]) -> Triple:
    values = [value] * 3 if isinstance(value, (int, np.integer)) else list(value)
    if len(values) != 3:
        raise ParameterError(f"tile or overlap {values}", "one number or three (z, y, x)")
    return int(values[0]), int(values[1]), int(values[2])


def _check(settings: TileSettings, source: Any, target: Any) -> None:
    if settings.batch < 1:
        raise ParameterError(f"batch = {settings.batch}", "1 or more")
    if len(source.shape) != 3 or tuple(target.shape[-3:]) != tuple(source.shape) or len(target.shape) not in (3, 4):
        raise ParameterError(f"source {tuple(source.shape)} and target {tuple(target.shape)}",
                             "a (z, y, x) source and a target of the same size, with or without channels in front")


def _attempt_volume(run: _Run, settings: TileSettings) -> TileSettings | None:
    """Work through the whole volume; None when one tile, or the band, does not fit into memory."""
    try:
        return _work_through(run, settings)
    except MemoryError:
        return None


def _work_through(run: _Run, settings: TileSettings) -> TileSettings:
    tiles = plan_tiles(run.source.shape, settings.tile, settings.overlap, run.border, run.align)
    writer = _writer(run, settings)
    for group in _grouped(track(tiles, run.description), settings.batch):
        stack = np.stack([read_tile(run.source, tile, run.border) for tile in group])
        results, settings = _call(run.function, stack, settings)
        for tile, result in zip(group, results):
            writer.add(tile, result)
        if group[0].index[1:] == (0, 0) or group[0].index[0] != group[-1].index[0]:
            release_pages(run.source)
    writer.close()
    release_pages(run.source)
    return settings


def _writer(run: _Run, settings: TileSettings) -> Writer:
    if run.blending == "crop":
        return CropWriter(run.target, run.finish)
    plans = [plan_axis(size, tile, overlap, run.border, align)
             for size, tile, overlap, align in zip(run.source.shape, settings.tile, settings.overlap, run.align)]
    return BandBlender(run.target, plans, run.blending, run.finish)


def _grouped(tiles: Iterable[Tile], size: int) -> Iterator[list[Tile]]:
    iterator = iter(tiles)
    while group := list(islice(iterator, size)):
        yield group


def _call(function: TileFunction, stack: np.ndarray, settings: TileSettings) -> tuple[list[np.ndarray], TileSettings]:
    """Results (channels, z, y, x) tile by tile; a batch that does not fit is halved for this and all later calls."""
    results: list[np.ndarray] = []
    while len(results) < len(stack):
        part = stack[len(results):len(results) + settings.batch]
        answer = _attempt_batch(function, part)
        if answer is not None:
            results.extend(_with_channels(answer, part))
            continue
        free_cached_memory()
        if len(part) == 1:
            raise _TileDoesNotFitError
        settings = settings.with_smaller_batch()
    return results, settings


def _attempt_batch(function: TileFunction, part: np.ndarray) -> np.ndarray | None:
    """None when memory runs out. Nothing of the failed call may stay referenced, or its memory would not be freed."""
    try:
        return np.asarray(function(part))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def _with_channels(answer: np.ndarray, part: np.ndarray) -> np.ndarray:
    if answer.ndim == 4:
        answer = answer[:, None]
    if answer.ndim != 5 or len(answer) != len(part) or answer.shape[2:] != part.shape[1:]:
        raise ParameterError(f"the function turned tiles {part.shape} into {answer.shape}",
                             "(n, z, y, x) or (n, channels, z, y, x) of the same extent")
    return answer
