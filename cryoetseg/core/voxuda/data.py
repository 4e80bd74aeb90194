"""Subtomograms with or without masks, read from files, brought to one voxel size and box, standardised one by one."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..particles.star import read_blocks
from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job
from ..runtime.progress import track
from ..volumes.cleaned import cleaned
from ..volumes.header import VolumeHeader
from ..volumes.io import FORMATS, open_labels, read_header, read_volume
from ..volumes.names import volume_suffix
from ..volumes.normalisation import standardise
from ..volumes.resampling import resample
from .params import fitted_voxel_size

MASK_SUFFIX = "_mask"
SAME_VOXEL_SIZE = 0.01  # relative difference up to which voxel sizes count as one
FEW = 8
IMAGE_COLUMN, CLASS_COLUMNS = "rlnImageName", ("rlnParticleName", "rlnClassNumber")


@dataclass(frozen=True)
class Subtomograms:
    """``volumes`` (n, z, y, x) float32, particles bright, each of mean 0 and variance 1; ``masks`` (n, z, y, x) bool or None.

    ``names`` are the files' stems, ``classes`` what each is ("" where unknown).
    """

    volumes: np.ndarray
    masks: np.ndarray | None
    names: list[str]
    classes: list[str]
    voxel_size: float

    def __len__(self) -> int:
        return len(self.volumes)

    def select(self, places: Sequence[int]) -> Subtomograms:
        """The subtomograms at ``places``, in that order."""
        masks = None if self.masks is None else self.masks[list(places)]
        return replace(self, volumes=self.volumes[list(places)], masks=masks, names=[self.names[place] for place in places],
                       classes=[self.classes[place] for place in places])


@dataclass(frozen=True)
class Entry:
    """One subtomogram on disk."""

    path: Path
    mask: Path | None
    contrast: str
    voxel_size: float | None
    class_name: str = ""


def read_subtomograms(job: Job, role: str, size: int, voxel_size: float, mask_threshold: float = 0.5) -> Subtomograms:
    """The job's inputs of ``role`` (files, folders, particle lists), with masks from ``<role>_mask`` or from files ``*_mask`` beside them.

    They are resampled to ``voxel_size`` Angstrom (0: the one at which their whole box fills ``size`` voxels, as published), then cut or
    filled with their mean to ``size`` voxels. Raises :class:`InputError` for no files, mixed sizes or voxel sizes, unknown voxel sizes,
    and masks for a part of the subtomograms only.
    """
    entries = find_entries(job.inputs_of(role), job.inputs_of(f"{role}_mask"), role)
    own = check_alike(entries, role)
    target = voxel_size or whole_box_voxel_size(entries, role, size)
    volumes = np.empty((len(entries), size, size, size), dtype=np.float32)
    masks = None if entries[0].mask is None else np.zeros(volumes.shape, dtype=bool)
    for number, entry in enumerate(track(entries, f"reading {role}")):
        array, _ = read_volume(entry.path, entry.voxel_size)
        volumes[number] = standardise(boxed(resample(as_read(array, entry.contrast), own, target), size))
        if masks is not None and entry.mask is not None:
            # grey values first, threshold last: a resampled threshold has steps (spec B1)
            grey = read_mask(entry.mask, array.shape)
            masks[number] = boxed(resample(grey, own, target), size, fill=0.0) > mask_threshold
    return Subtomograms(volumes, masks, [entry.path.stem for entry in entries], [entry.class_name for entry in entries], target)


def whole_box_voxel_size(entries: Sequence[Entry], role: str, size: int) -> float:
    """Voxel size in Angstrom at which the boxes of ``entries`` fill ``size`` voxels."""
    box = max(read_header(entries[0].path, entries[0].voxel_size).shape)
    return fitted_voxel_size(check_alike(entries, role), box, size)


def cut_warnings(job: Job, role: str, size: int, voxel_size: float) -> list[str]:
    """What is told where boxes of a role are cut or filled at the common voxel size (Angstrom)."""
    entries = find_entries(job.inputs_of(role), job.inputs_of(f"{role}_mask"), role)
    extent, own = size * voxel_size, whole_box_voxel_size(entries, role, size) * size
    if abs(own - extent) <= max(voxel_size, SAME_VOXEL_SIZE * extent):
        return []
    done = "only their middles are seen" if own > extent else "the rest is filled with their means"
    return [f"the boxes of the {role} are {own:.0f} A wide, the network's {extent:.0f} A: {done}"]


def as_read(array: np.ndarray, contrast: str) -> np.ndarray:
    """A subtomogram (z, y, x) as every method reads volumes: bright particles, outliers clipped, what shows no sample at the mean."""
    return np.asarray(cleaned(array, contrast))


def find_entries(inputs: Sequence[InputFile], mask_inputs: Sequence[InputFile], role: str) -> list[Entry]:
    """All subtomograms named by ``inputs``; raises :class:`InputError` when there are none or only some have masks."""
    entries = [entry for item in inputs for entry in _entries_of(item)]
    if not entries:
        raise InputError(f"the {role} holds no subtomograms", "at least two volume files",
                         "name files, a folder of them or a particle list")
    given = [entry.path for item in mask_inputs for entry in _entries_of(item, masks=True)]
    if given:
        entries = _with_given_masks(entries, given, role)
    lacking = [entry.path.name for entry in entries if entry.mask is None]
    if 0 < len(lacking) < len(entries):
        raise InputError(f"{len(lacking)} of {len(entries)} subtomograms of the {role} have no mask, for example {lacking[0]}",
                         "a mask for each or for none", f"put NAME{MASK_SUFFIX}.mrc beside NAME.mrc, or leave the others out")
    return entries


def _entries_of(item: InputFile, masks: bool = False) -> list[Entry]:
    path = Path(item.path)
    if path.suffix.lower() == ".star":
        files, classes = _listed(path)
    elif path.is_dir() and path.suffix.lower() != ".zarr":
        files = [file for file in sorted(path.iterdir()) if volume_suffix(file) in FORMATS]
        files = [file for file in files if masks or not file.stem.endswith(MASK_SUFFIX)]
        classes = [""] * len(files)
    else:
        files, classes = [path], [""]
    return [Entry(file, _mask_beside(file), item.contrast, item.voxel_size, name) for file, name in zip(files, classes)]


def _mask_beside(file: Path) -> Path | None:
    beside = file.with_name(f"{file.stem}{MASK_SUFFIX}{file.suffix}")
    return beside if beside.exists() else None


def _listed(path: Path) -> tuple[list[Path], list[str]]:
    """Files and classes of a STAR list of subtomograms (rlnImageName, relative to the list or to the folder the program runs in)."""
    table = next((block for block in read_blocks(path).values() if IMAGE_COLUMN in block.columns), None)
    if table is None:
        raise InputError(f"{path} names no subtomograms", f"a STAR file with {IMAGE_COLUMN}", "name the folder of the subtomograms instead")
    column = next((name for name in CLASS_COLUMNS if name in table.columns), None)
    files = [_found(path, str(name)) for name in table[IMAGE_COLUMN]]
    return files, [str(value) for value in table[column]] if column else [""] * len(files)


def _found(listing: Path, name: str) -> Path:
    if "@" in name:
        raise InputError(f"{listing}: '{name}' lies in a stack", "one volume file for each subtomogram",
                         "extract the particles as single 3D subtomograms")
    beside = listing.parent / name
    return beside if beside.exists() else Path(name)


def _with_given_masks(entries: Sequence[Entry], masks: Sequence[Path], role: str) -> list[Entry]:
    """Masks matched by name; by order when no name fits and there are as many."""
    by_name = {path.stem.removesuffix(MASK_SUFFIX): path for path in masks}
    if len(masks) == len(entries) and not any(entry.path.stem in by_name for entry in entries):
        return [replace(entry, mask=mask) for entry, mask in zip(entries, masks)]
    if not any(entry.path.stem in by_name for entry in entries):
        raise InputError(f"{len(masks)} masks for {len(entries)} subtomograms of the {role}, and no name fits",
                         "one mask each", f"name the masks NAME{MASK_SUFFIX}")
    return [replace(entry, mask=by_name.get(entry.path.stem)) for entry in entries]


def check_alike(entries: Iterable[Entry], role: str) -> float:
    """The voxel size that all share; raises :class:`InputError` for mixed sizes or voxel sizes or an unknown one."""
    first: tuple[Path, VolumeHeader] | None = None
    for entry in entries:
        header = read_header(entry.path, entry.voxel_size)
        if not header.voxel_size_is_known:
            raise InputError(f"{entry.path}: the voxel size is unknown", "a voxel size in Angstrom", "give the voxel size")
        if first is None:
            first = entry.path, header
        if header.shape != first[1].shape:
            raise InputError(f"subtomograms of the {role} differ in size: {first[0].name} {first[1].shape}, {entry.path.name} "
                             f"{header.shape} (z, y, x)", "one size", "extract them again with one box, or leave some out")
        if abs(header.voxel_size / first[1].voxel_size - 1) > SAME_VOXEL_SIZE:
            raise InputError(f"subtomograms of the {role} differ in voxel size: {first[0].name} {first[1].voxel_size:g} A, "
                             f"{entry.path.name} {header.voxel_size:g} A", "one voxel size", "leave some out, or correct their headers")
    if first is None:
        raise InputError(f"the {role} holds no subtomograms", "at least two")
    return float(first[1].voxel_size)


def read_mask(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The grey mask of a subtomogram, float32; raises :class:`InputError` unless it has its ``shape``."""
    mask = np.asarray(open_labels(path).data, dtype=np.float32)
    if mask.shape != shape:
        raise InputError(f"the mask {path} has the shape {mask.shape}, its subtomogram {shape} (z, y, x)", "equal shapes")
    return mask


