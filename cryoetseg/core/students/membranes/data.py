"""Where the membrane student's crops come from: labelled slices, the block held out, what each voxel should be and how sure that is."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from ...runtime.errors import InputError, ParameterError
from ...volumes.streaming import release_pages
from ..volumes import StudentVolume, labelled_range
from .params import TrainMembranesParameters
from .view import Preparation, SliceView

FEWEST_SLICES = 8  # labelled slices below which nothing is held out
CENTRES = 100_000  # labelled voxels kept as centres of crops, from each tomogram
MEMBRANE_FROM = 0.5  # probability from which a student's answer becomes a membrane label


class Target(NamedTuple):
    """What a plane (y, x) should be, 0 or 1, and how much each pixel counts, 0 to 1."""

    labels: np.ndarray
    weights: np.ndarray


class Targets(Protocol):
    """Gives the target of a plane of one tomogram; outside the volume the weight is 0."""

    def plane(self, z: int, start_yx: Sequence[int], shape_yx: Sequence[int]) -> Target:
        """Target of the window of plane ``z``."""


@dataclass(frozen=True)
class LabelTargets:
    """Targets from a mask, with a band on both sides of its borders that does not count."""

    volume: StudentVolume
    first: int
    last: int
    membrane_class: int
    band_px: int

    def plane(self, z: int, start_yx: Sequence[int], shape_yx: Sequence[int]) -> Target:
        """As :class:`Targets`. Slices outside ``first`` to ``last`` are unknown and make no border."""
        band = self.band_px
        low, high = max(self.first, z - band), min(self.last, z + band + 1)
        labels = self.volume.crop_labels((low, start_yx[0] - band, start_yx[1] - band),
                                         (high - low, shape_yx[0] + 2 * band, shape_yx[1] + 2 * band))
        mask = labels == self.membrane_class if self.membrane_class else labels > 0
        inner = (slice(band, band + shape_yx[0]), slice(band, band + shape_yx[1]))
        plane = mask[z - low][inner]
        weights = _inside(self.volume.header.shape[1:], start_yx, shape_yx)
        if band:
            wide = ndimage.binary_dilation(mask, iterations=band)[z - low][inner]
            narrow = ndimage.binary_erosion(mask, iterations=band, border_value=1)[z - low][inner]
            weights &= ~(wide & ~narrow)
        return Target(plane.astype(np.float32), weights.astype(np.float32))


@dataclass(frozen=True)
class ProbabilityTargets:
    """Targets of self-training: a student's probability (z, y, x), of which only its confident voxels count."""

    probability: Any
    confidence: float

    def plane(self, z: int, start_yx: Sequence[int], shape_yx: Sequence[int]) -> Target:
        """As :class:`Targets`."""
        shape = self.probability.shape
        y, x = (slice(max(0, a), min(size, a + length)) for a, length, size in zip(start_yx, shape_yx, shape[1:]))
        p = np.zeros(tuple(shape_yx), dtype=np.float32)
        p[y.start - start_yx[0]:y.stop - start_yx[0], x.start - start_yx[1]:x.stop - start_yx[1]] = self.probability[z, y, x]
        sure = np.abs(2 * p - 1)
        weights = (sure > self.confidence) & _inside(shape[1:], start_yx, shape_yx)
        return Target((p >= MEMBRANE_FROM).astype(np.float32), weights.astype(np.float32))


def _inside(sizes: Sequence[int], start: Sequence[int], shape: Sequence[int]) -> np.ndarray:
    y, x = ((np.arange(length) + a >= 0) & (np.arange(length) + a < size) for size, a, length in zip(sizes, start, shape))
    return y[:, None] & x


