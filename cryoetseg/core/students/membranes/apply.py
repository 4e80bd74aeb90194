"""Segmenting the membranes of whole tomograms with a trained student, in bounded memory."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ...inference.network import network_function, slice_network_function
from ...inference.tiled import TileFunction, apply_tiled
from ...models.unet2d import DIVISOR
from ...runtime.device import choose_device
from ...runtime.errors import InputError, ParameterError
from ...runtime.job import InputFile, Job, MethodOutcome, Output
from ...runtime.names import file_stem, named_inputs
from ...runtime.params import parameters_from
from ...volumes.io import create_volume
from ...volumes.resampling import resample_into
from ...volumes.streaming import release_pages, temporary_volume, z_slabs
from ...volumes.tiles import Tiling, fitted_edge
from ..doubts import too_coarse
from ..scale import at_model_scale
from ..volumes import StudentVolume, open_student_volume, volume_from_array
from .components import without_small_components
from .network import MembraneModel, load_membrane_model
from .params import SeeingParameters, SegmentMembranesParameters
from .scales import complete
from .view import SliceView

TILE_PLANES = 16  # planes of a tile; those at its ends lack neighbours and weigh little in the average
VOLUME_PLANES, VOLUME_OVERLAP, VOLUME_CONTEXT = 64, 16, 12  # the same for networks that see volumes, and slices beside a range
MIRRORS: tuple[list[int], ...] = ([], [-2], [-1], [-2, -1])
VOLUME_MIRRORS: tuple[list[int], ...] = ([], [-3], [-2, -1], [-3, -2, -1])  # of volumes along the beam as well: what brings most


class SegmentedMembranes(NamedTuple):
    """Mask int8 and probability float16, both (z, y, x)."""

    mask: np.ndarray
    probability: np.ndarray


class _Window:
    """The slices ``first`` to ``last`` of a view as an array that is read where it is sliced."""

    def __init__(self, view: SliceView, first: int, last: int) -> None:
        self._view, self._first = view, first
        self.shape = (last - first, *view.shape[1:])
        data = view.volume.data
        self._mmap, self.mode = getattr(data, "_mmap", None), getattr(data, "mode", "c")  # lets release_pages reach the map

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        z, y, x = (part.start for part in window)
        return self._view.crop((z + self._first, y, x), [part.stop - part.start for part in window])


def segment_membranes(
    array: np.ndarray, voxel_size: float, model: MembraneModel, parameters: SegmentMembranesParameters | None = None, *,
    contrast: str = "bright", device: str = "auto",
) -> SegmentedMembranes:
    """Membranes of a (z, y, x) array of ``voxel_size`` Angstrom in memory, whose particles look as ``contrast`` says."""
    parameters = parameters or SegmentMembranesParameters()
    volume = volume_from_array("array", array, voxel_size, contrast=contrast)
    mask, probability = np.zeros(array.shape, np.int8), np.zeros(array.shape, np.float16)
    _segment(volume, model, parameters, mask, probability, choose_device(device), slice_range(parameters, volume)[0])
    return SegmentedMembranes(mask, probability)


def run(job: Job) -> MethodOutcome:
    """Segment the job's tomograms with the model folder given under the role ``model``."""
    parameters = parameters_from(SegmentMembranesParameters, job.parameters)
    tomograms = named_inputs(job, "tomogram")
    model, device = load_membrane_model(job.input_of("model").path), choose_device(job.device)
    outcome = MethodOutcome()
    for item in tomograms:
        _segment_file(item, model, parameters, Path(job.output_folder), device, outcome)
    return outcome


def _segment_file(
    item: InputFile, model: MembraneModel, parameters: SegmentMembranesParameters, folder: Path, device: torch.device,
    outcome: MethodOutcome,
) -> None:
    volume = open_student_volume(item)
    header = volume.header
    span, notes = slice_range(parameters, volume)
    stem = file_stem(volume.name)
    mask, probability = f"{stem}_membranes.mrc", f"{stem}_membranes_probability.mrc"
    with create_volume(folder / mask, header.shape, np.int8, header.voxel_size, header.origin) as mask_target, \
            _probability_target(folder / probability, volume, parameters.write_probability) as probability_target:
        warnings, voxels = _segment(volume, model, parameters, mask_target, probability_target, device, span)
    outcome.warnings += [*notes, *warnings, *too_coarse(volume, model.coarsest)]
    if not voxels:
        outcome.warnings.append(f"{volume.name}: no membrane was found: none may be there, or contrast or voxel size are wrong")
    outcome.metrics[volume.name] = {"membrane_fraction": voxels / float(np.prod(header.shape, dtype=np.int64)),
                                    "invalid_fraction": volume.invalid_share, "slices": f"{span[0]}:{span[1]}"}
    written = [("membrane_mask", mask), ("membrane_probability", probability)][:1 + parameters.write_probability]
    outcome.outputs += [Output(kind=kind, path=path, voxel_size=header.voxel_size, tilt_series_id=volume.name) for kind, path in written]


