"""Picking with a trained model: probabilities by overlapping tiles, streamed to disk, then peaks."""
from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ...inference.mirrors import VIEWS, averaged_over_mirrors
from ...inference.network import network_function
from ...inference.tiled import apply_tiled
from ...models.card import read_card
from ...models.residual_unet3d import DIVISOR
from ...particles.formats import write_particles
from ...particles.table import ParticleTable, within_faces
from ...runtime.device import choose_device
from ...runtime.errors import ParameterError
from ...runtime.files import check_permit
from ...runtime.job import InputFile, Job, MethodOutcome, Output, model_folder
from ...runtime.names import file_stem, name_of, named_inputs
from ...runtime.params import parameters_from
from ...volumes.streaming import temporary_volume
from ...volumes.tiles import Tiling
from ..centres.model import NETWORK as CENTRES
from ..centres.model import load_centres
from ..centres.picks import centre_picks
from ..doubts import in_ice, sample_of, too_coarse, too_thin
from ..scale import at_model_scale
from ..volumes import StudentVolume, open_student_volume, volume_from_array
from .model import PickerModel, load_picker
from .nms import find_peaks, isolated_height, pooling_passes, published_distance, suppress
from .params import PickDeepetParameters
from .ranking import contrast_at, ranked

FEW_DIAMETERS = 20  # classes have as many at most; estimates differ from pick to pick
LONELY_SHARE = 0.5  # where a peak is as likely half a label as a whole one


class Standardised:
    """A tomogram as the network sees it, standardised where it is sliced."""

    def __init__(self, volume: StudentVolume) -> None:
        self._volume, self.shape = volume, tuple(volume.data.shape)
        self._mmap, self.mode = getattr(volume.data, "_mmap", None), getattr(volume.data, "mode", "c")  # lets release_pages reach it

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        return self._volume.crop([part.start for part in window], [part.stop - part.start for part in window])


class Picks(NamedTuple):
    """Particles of one tomogram in its own voxels, best first, and what was done to it on the way."""

    table: ParticleTable
    warnings: list[str]


def pick_particles(
    array: np.ndarray, voxel_size: float, model: PickerModel, parameters: PickDeepetParameters | None = None, *,
    contrast: str = "bright", device: str = "auto",
) -> ParticleTable:
    """Picks of a (z, y, x) array of ``voxel_size`` Angstrom in memory, whose particles look as ``contrast`` says, best first."""
    volume = volume_from_array("array", array, voxel_size, contrast=contrast)
    return pick_volume(volume, model, parameters or PickDeepetParameters(), choose_device(device)).table


def pick_volume(volume: StudentVolume, model: PickerModel, parameters: PickDeepetParameters, device: torch.device) -> Picks:
    """Picks of one tomogram. Its probabilities pass through a file that vanishes; memory holds tiles only."""
    scaled, warning = at_model_scale(volume, model.voxel_size)
    voxel_size = scaled.header.voxel_size
    probabilities = temporary_volume((len(model.numbers), *scaled.data.shape), np.uint8)
    write_probabilities(scaled, model, probabilities, parameters, device)
    diameters = [diameter / voxel_size for diameter in model.diameters]
    cut = parameters.cut if parameters.peaks == "published" else None
    passes = pooling_passes(max(diameters))
    smallest = smallest_heights(model, passes, parameters)
    peaks = find_peaks(probabilities, passes, float(smallest.min()), cut)
    peaks = peaks.of(peaks.score > smallest[peaks.class_id - 1])
    factor = voxel_size / volume.header.voxel_size
    peaks = peaks.of(volume.valid_at((peaks.zyx + 0.5) * factor - 0.5))
    peaks = suppress(peaks, parameters.distance / voxel_size or published_distance(diameters))
    if parameters.ranking == "combined":
        peaks = ranked(peaks, contrast_at(scaled, peaks.zyx, np.array(diameters)[peaks.class_id - 1]))
    peaks = peaks.first(parameters.count or None)
    place = peaks.class_id - 1
    table = ParticleTable.from_points(
        peaks.zyx, voxel_size=voxel_size, tilt_series_id=volume.name, class_id=np.array(model.numbers)[place], score=peaks.score,
        diameters=np.array(model.diameters)[place], class_names=dict(zip(model.numbers, model.names)))
    return Picks(table.at_voxel_size(volume.header.voxel_size), [*volume.warnings, *([warning] if warning else [])])


def smallest_heights(model: PickerModel, passes: int, parameters: PickDeepetParameters) -> np.ndarray:
    """The smallest height of a peak of each class: the one given, else half of what its label reaches when it stands alone."""
    given = parameters.height_threshold
    return np.array([given or LONELY_SHARE * isolated_height(model.label, size, passes) for size in model.labels_px])


