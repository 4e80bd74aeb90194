"""Where the membrane student's crops come from: labelled slices, the block held out, what each voxel should be and how sure that is."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy import ndimage

from ...runtime.errors import InputError, ParameterError
from ...volumes.streaming import release_pages
from ..volumes import StudentVolume, labelled_range
from .params import TrainMembranesParameters
from .view import Preparation, SliceView

FEWEST_SLICES = 8  # labelled slices below which nothing is held out
FEWEST_PAINTED = 3  # the same of slices painted one by one, which cost their user more
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
    """Targets from a mask or from paint, with a band on both sides of the borders of membrane and background that does not count.

    ``known`` are the slices whose labels tell something.
    """

    volume: StudentVolume
    known: np.ndarray
    paint: Paint
    band_px: int

    def plane(self, z: int, start_yx: Sequence[int], shape_yx: Sequence[int]) -> Target:
        """As :class:`Targets`. What is unknown makes no border."""
        band = self.band_px
        low, high = max(0, z - band), min(self.volume.header.shape[0], z + band + 1)
        labels = self.volume.crop_labels((low, start_yx[0] - band, start_yx[1] - band),
                                         (high - low, shape_yx[0] + 2 * band, shape_yx[1] + 2 * band))
        known = np.isin(np.arange(low, high), self.known)[:, None, None]
        membrane, background = self.paint.membrane(labels) & known, self.paint.background(labels) & known
        inner = (slice(band, band + shape_yx[0]), slice(band, band + shape_yx[1]))
        weights = _inside(self.volume.header.shape[1:], start_yx, shape_yx) & (membrane | background)[z - low][inner]
        if band:
            near = [ndimage.binary_dilation(part, iterations=band)[z - low][inner] for part in (membrane, background)]
            weights &= ~(near[0] & near[1])
        return Target(membrane[z - low][inner].astype(np.float32), weights.astype(np.float32))


class Paint(NamedTuple):
    """What the numbers of a label volume mean: ``membrane_class`` (0: all above 0) and what the unpainted is, see the parameters."""

    membrane_class: int
    unpainted: str

    def membrane(self, labels: np.ndarray) -> np.ndarray:
        """Voxels painted as membrane, bool. Where background is painted too, it is the class 1 unless told otherwise."""
        number = self.membrane_class or (1 if self.unpainted == "unknown" else 0)
        return labels == number if number else labels > 0

    def background(self, labels: np.ndarray) -> np.ndarray:
        """Voxels known to be no membrane, bool; numbers below 0 are unknown."""
        return (labels > 0 if self.unpainted == "unknown" else labels >= 0) & ~self.membrane(labels)


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
    membrane voxels in training slices, ``elsewhere`` (n, 3) places for other crops, which lie anywhere where there are none; ``view``
    is what the network sees of the tomogram; ``empty`` is one that holds nothing."""

    volume: StudentVolume
    targets: Targets
    training: np.ndarray
    held_out: np.ndarray
    centres: np.ndarray
    view: SliceView
    elsewhere: np.ndarray
    empty: bool = False

    def stack(self, z: int, start_yx: Sequence[int], shape_yx: Sequence[int], slices: int) -> np.ndarray:
        """Float32 (slices, y, x) around slice ``z`` as the network sees it; at the ends of the volume the last slice is repeated."""
        return self.block(z - slices // 2, start_yx, shape_yx, slices)

    def block(self, first: int, start_yx: Sequence[int], shape_yx: Sequence[int], depth: int) -> np.ndarray:
        """Float32 (depth, y, x) from slice ``first`` on as the network sees it; beyond the ends of the volume the last one is repeated."""
        numbers = np.clip(np.arange(first, first + depth), 0, self.view.shape[0] - 1)
        low, high = int(numbers[0]), int(numbers[-1])
        return self.view.crop((low, *start_yx), (high - low + 1, *shape_yx))[numbers - low]


def open_labelled(volumes: Sequence[StudentVolume], parameters: TrainMembranesParameters) -> list[LabelledTomogram]:
    """Choose the labelled slices and the block held out of each tomogram; raises when no slice is left."""
    if parameters.slices % 2 == 0:
        raise ParameterError(f"slices = {parameters.slices}", "an odd number, so that one slice is the middle")
    found = [_open(volume, parameters) for volume in volumes]
    if not any(len(tomogram.centres) for tomogram in found):
        wanted = f"label {parameters.membrane_class}" if parameters.membrane_class else "membrane"
        raise InputError(f"no voxel of {wanted} in the training slices of {', '.join(v.name for v in volumes)}",
                         "labelled membrane inside the training slices", "check z_start, z_end and membrane_class")
    if parameters.unpainted == "unknown" and not any(tomogram.empty or len(tomogram.elsewhere) for tomogram in found):
        raise InputError(f"nothing is painted as background in {', '.join(v.name for v in volumes)}", "membrane as 1 and background as 2",
                         "paint some background with another number, or say that painted slices are painted to the end")
    return _thinned_empty(found, parameters.empty_share)


def _thinned_empty(tomograms: list[LabelledTomogram], share: float) -> list[LabelledTomogram]:
    """Tomograms without membranes keep so many of their slices that they are at most ``share`` of all."""
    full = sum(len(tomogram.training) for tomogram in tomograms if not tomogram.empty)
    empty = sum(len(tomogram.training) for tomogram in tomograms if tomogram.empty)
    allowed = min(empty, math.ceil(full * share / (1 - share)))
    return [replace(tomogram, training=_spread(tomogram.training, math.ceil(allowed * len(tomogram.training) / empty)))
            if tomogram.empty else tomogram for tomogram in tomograms]


def _spread(numbers: np.ndarray, count: int) -> np.ndarray:
    return numbers[np.linspace(0, len(numbers) - 1, count).round().astype(int)] if count else numbers[:0]


def _open(volume: StudentVolume, parameters: TrainMembranesParameters) -> LabelledTomogram:
    paint = Paint(parameters.membrane_class, parameters.unpainted)
    empty = labelled_range(volume.labels) is None
    known = labelled_slices(volume, parameters)
    targets = LabelTargets(volume, known, Paint(0, "background") if empty else paint, parameters.ignore_band_px)
    counts = np.array([paint.membrane(_plane(volume, z)).sum() for z in known])
    held_out = known[held_out_block(counts, parameters.held_out, FEWEST_SLICES if parameters.unpainted == "background" else FEWEST_PAINTED)]
    reach = parameters.slices // 2  # a training stack must not see a slice that is held out
    apart = ~np.isin(known, held_out) if not len(held_out) else (known < held_out[0] - reach) | (known > held_out[-1] + reach)
    training = known[apart]
    centres = _places(volume, training[counts[apart] > 0], paint.membrane, int(counts[apart].sum()))
    elsewhere = np.zeros((0, 3), dtype=int)
    if parameters.unpainted == "unknown" and not empty:
        elsewhere = _places(volume, training, paint.background, int(sum(paint.background(_plane(volume, z)).sum() for z in training)))
    view = SliceView.of(volume, Preparation(parameters.normalisation, parameters.smoothing_px))
    return LabelledTomogram(volume, targets, training, held_out, centres, view, elsewhere, empty)


def labelled_slices(volume: StudentVolume, parameters: TrainMembranesParameters) -> np.ndarray:
    """Numbers of the slices whose labels are known: those given, else from the first to the last one with a label, all of a tomogram
    without any; where the unpainted tells nothing, the painted ones among them."""
    depth = volume.header.shape[0]
    found = labelled_range(volume.labels)
    first, last = parameters.z_start, parameters.z_end
    if not last:
        first, last = (max(first, found[0]), found[1]) if found else (first, depth)
    if first >= last or last > depth:
        raise ParameterError(f"labelled slices {first}:{last} of {volume.name}", f"0 <= first < end <= {depth}")
    numbers = np.arange(first, last)
    if parameters.unpainted == "background" or found is None:
        return numbers
    painted = numbers[[bool((_plane(volume, z) > 0).any()) for z in numbers]]
    if not len(painted):
        raise InputError(f"no slice of {volume.name} is painted in {first}:{last}", "labels above 0", "paint there, or give other slices")
    return painted


def held_out_block(counts: np.ndarray, share: float, fewest: int = FEWEST_SLICES) -> np.ndarray:
    """Indices of the neighbouring slices kept for validation: the block whose number of labels is nearest to the average.

    Random slices would have their neighbours in the training (spec 1.9), and the ends of a tomogram often hold nothing.
    """
    length = max(round(share * len(counts)), int(fewest < FEWEST_SLICES and share > 0)) if len(counts) >= fewest else 0
    if length == 0:
        return np.zeros(0, dtype=int)
    sums = np.convolve(counts, np.ones(length), "valid")
    return np.arange(length) + int(np.argmin(np.abs(sums - counts.mean() * length)))


def _plane(volume: StudentVolume, z: int) -> np.ndarray:
    plane = np.asarray(volume.labels[z])
    release_pages(volume.labels)
    return plane


def _places(volume: StudentVolume, slices: np.ndarray, wanted: Callable[[np.ndarray], np.ndarray], count: int) -> np.ndarray:
    """Of the ``count`` voxels (z, y, x) of ``slices`` whose label is ``wanted`` every so many."""
    every = max(1, math.ceil(count / CENTRES))
    points = [np.zeros((0, 3), dtype=int)]
    for z in slices:
        yx = np.argwhere(wanted(_plane(volume, z)))[::every]
        points.append(np.column_stack([np.full(len(yx), z), yx]))
    return np.concatenate(points)
