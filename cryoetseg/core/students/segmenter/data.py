"""Training patches of the segmenter: every class equally often, moved and turned at random."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ...runtime.errors import InputError
from ...runtime.progress import track
from ...volumes.streaming import z_slabs
from ..volumes import StudentVolume

MOST_PLACES = 20000  # of one class in one tomogram
BACKGROUND, LARGEST_CLASS = 0, 127
Augmentation = Literal["none", "tilt_axis", "three_axes"]
Zyx = tuple[int, int, int]
HALF_TURNS: dict[str, Zyx] = {"z": (1, -1, -1), "y": (-1, 1, -1), "x": (-1, -1, 1)}  # sign of each axis (z, y, x)


@dataclass(frozen=True)
class Places:
    """Voxels on which patches of one class are centred: ``volume`` (n,) index of the tomogram, ``zyx`` (n, 3)."""

    volume: np.ndarray
    zyx: np.ndarray

    def __len__(self) -> int:
        return len(self.volume)


@dataclass(frozen=True)
class PatchChoice:
    """Which patch, and how it is turned (sign of each axis): drawn first, then cut."""

    volume: int
    start: Zyx
    turn: Zyx


def find_places(volumes: Sequence[StudentVolume], generator: np.random.Generator) -> dict[int, Places]:
    """Places of every class in the labels, background under 0; of classes with many voxels a random choice. Streams."""
    found: dict[int, list[tuple[int, np.ndarray]]] = {}
    for number, volume in enumerate(track(volumes, "reading labels")):
        for value, zyx in _places_of(volume.labels, generator).items():
            found.setdefault(value, []).append((number, zyx))
    return {value: Places(np.concatenate([np.full(len(zyx), number) for number, zyx in parts]), np.concatenate([zyx for _, zyx in parts]))
            for value, parts in sorted(found.items())}


def _places_of(labels: object, generator: np.random.Generator) -> dict[int, np.ndarray]:
    """Per class up to MOST_PLACES voxels (n, 3) of one label volume, each voxel as likely as any other."""
    shape = labels.shape  # type: ignore[attr-defined]
    keys: dict[int, np.ndarray] = {}
    voxels: dict[int, np.ndarray] = {}
    for window in z_slabs(shape):
        slab = np.asarray(labels[window])  # type: ignore[index]
        for value in np.unique(slab).tolist():
            flat = np.flatnonzero(slab == value)
            chance = generator.random(len(flat), dtype=np.float32)
            # the smallest random keys of all slabs: a fair choice without knowing the number of voxels beforehand
            keys[value] = np.concatenate([keys.get(value, np.zeros(0, np.float32)), chance])
            voxels[value] = np.concatenate([voxels.get(value, np.zeros(0, np.int64)), flat + window.start * shape[1] * shape[2]])
            if len(keys[value]) > MOST_PLACES:
                kept = np.argpartition(keys[value], MOST_PLACES)[:MOST_PLACES]
                keys[value], voxels[value] = keys[value][kept], voxels[value][kept]
    return {int(value): np.stack(np.unravel_index(np.sort(flat), shape), axis=1) for value, flat in voxels.items()}


def check_classes(places: Mapping[int, Places], names: Sequence[str]) -> tuple[int, list[str]]:
    """Number of classes without background, and warnings.

    With ``names`` each of them must occur in the labels and no other may: else :class:`InputError` names those that do not. Without
    names the largest label counts, and a number that is skipped is a warning.
    """
    present = [value for value in places if value > BACKGROUND]
    if any(value < 0 for value in places):
        raise InputError(f"the labels hold the number {min(places)}", "0 for background and 1, 2, ... for the classes")
    if max(places) > LARGEST_CLASS:
        raise InputError(f"the labels hold the number {max(places)}", f"classes from 1 to {LARGEST_CLASS}",
                         "number the classes anew; numbers of single objects are no classes")
    if not present:
        raise InputError("there is no label in the part of the tomograms that is trained on", "voxels of at least one class",
                         "give other labels, or set held_out to 0 when all of them lie in the held-out block")
    missing = [value for value in range(1, max(len(names), *present) + 1) if value not in places]
    if names and max(present) > len(names):
        raise InputError(f"the labels hold class {max(present)}, but {len(names)} classes have names", "a name for each class")
    if missing and names:
        listed = ", ".join(f"{value} ({names[value - 1]})" for value in missing)
        raise InputError(f"no voxel of the part that is trained on has class {listed}", "labels of every class that has a name",
                         "add a tomogram that has it, drop the name, or set held_out to 0 when it lies in the held-out block only")
    warning = f"no voxel of the part that is trained on has class {', '.join(map(str, missing))}: the network cannot learn it"
    return max(len(names), *present), [warning] if missing else []


def class_schedule(places: Mapping[int, Places], count: int, background_share: float) -> np.ndarray:
    """The class on which each of ``count`` patches is centred: classes equally often (numbers differ by at most one)."""
    classes = np.array([value for value in places if value > BACKGROUND])
    background = round(count * background_share) if BACKGROUND in places else 0
    return np.concatenate([np.full(background, BACKGROUND), classes[np.arange(count - background) % len(classes)]])


def draw_patch(places: Places, patch: int, jitter: int, turns: Sequence[Zyx], generator: np.random.Generator) -> PatchChoice:
    """Draw a patch of ``patch`` voxels a side around one of the places, moved by up to ``jitter`` voxels, and its turn."""
    row = int(generator.integers(len(places)))
    shift = generator.integers(-jitter, jitter + 1, 3)
    turn = turns[int(generator.integers(len(turns)))]
    z, y, x = (int(value) for value in places.zyx[row] - patch // 2 + shift)
    return PatchChoice(int(places.volume[row]), (z, y, x), turn)


def half_turns(augmentation: Augmentation, tilt_axis: Literal["y", "x"]) -> list[Zyx]:
    """The turns to draw from. A half turn about the tilt axis maps every missing wedge onto itself (DUAL C11); those about the other
    two axes mirror the tilt range, which changes nothing when it is symmetric about 0.
    """
    axes = {"none": "", "tilt_axis": tilt_axis, "three_axes": "zyx"}[augmentation]
    return [(1, 1, 1), *(HALF_TURNS[axis] for axis in axes)]


def cut_patch(volumes: Sequence[StudentVolume], choice: PatchChoice, patch: int, standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """Voxels float32 and class numbers int64, each (1, patch, patch, patch); outside the volume zeros and background.

    ``standardise`` gives each patch mean 0 and deviation 1 of its own.
    """
    volume = volumes[choice.volume]
    voxels = volume.crop(choice.start, (patch,) * 3)
    labels = volume.crop_labels(choice.start, (patch,) * 3).astype(np.int64)
    if standardise:
        voxels = (voxels - voxels.mean()) / max(float(voxels.std()), 1e-6)
    turn = tuple(slice(None, None, sign) for sign in choice.turn)
    return np.ascontiguousarray(voxels[turn])[None], np.ascontiguousarray(labels[turn])[None]


def split_block(volume: StudentVolume, share: float) -> tuple[StudentVolume, StudentVolume]:
    """The part to train on and the contiguous block at the end of the longer side in the plane that is held out."""
    axis = 1 if volume.data.shape[1] >= volume.data.shape[2] else 2
    cut = volume.data.shape[axis] - max(1, round(share * volume.data.shape[axis]))
    return _part(volume, axis, slice(0, cut)), _part(volume, axis, slice(cut, None))


def _part(volume: StudentVolume, axis: int, window: slice) -> StudentVolume:
    where = (slice(None),) * axis + (window,)
    return replace(volume, data=volume.part(where), labels=volume.labels[where])