def boxed(volume: np.ndarray, size: int, fill: float | None = None) -> np.ndarray:
    """``volume`` cut or filled (with its mean, or ``fill``) to a cube about its middle."""
    result = np.full((size,) * 3, volume.mean() if fill is None else fill, dtype=np.float32)
    source, target = [], []
    for length in volume.shape:
        kept = min(length, size)
        source.append(slice((length - kept) // 2, (length - kept) // 2 + kept))
        target.append(slice((size - kept) // 2, (size - kept) // 2 + kept))
    result[tuple(target)] = volume[tuple(source)]
    return result


def read_domains(job: Job, size: int, voxel_size: float, mask_threshold: float) -> tuple[Subtomograms, Subtomograms]:
    """Source and target of a job at one voxel size (0: the target's). Raises :class:`InputError` for a source without masks or with
    empty masks, and for fewer than two subtomograms on a side."""
    target = read_subtomograms(job, "target", size, voxel_size, mask_threshold)
    source = read_subtomograms(job, "source", size, target.voxel_size, mask_threshold)
    if source.masks is None:
        raise InputError("the source has no masks", "a mask for each source subtomogram",
                         f"put NAME{MASK_SUFFIX}.mrc beside NAME.mrc, or simulate the source")
    if not source.masks.any():
        raise InputError("all masks of the source are empty", "masks with foreground", "lower the mask threshold")
    for role, subtomograms in (("source", source), ("target", target)):
        if len(subtomograms) < 2:
            raise InputError(f"the {role} has one subtomogram", f"two or more, better {FEW} and more", "add subtomograms")
    return source, target
