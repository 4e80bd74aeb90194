"""Using a trained model: masks of subtomograms, and of whole tomograms by sliding windows."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from ..inference.mirrors import Axes, averaged_over_mirrors
from ..inference.network import network_function
from ..inference.tiled import TileFunction, apply_tiled
from ..models.card import ModelCard, length, load_model, reading_card
from ..runtime.device import choose_device
from ..runtime.errors import JobError, WeightsError
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import distinct, file_stem, name_of
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.cleaned import checked_header, open_cleaned, told
from ..volumes.contrast import particles_bright
from ..volumes.io import create_volume, read_volume, write_volume
from ..volumes.normalisation import standardise
from ..volumes.resampling import resample, resample_into, resample_to_shape, resampled_shape
from ..volumes.streaming import temporary_volume
from .data import Entry, as_read, boxed, check_alike, find_entries, read_mask
from .evaluate import sample_scores, summarised
from .network import DIVISOR, NETWORK, VoxResNet
from .params import SegmentSubtomogramsParameters

LARGEST_SIDE = 128  # voxels, of TrainVoxUdaParameters
WINDOWS_AT_ONCE = 8
ALIKE = 0.05  # relative difference of voxel sizes up to which the network is applied as it is
AS_IT_IS: Sequence[Axes] = ((),)
SAME_WEDGE: Sequence[Axes] = ((), (-2,), (-3, -1), (-3, -2, -1))  # as training shows them: mirrored along y, turned about it, both


class VoxUdaModel:
    """A trained network with its card, on a device; it answers with the mean logit over ``pictures`` of each window."""

    def __init__(self, folder: str | Path, device: str = "auto", pictures: Sequence[Axes] = AS_IT_IS) -> None:
        self.network, self.card = load_model(folder, _build)
        self.device = choose_device(device)
        self.network.to(self.device)
        with reading_card(folder):
            self.size = int(length(self.card.network_parameters["size"], "the side of a subtomogram", 7, LARGEST_SIDE))
            if self.size % DIVISOR:
                raise ValueError(f"the side of a subtomogram is {self.size}")
        self._mean_logits = averaged_over_mirrors(network_function(self.network, self.device), pictures)

    def probabilities(self, windows: np.ndarray) -> np.ndarray:
        """Windows (n, z, y, x) with bright particles, each standardised here as in training, to (n, z, y, x) in [0, 1]."""
        standard = np.stack([standardise(window) for window in windows])
        return expit(self._mean_logits(standard)[:, 0])

    def tile_function(self, contrast: str) -> TileFunction:
        """:meth:`probabilities` for windows whose particles look as ``contrast`` says."""
        return lambda windows: self.probabilities(particles_bright(windows, contrast))


def _build(card: ModelCard) -> VoxResNet:
    if card.network != NETWORK:
        raise WeightsError(f"the model is a '{card.network}' of {card.method}", f"a '{NETWORK}' of train-voxuda", "choose another model")
    return VoxResNet(card.network_parameters["width"])


def run(job: Job) -> MethodOutcome:
    """Segment the inputs ``subtomogram`` (files, folders, lists) and ``tomogram`` with the model folder under the role ``model``.

    Where subtomograms have masks (role ``subtomogram_mask`` or ``*_mask`` beside them), they are scored.
    """
    p = parameters_from(SegmentSubtomogramsParameters, job.parameters)
    subtomograms, tomograms = job.inputs_of("subtomogram"), distinct(job.inputs_of("tomogram"))
    if not subtomograms + tomograms:
        raise JobError(f"{len(subtomograms)} subtomograms and {len(tomograms)} tomograms", "at least one subtomogram or tomogram")
    model = VoxUdaModel(job.input_of("model").path, job.device, SAME_WEDGE if p.mirrored else AS_IT_IS)
    folder = Path(job.output_folder)
    outcome = MethodOutcome()
    if subtomograms:
        _segment_subtomograms(find_entries(subtomograms, job.inputs_of("subtomogram_mask"), "input"), model, p, folder, outcome)
    written = {output.path for output in outcome.outputs}
    for item in tomograms:
        if f"{file_stem(name_of(item))}_mask.mrc" in written:
            raise JobError(f"tomogram {name_of(item)} is called like a subtomogram", "names that differ", "run it alone")
        _segment_tomogram(item, model, p, folder, outcome)
    return outcome


def _segment_subtomograms(
    entries: list[Entry], model: VoxUdaModel, p: SegmentSubtomogramsParameters, folder: Path, outcome: MethodOutcome,
) -> None:
    voxel_size = check_alike(entries, "input")
    scores, shares, names = [], [], output_names(entries)
    for start in track(range(0, len(entries), p.batch_size), "subtomograms"):
        group = entries[start:start + p.batch_size]
        volumes = [as_read(read_volume(entry.path, entry.voxel_size)[0], entry.contrast) for entry in group]
        for name, entry, probability in zip(names[start:], group, segment_subtomograms(volumes, voxel_size, model)):
            mask = probability > p.threshold
            shares.append(float(mask.mean()))
            outcome.outputs += _write(folder, name, mask, probability, voxel_size, p.probabilities)
            if entry.mask is not None:
                truth = read_mask(entry.mask, mask.shape) > 0
                scores.append([float(value[0]) for value in sample_scores(mask[None], truth[None])])
    outcome.metrics["subtomograms"] = {"count": len(entries), "foreground_share": float(np.mean(shares))}
    outcome.warnings += [f"no foreground in {shares.count(0.0)} of {len(shares)} subtomograms"] if 0.0 in shares else []
    if scores:
        iou, dice = np.array(scores).T
        outcome.metrics["scores"] = summarised(iou, dice, [entry.class_name for entry in entries])


def segment_subtomograms(volumes: list[np.ndarray], voxel_size: float, model: VoxUdaModel) -> list[np.ndarray]:
    """Probabilities (z, y, x) of bright subtomograms of one size, each in its own grid.

    They are brought to the model's voxel size and box and back; windows slide over boxes that are larger.
    """
    target = model.card.voxel_size
    coarse = [resample(volume, voxel_size, target) for volume in volumes]
    if max(coarse[0].shape) > model.size:
        back = [_slid(volume, model) for volume in coarse]
    else:
        found = model.probabilities(np.stack([boxed(volume, model.size) for volume in coarse]))
        back = [_unboxed(probability, volume.shape) for probability, volume in zip(found, coarse)]
    return [np.clip(resample_to_shape(one, target, voxel_size, volume.shape), 0, 1) for one, volume in zip(back, volumes)]


def _slid(volume: np.ndarray, model: VoxUdaModel) -> np.ndarray:
    """Probabilities of a bright volume (z, y, x) at the model's voxel size that is larger than its box."""
    found = np.empty(volume.shape, np.float32)
    apply_tiled(model.tile_function("bright"), volume, found, model.size, model.size // 2, WINDOWS_AT_ONCE, "gaussian")
    return found


def _unboxed(cube: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The middle of a cube in a box of ``shape``, zeros around it: the inverse of ``boxed``."""
    large = boxed(cube, max(*shape, *cube.shape), fill=0.0)
    starts = [(large.shape[axis] - side) // 2 for axis, side in enumerate(shape)]
    return large[tuple(slice(start, start + side) for start, side in zip(starts, shape))]


def output_names(entries: list[Entry]) -> list[str]:
    """The files' stems; with a number in front where files of different folders share one."""
    stems = [entry.path.stem for entry in entries]
    return stems if len(set(stems)) == len(stems) else [f"{number:06d}_{stem}" for number, stem in enumerate(stems, start=1)]


def _write(folder: Path, stem: str, mask: np.ndarray, probability: np.ndarray, voxel_size: float, both: bool) -> list[Output]:
    written = [("mask", f"{stem}_mask.mrc", mask.astype(np.int8))]
    if both:
        written.append(("probability", f"{stem}_probability.mrc", probability.astype(np.float16)))
    for _, name, array in written:
        write_volume(folder / name, array, voxel_size)
    return [Output(kind=kind, path=name, voxel_size=voxel_size, tilt_series_id=stem) for kind, name, _ in written]


def _segment_tomogram(item: InputFile, model: VoxUdaModel, p: SegmentSubtomogramsParameters, folder: Path, outcome: MethodOutcome) -> None:
    checked_header(item)
    view, header = open_cleaned(item.path, item.contrast, item.voxel_size)
    name = name_of(item)
    stem = file_stem(name)
    files = {"mask": f"{stem}_mask.mrc", "probability": f"{stem}_probability.mrc"}
    with create_volume(folder / files["probability"], header.shape, np.float16, header.voxel_size, header.origin) as probability:
        box = view.sample_box()
        probability_map(view.part(box), header.voxel_size, model, probability[box], p, "bright")
        view.blank(probability)
        with create_volume(folder / files["mask"], header.shape, np.int8, header.voxel_size, header.origin) as mask:
            found = 0
            for plane in range(header.shape[0]):
                mask[plane] = np.asarray(probability[plane]) > p.threshold
                found += int(np.count_nonzero(mask[plane]))
    if not p.probabilities:
        (folder / files.pop("probability")).unlink()
    outcome.outputs += [Output(kind=kind, path=file, voxel_size=header.voxel_size, tilt_series_id=name) for kind, file in files.items()]
    outcome.metrics[name] = {"foreground_share": found / float(np.prod(header.shape, dtype=np.int64)),
                             "invalid_fraction": view.grey.invalid_share}
    outcome.warnings += told(name, view.grey)


def probability_map(
    source: Any, voxel_size: float, model: VoxUdaModel, target: Any, p: SegmentSubtomogramsParameters, contrast: str,
) -> None:
    """Write the probability of each voxel of ``source`` (z, y, x, memory-mapped) into ``target``.

    Windows of the size of training slide over the tomogram at the model's voxel size and are blended with Gaussian weights (spec B6).
    """
    overlap = int(p.overlap * model.size)

    def slide(here: Any, there: Any) -> None:
        apply_tiled(model.tile_function(contrast), here, there, model.size, overlap, p.batch_size, "gaussian",
                    description="windows")

    coarse_size = model.card.voxel_size
    if abs(voxel_size / coarse_size - 1) <= ALIKE:
        slide(source, target)
        return
    shape = resampled_shape(tuple(source.shape), voxel_size, coarse_size)
    coarse, found = temporary_volume(shape, np.float32), temporary_volume(shape, np.float32)
    resample_into(source, voxel_size, coarse_size, coarse)
    slide(coarse, found)
    resample_into(found, coarse_size, voxel_size, target)