@dataclass(frozen=True)
class LabelledTomogram:
    """A tomogram, its labelled slices and its targets. ``training`` and ``held_out`` are slice numbers; ``centres`` (n, 3) are
    labelled voxels in training slices; ``view`` is what the network sees of the tomogram."""

    volume: StudentVolume
    targets: Targets
    training: np.ndarray
    held_out: np.ndarray
    centres: np.ndarray
    view: SliceView

    def stack(self, z: int, start_yx: Sequence[int], shape_yx: Sequence[int], slices: int) -> np.ndarray:
        """Float32 (slices, y, x) around slice ``z`` as the network sees it; at the ends of the volume the last slice is repeated."""
        numbers = np.clip(np.arange(z - slices // 2, z + slices // 2 + 1), 0, self.view.shape[0] - 1)
        first, last = int(numbers[0]), int(numbers[-1])
        return self.view.crop((first, *start_yx), (last - first + 1, *shape_yx))[numbers - first]


def open_labelled(volumes: Sequence[StudentVolume], parameters: TrainMembranesParameters) -> list[LabelledTomogram]:
    """Choose the labelled slices and the block held out of each tomogram; raises when no slice is left."""
    if parameters.slices % 2 == 0:
        raise ParameterError(f"slices = {parameters.slices}", "an odd number, so that one slice is the middle")
    found = [_open(volume, parameters) for volume in volumes]
    if not any(len(tomogram.centres) for tomogram in found):
        wanted = f"label {parameters.membrane_class}" if parameters.membrane_class else "membrane"
        raise InputError(f"no voxel of {wanted} in the training slices of {', '.join(v.name for v in volumes)}",
                         "labelled membrane inside the training slices", "check z_start, z_end and membrane_class")
    return found


def _open(volume: StudentVolume, parameters: TrainMembranesParameters) -> LabelledTomogram:
    first, last = labelled_slices(volume, parameters)
    targets = LabelTargets(volume, first, last, parameters.membrane_class, parameters.ignore_band_px)
    counts = np.array([_membrane(volume, z, parameters.membrane_class).sum() for z in range(first, last)])
    held_out = first + held_out_block(counts, parameters.held_out)
    reach = parameters.slices // 2  # a training stack must not see a slice that is held out
    training = np.array([z for z in range(first, last) if not len(held_out) or z < held_out[0] - reach or z > held_out[-1] + reach])
    centres = _centres(volume, training, counts[training - first], parameters)
    view = SliceView.of(volume, Preparation(parameters.normalisation, parameters.smoothing_px))
    return LabelledTomogram(volume, targets, training, held_out, centres, view)


def labelled_slices(volume: StudentVolume, parameters: TrainMembranesParameters) -> tuple[int, int]:
    """First and last + 1 of the slices whose labels are known: those given, else from the first to the last one with a label."""
    depth = volume.header.shape[0]
    first, last = parameters.z_start, parameters.z_end
    if not last:
        found = labelled_range(volume.labels)
        if found is None:
            raise InputError(f"the labels of {volume.name} are empty", "labelled membrane in each tomogram", "leave this tomogram out")
        first, last = max(first, found[0]), found[1]
    if first >= last or last > depth:
        raise ParameterError(f"labelled slices {first}:{last} of {volume.name}", f"0 <= first < end <= {depth}")
    return first, last


def held_out_block(counts: np.ndarray, share: float) -> np.ndarray:
    """Indices of the neighbouring slices kept for validation: the block whose number of labels is nearest to the average.

    Random slices would have their neighbours in the training (spec 1.9), and the ends of a tomogram often hold nothing.
    """
    length = round(share * len(counts)) if len(counts) >= FEWEST_SLICES else 0
    if length == 0:
        return np.zeros(0, dtype=int)
    sums = np.convolve(counts, np.ones(length), "valid")
    return np.arange(length) + int(np.argmin(np.abs(sums - counts.mean() * length)))


def _membrane(volume: StudentVolume, z: int, membrane_class: int) -> np.ndarray:
    plane = np.asarray(volume.labels[z])
    release_pages(volume.labels)
    return plane == membrane_class if membrane_class else plane > 0


def _centres(volume: StudentVolume, training: np.ndarray, counts: np.ndarray, parameters: TrainMembranesParameters) -> np.ndarray:
    """Labelled voxels of the training slices, every so many of them."""
    every = max(1, math.ceil(counts.sum() / CENTRES))
    points = [np.zeros((0, 3), dtype=int)]
    for z in training[counts > 0]:
        yx = np.argwhere(_membrane(volume, z, parameters.membrane_class))[::every]
        points.append(np.column_stack([np.full(len(yx), z), yx]))
    return np.concatenate(points)