def write_probabilities(
    volume: StudentVolume, model: PickerModel, target: Any, parameters: PickDeepetParameters, device: torch.device,
) -> None:
    """Fill ``target`` (classes, z, y, x) of uint8 with 255 times the probability of each class.

    Overlap-tile (DeepETPicker 2.5): tiles reach over the faces into zeros, the mean, and each voxel comes from the tile in whose
    inside it lies; the published padding of 12 voxels in tiles of 72 is ``padding_px`` and ``tile_px``.
    """
    tile, padding = parameters.tile_px, parameters.padding_px
    if 2 * padding >= tile:
        raise ParameterError(f"padding of {padding} voxels in tiles of {tile}", f"less than {tile // 2}",
                             "use a smaller padding or a larger tile")
    logits = network_function(model.network.to(device), device)
    mean = averaged_over_mirrors(lambda tiles: _probabilities(logits(tiles), model.outputs), VIEWS[int(parameters.views)])
    tiling = tiling_of(parameters)
    apply_tiled(lambda tiles: mean(tiles) * np.float32(255), Standardised(volume), target, tiling.edges, tiling.overlaps,
                parameters.batch, border="zero", tile_multiple=DIVISOR, align=tiling.align, description=f"pick {volume.name}")


def tiling_of(parameters: PickDeepetParameters) -> Tiling:
    """Tiles of any volume: of the given side, because the network is told where in its tile a voxel lies.

    Where the rim is a multiple of what the network shrinks by, so are their starts; with another rim, as the published one of 12 voxels,
    they are spread evenly.
    """
    tile, padding = parameters.tile_px, parameters.padding_px
    align = 1 if padding % DIVISOR else DIVISOR
    return Tiling((tile,) * 3, (2 * padding,) * 3, (align,) * 3)


def _probabilities(logits: np.ndarray, outputs: int) -> np.ndarray:
    probabilities = torch.from_numpy(logits)
    return (probabilities.sigmoid() if outputs == 1 else probabilities.softmax(dim=1)[:, 1:]).numpy()


def run(job: Job) -> MethodOutcome:
    """Pick the job's tomograms (role ``tomogram``) with one model (role ``model``) into ``<name>_particles.star``."""
    parameters = parameters_from(PickDeepetParameters, job.parameters)
    tomograms = named_inputs(job, "tomogram")
    picker, folder = _open_picker(job.input_of("model").path, parameters, choose_device(job.device)), Path(job.output_folder)
    outcome, diameters = MethodOutcome(metrics={"particles": 0}), []
    files = (("particles", "star"), ("coords", "coords"))[:1 + parameters.coords]
    for item, (_, suffix) in itertools.product(tomograms, files):
        check_permit(folder / _list_name(item, suffix))
    for item in tomograms:
        volume = open_student_volume(item)
        table, warnings = picker(volume)
        table = off_the_faces(table, volume.header.shape, parameters.border)
        for kind, suffix in files:
            name = _list_name(item, suffix)
            write_particles(table, folder / name)
            outcome.outputs.append(Output(kind=kind, path=name, voxel_size=table.voxel_size, tilt_series_id=item.tilt_series_id))
        outcome.metrics["particles"] += len(table)
        outcome.metrics[volume.name] = {"particles": len(table), "best_score": float(table.score.max(initial=0.0)),
                                        "invalid_fraction": volume.invalid_share,
                                        **{name: int((table.class_id == number).sum()) for number, name in table.class_names.items()}}
        diameters += table.diameters.tolist()
        region = sample_of(volume)
        outcome.warnings += [*warnings, *too_thin(volume, region, usual_diameter(table.diameters.tolist())),
                             *in_ice(volume, region, table.zyx)]
        if len(table) == 0:
            outcome.warnings.append(f"{volume.name}: no pick, nothing was found: check contrast and voxel size, lower the smallest score, "
                                    "or train longer")
    outcome.metrics["particle_diameter"] = usual_diameter(diameters)
    return outcome


def _list_name(tomogram: InputFile, suffix: str) -> str:
    return f"{file_stem(name_of(tomogram))}_particles.{suffix}"


def _open_picker(folder: str, parameters: PickDeepetParameters, device: torch.device) -> Callable[[StudentVolume], Picks]:
    """What picks a tomogram with the model in ``folder``, of either kind of network."""
    if read_card(model_folder(folder)).network == CENTRES:
        centres = load_centres(folder)
        return lambda volume: Picks(centre_picks(volume, centres, parameters, device),
                                    [*volume.warnings, *too_coarse(volume, centres.coarsest)])
    model = load_picker(folder)
    return lambda volume: pick_volume(volume, model, parameters, device)


def usual_diameter(diameters: Sequence[float]) -> float:
    """The size at which picks are drawn, in Angstrom: the only one, the largest of a few classes, the middle of estimates; 0 of none."""
    different = np.unique(diameters)
    return float(np.median(diameters) if len(different) > FEW_DIAMETERS else different.max(initial=0.0))


def off_the_faces(table: ParticleTable, shape: Sequence[int], border: float) -> ParticleTable:
    """Particles whose centres lie at least ``border`` Angstrom inside the faces of a tomogram of ``shape`` (z, y, x)."""
    return table.select(within_faces(table.zyx, shape, border / table.voxel_size)) if border else table