@contextmanager
def _probability_target(path: Path, volume: StudentVolume, wanted: bool) -> Iterator[Any]:
    """Half-precision voxels: two bytes hold a probability to 0.0005; MRC has no unsigned bytes."""
    if wanted:
        with create_volume(path, volume.header.shape, np.float16, volume.header.voxel_size, volume.header.origin) as target:
            yield target
    else:
        yield temporary_volume(volume.header.shape, np.float16)


def _segment(
    volume: StudentVolume, model: MembraneModel, parameters: SegmentMembranesParameters, mask: Any, probability: Any, device: torch.device,
    span: tuple[int, int],
) -> tuple[list[str], int]:
    """Fill ``mask`` and ``probability`` slice range by slice range; returns warnings and the number of membrane voxels."""
    warnings = completed_probability(volume, model, probability, span, parameters, device)
    volume.blank(probability)
    smallest = int(np.ceil(parameters.smallest_component / volume.header.voxel_size**3))
    voxels = without_small_components(probability, parameters.threshold, smallest, mask)
    return [*volume.warnings, *warnings], voxels


def completed_probability(
    volume: StudentVolume, model: MembraneModel, target: Any, span: tuple[int, int], parameters: SeeingParameters, device: torch.device,
) -> list[str]:
    """Write the probability of membrane of a volume of any voxel size into ``target`` (z, y, x): as seen at the model's working sizes, and
    at coarser ones where these are not sure. Returns warnings."""
    voxel_size = volume.header.voxel_size
    coarser = model.coarser_sizes(voxel_size)
    if not coarser:
        return averaged_probability(volume, model, target, span, parameters, device)
    fine, coarse = (temporary_volume(tuple(target.shape), np.float16) for _ in range(2))
    warnings = averaged_probability(volume, model, fine, span, parameters, device)
    averaged_probability(volume, model, coarse, span, parameters, device, coarser)
    complete(fine, coarse, target, voxel_size)
    return warnings


def averaged_probability(
    volume: StudentVolume, model: MembraneModel, target: Any, span: tuple[int, int], parameters: SeeingParameters, device: torch.device,
    sizes: Sequence[float] = (),
) -> list[str]:
    """Write the probability of the model's structure of a volume of any voxel size into ``target`` (z, y, x): the mean over voxel ``sizes``
    in Angstrom, the model's working sizes if none are given, in the slices ``span``, 0 elsewhere. Returns warnings."""
    sizes, warnings = sizes or model.working_sizes(volume.header.voxel_size), []
    for number, size in enumerate(sizes):
        scaled, warning = at_model_scale(volume, size)
        if len(sizes) == 1:
            warnings += [warning] if warning else []
            if scaled is volume:
                membrane_probability(volume, model, target, span, parameters, device)
                break
        found = temporary_volume(scaled.header.shape, np.float16)
        factor = volume.header.voxel_size / scaled.header.voxel_size
        inside = (int(span[0] * factor), min(scaled.header.shape[0], int(np.ceil(span[1] * factor)) + 1))
        membrane_probability(scaled, model, found, inside, parameters, device)
        own = found
        if scaled is not volume:
            own = temporary_volume(tuple(target.shape), np.float16)
            resample_into(found, scaled.header.voxel_size, volume.header.voxel_size, own)
        _add_share(own, target, span, 1 / len(sizes), first=number == 0)
    return warnings


def _add_share(found: Any, target: Any, span: tuple[int, int], share: float, first: bool) -> None:
    """Add ``share`` of ``found`` to ``target``, both (z, y, x), inside ``span``; the first share replaces what is there."""
    for window in z_slabs(target.shape):
        slab = np.float32(share) * np.asarray(found[window], dtype=np.float32)
        planes = np.arange(window.start, window.stop)
        slab[(planes < span[0]) | (planes >= span[1])] = 0
        target[window] = slab if first else slab + target[window]
        release_pages(found)
        release_pages(target)


def slice_range(parameters: SeeingParameters, volume: StudentVolume) -> tuple[tuple[int, int], list[str]]:
    """First slice and the one behind the last, given or found, and what a user should know; raises :class:`ParameterError` where the
    tomogram has none of those given."""
    if parameters.z_auto:
        return volume.slices_with_sample()
    depth = volume.header.shape[0]
    first, last = parameters.z_start, parameters.z_end or depth
    if first >= last or last > depth:
        raise ParameterError(f"slices {first}:{last} of a tomogram of {depth}", f"0 <= first < end <= {depth}")
    return (first, last), []


def membrane_probability(
    volume: StudentVolume, model: MembraneModel, target: Any, span: tuple[int, int], parameters: SeeingParameters,
    device: torch.device,
) -> None:
    """Write the probability of membrane for the slices ``span`` of a volume at the model's scale into ``target`` (z, y, x).

    Softmax values of overlapping tiles are averaged with cosine windows.
    """
    if volume.is_constant:
        raise InputError(f"{volume.name} is constant", "a tomogram")
    # slices beside the span are seen too; at the ends of the volume the last one is repeated
    reach = VOLUME_CONTEXT if model.is_volumetric else model.slices // 2
    first, last = _with_sample(volume, max(0, span[0] - reach), min(volume.header.shape[0], span[1] + reach))
    view = _Window(SliceView.of(volume, model.preparation), first, last)
    make = volume_function if model.is_volumetric else stack_function
    tiling = tiling_of(view.shape, model, parameters)
    apply_tiled(make(model, device, parameters.test_flips), view, target[first:last], tiling.edges, tiling.overlaps, 1, "cosine",
                tile_multiple=DIVISOR, align=tiling.align, description="membranes")
    for beside in (slice(span[0], first), slice(last, span[1]), slice(first, span[0]), slice(span[1], last)):
        target[beside] = 0


def _with_sample(volume: StudentVolume, first: int, last: int) -> tuple[int, int]:
    """The slices without those at both ends that show no sample: for the network the volume ends with its sample."""
    shown = [z for z in range(first, last) if volume.valid_plane(z).any()]
    return (shown[0], shown[-1] + 1) if shown else (first, last)


def tiling_of(shape: Sequence[int], model: MembraneModel, parameters: SeeingParameters) -> Tiling:
    """Tiles of a volume (z, y, x). They start at multiples of what the network shrinks by, as it answers alike there alone; along the beam
    too where it shrinks volumes."""
    overlap = min(parameters.overlap_px, parameters.tile_px // 2)
    height, width = (fitted_edge(size, parameters.tile_px, overlap, DIVISOR) for size in shape[1:])
    beside = min(overlap, height // 2), min(overlap, width // 2)  # a tomogram may be as narrow as the overlap
    if model.is_volumetric:
        return Tiling((VOLUME_PLANES, height, width), (VOLUME_OVERLAP, *beside), (DIVISOR,) * 3)
    return Tiling((TILE_PLANES, height, width), (2 * (model.slices // 2), *beside), (1, DIVISOR, DIVISOR))


def stack_function(model: MembraneModel, device: torch.device, flips: bool = False) -> TileFunction:
    """A function from tiles (n, z, y, x) to the probability of membrane of each plane, seen with its neighbours inside the tile."""
    network = slice_network_function(_Probability(model.network, flips).to(device), device)
    reach = model.slices // 2

    def function(tiles: np.ndarray) -> np.ndarray:
        padded = np.pad(tiles, ((0, 0), (reach, reach), (0, 0), (0, 0)), mode="edge")
        stacks = np.lib.stride_tricks.sliding_window_view(padded, model.slices, axis=1)  # n, z, y, x, slices
        planes = np.ascontiguousarray(np.moveaxis(stacks, -1, 2), dtype=np.float32)
        return network(planes.reshape(-1, *planes.shape[2:])).reshape(tiles.shape)

    return function


def volume_function(model: MembraneModel, device: torch.device, flips: bool = False) -> TileFunction:
    """A function from tiles (n, z, y, x) to the probability, for each voxel, of the structure that the model is asked for."""
    return network_function(_VolumeProbability(model, flips).to(device), device)


class _VolumeProbability(torch.nn.Module):
    """Probability of a structure, averaged over the four mirror images when asked."""

    def __init__(self, model: MembraneModel, flips: bool) -> None:
        super().__init__()
        self._network, self._logit, self._mirrors = model.network, model.logit, VOLUME_MIRRORS if flips else MIRRORS[:1]

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Volumes (n, 1, z, y, x) to (n, 1, z, y, x)."""
        answers = []
        for axes in self._mirrors:
            mirrored = volumes.flip(axes).contiguous(memory_format=torch.channels_last_3d)
            answers.append(self._logit(self._network(mirrored)).sigmoid().flip(axes))
        return torch.stack(answers).mean(dim=0)


class _Probability(torch.nn.Module):
    """Softmax of the second class, averaged over the four mirror images when asked."""

    def __init__(self, network: torch.nn.Module, flips: bool) -> None:
        super().__init__()
        self._network, self._mirrors = network, MIRRORS if flips else MIRRORS[:1]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (n, slices, y, x) to (n, 1, y, x)."""
        answers = []
        for axes in self._mirrors:
            mirrored = images.flip(axes).contiguous(memory_format=torch.channels_last)
            answers.append(self._network(mirrored).float().softmax(dim=1)[:, 1:].flip(axes))
        return torch.stack(answers).mean(dim=0)
