"""Training crops around particles, with their weak labels and what is known of each voxel."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...particles.table import ParticleTable, in_slices
from ...runtime.errors import InputError, ParameterError
from ..volumes import StudentVolume
from .augmentation import augment
from .labels import odd_diameter, paint
from .params import TrainPickerParameters

DEFAULT_DIAMETER = 250.0  # Angstrom, where neither the user nor the list tells
SMALLEST_LABEL_PX = 5
FEWEST_TO_KEEP = 5  # particles, of which one is kept to judge
JITTER = 5  # a crop's centre lies up to its side over 5 from the particle, DeepETPicker 2.4
Triple = tuple[int, int, int]


@dataclass(frozen=True)
class ParticleClasses:
    """The classes a picker knows, in order: number in the list, name, true diameter in Angstrom; label diameter in voxels."""

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    diameters: tuple[float, ...]
    labels_px: tuple[int, ...]

    @property
    def outputs(self) -> int:
        """Channels of the network: one for one class, else one each and the background."""
        return 1 if len(self.numbers) == 1 else len(self.numbers) + 1


def particle_classes(tables: Sequence[ParticleTable], voxel_size: float, parameters: TrainPickerParameters) -> ParticleClasses:
    """The classes in the lists, with sizes from the parameters or else from the lists. Raises :class:`ParameterError`."""
    numbers = sorted({int(number) for table in tables for number in table.class_id})
    names = {number: name for table in tables for number, name in table.class_names.items()}
    diameters = _diameters(tables, numbers, parameters)
    labels = [max(SMALLEST_LABEL_PX, odd_diameter(parameters.label_share * diameter / voxel_size)) for diameter in diameters]
    called = tuple(names.get(number, f"class {number}") for number in numbers)
    return ParticleClasses(tuple(numbers), called, tuple(diameters), tuple(labels))


def _diameters(tables: Sequence[ParticleTable], numbers: list[int], parameters: TrainPickerParameters) -> list[float]:
    if parameters.class_diameters:
        try:
            given = [float(part) for part in parameters.class_diameters.split(",")]
        except ValueError as error:
            raise ParameterError(f"class_diameters '{parameters.class_diameters}'", "numbers with commas, such as 260,140") from error
        if len(given) != len(numbers) or min(given) <= 0:
            raise ParameterError(f"{len(given)} class diameters for {len(numbers)} classes {numbers}", "one positive number for each class")
        return given
    if parameters.particle_diameter:
        return [parameters.particle_diameter] * len(numbers)
    known = {number: np.concatenate([table.diameters[table.class_id == number] for table in tables]) for number in numbers}
    return [float(np.nanmedian(own)) if np.isfinite(own).any() else DEFAULT_DIAMETER for own in known.values()]


@dataclass(frozen=True)
class LabelledVolume:
    """A tomogram with the particles that teach: whole-voxel places, class positions from 1, and which are too doubtful to teach; none
    where the tomogram holds nothing."""

    volume: StudentVolume
    zyx: np.ndarray
    value: np.ndarray
    doubtful: np.ndarray
    z_range: tuple[int, int]

    @property
    def empty(self) -> bool:
        """Whether the tomogram holds nothing, all of it being background."""
        return len(self.zyx) == 0


def labelled_volume(volume: StudentVolume, classes: ParticleClasses, parameters: TrainPickerParameters) -> LabelledVolume:
    """Sort out the particles of a tomogram. Raises :class:`InputError` when none lies in the labelled slices."""
    table = volume.particles
    assert table is not None
    z_range = labelled_slices(volume, max(classes.diameters), parameters)
    inside = in_slices(table.zyx, z_range)
    if len(table) and not inside.any():
        raise InputError(f"no particle of {volume.name} lies in the labelled slices {z_range[0]}:{z_range[1]}",
                         f"particles span z {table.zyx[:, 0].min():.0f} to {table.zyx[:, 0].max():.0f}", "give other slices")
    table = table.select(inside)
    value = np.searchsorted(classes.numbers, table.class_id) + 1
    return LabelledVolume(volume, np.rint(table.zyx).astype(np.int64), value, _doubtful(table, parameters.ignored_share), z_range)


def labelled_slices(volume: StudentVolume, diameter: float, parameters: TrainPickerParameters) -> tuple[int, int]:
    """The half-open range of slices in which labels count; all of a tomogram without particles, or of which a part is listed."""
    depth = volume.header.shape[0]
    if parameters.z_end:
        if not parameters.z_start < min(parameters.z_end, depth):
            raise ParameterError(f"labelled slices {parameters.z_start}:{parameters.z_end} of {volume.name}", f"a part of 0:{depth}")
        return parameters.z_start, min(parameters.z_end, depth)
    assert volume.particles is not None
    if len(volume.particles) == 0 or parameters.unclicked == "unknown":
        return min(parameters.z_start, depth - 1), depth
    reach = 0.5 * diameter / volume.header.voxel_size
    low, high = volume.particles.zyx[:, 0].min() - reach, volume.particles.zyx[:, 0].max() + reach
    return max(0, int(low), parameters.z_start), min(depth, int(np.ceil(high)) + 1)


def _doubtful(table: ParticleTable, share: float) -> np.ndarray:
    if share == 0 or not table.has_scores:
        return np.zeros(len(table), dtype=bool)
    return table.score < np.quantile(table.score, share)


def crop_start(centre: Sequence[float], side: int, box: Sequence[slice]) -> Triple:
    """First voxel of a crop around ``centre``, moved so that it stays inside of ``box``; one that is too small lies in its middle."""
    starts = [int(c) - side // 2 for c in centre]
    z, y, x = (min(max(a, span.start), span.stop - side) if span.stop - span.start >= side
               else span.start - (side - (span.stop - span.start)) // 2 for a, span in zip(starts, box))
    return z, y, x


class Crops:
    """Crops of several tomograms: one for each particle and pass, some of the background, some of tomograms that hold nothing."""

    def __init__(self, volumes: Sequence[LabelledVolume], classes: ParticleClasses, parameters: TrainPickerParameters) -> None:
        self._volumes, self._empty = [item for item in volumes if not item.empty], [item for item in volumes if item.empty]
        self._classes, self._parameters = classes, parameters
        self._particles = [(number, place) for number, item in enumerate(self._volumes) for place in np.flatnonzero(~item.doubtful)]
        if not self._particles:
            raise InputError("no particle is left to learn from", "at least one", "lower ignored_share")
        # where the unclicked is unknown, a place drawn anywhere would teach nothing
        self._background = 0 if parameters.unclicked == "unknown" else _beside(len(self._particles), parameters.background_share)
        labelled = len(self._particles) + self._background
        self._nothing = _beside(labelled, parameters.empty_share) if self._empty else 0

    def __len__(self) -> int:
        return len(self._particles) + self._background + self._nothing

    def draw(self, index: int, generator: np.random.Generator, augmented: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Crop ``index``: grey values (1, n, n, n) and labels (1, n, n, n) int64, -1 where nothing is known."""
        side, p = self._parameters.patch_px, self._parameters
        number, start = self.window(index, generator)
        item = self.volumes[number]
        grey, labels = item.volume.crop(start, (side,) * 3), self.labels(item, start, (side,) * 3)
        if augmented:
            grey, labels = augment(grey, labels + 1, p.augmentation, generator)  # one more, so that what is warped in is unknown
            labels = labels - 1
        return grey[None], labels[None].astype(np.int64)

    @property
    def volumes(self) -> list[LabelledVolume]:
        """All tomograms that crops come from."""
        return [*self._volumes, *self._empty]

    def window(self, index: int, generator: np.random.Generator) -> tuple[int, Triple]:
        """Which of the :attr:`volumes` crop ``index`` comes from, and its first voxel."""
        side = self._parameters.patch_px
        if index < len(self._particles):
            number, place = self._particles[index]
            item = self._volumes[number]
            centre = item.zyx[place] + generator.integers(-(side // JITTER), side // JITTER, 3, endpoint=True)
        else:
            holds = index < len(self._particles) + self._background
            some = self._volumes if holds else self._empty
            number = int(generator.integers(len(some)))
            item, number = some[number], number + (0 if holds else len(self._volumes))
            y, x = item.volume.sample_box[1:]
            centre = generator.integers([item.z_range[0], y.start, x.start], [item.z_range[1], y.stop, x.stop])
        return number, crop_start(centre, side, item.volume.sample_box)

    def labels(self, item: LabelledVolume, start: Triple, shape: Triple) -> np.ndarray:
        """Labels of a window, int16: 0 for background, -1 where nothing is known."""
        p = self._parameters
        diameters = np.array(self._classes.labels_px)[item.value - 1]
        values = np.where(item.doubtful, -1, item.value)
        order = np.argsort(~item.doubtful, kind="stable")  # the doubtful first, so that certain ones win
        labels = paint(start, shape, item.zyx[order], values[order], p.label, diameters[order])
        if p.unclicked == "unknown" and not item.empty:
            labels[(labels == 0) & ~self._surroundings(item, start, shape)] = -1
        bounds = [item.z_range, *((0, size) for size in item.volume.header.shape[1:])]
        for axis, (first, last) in enumerate(bounds):
            outside = np.arange(start[axis], start[axis] + shape[axis])
            np.moveaxis(labels, axis, 0)[(outside < first) | (outside >= last)] = -1
        return labels

    def _surroundings(self, item: LabelledVolume, start: Triple, shape: Triple) -> np.ndarray:
        """Voxels of a window, bool, so near to a particle that the label of a neighbour that touches it cannot reach there."""
        voxel_size = item.volume.header.voxel_size
        diameters, labels = np.array(self._classes.diameters) / voxel_size, np.array(self._classes.labels_px)
        near = np.zeros(shape, dtype=bool)
        for centre, value in zip(item.zyx[~item.doubtful], item.value[~item.doubtful]):
            reach = max(float(((diameters[value - 1] + diameters - labels) / 2).min()), labels[value - 1] / 2 + 1)
            spans = [slice(max(0, int(middle - np.ceil(reach)) - first), max(0, min(size, int(middle + np.ceil(reach)) + 1 - first)))
                     for middle, first, size in zip(centre, start, shape)]
            z, y, x = (np.arange(span.start, span.stop) + first - middle for span, first, middle in zip(spans, start, centre))
            near[tuple(spans)] |= z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= reach**2
        return near


def kept_apart(
    volumes: Sequence[LabelledVolume], share: float, generator: np.random.Generator
) -> tuple[list[LabelledVolume], list[LabelledVolume]]:
    """The tomograms with ``share`` of their particles doubtful, and with all the others doubtful, to judge what the first taught.

    Of fewer than five particles none is kept: both are then the tomograms as they are.
    """
    places = [(number, place) for number, item in enumerate(volumes) for place in np.flatnonzero(~item.doubtful)]
    count = max(1, round(share * len(places))) if share and len(places) >= FEWEST_TO_KEEP else 0
    if count == 0:
        return list(volumes), list(volumes)
    kept = [np.zeros(len(item.zyx), dtype=bool) for item in volumes]
    for index in generator.permutation(len(places))[:count]:
        number, place = places[index]
        kept[number][place] = True
    teaching = [replace(item, doubtful=item.doubtful | own) for item, own in zip(volumes, kept)]
    return teaching, [replace(item, doubtful=~own) for item, own in zip(volumes, kept)]


def _beside(count: int, share: float) -> int:
    """How many more make ``share`` of all."""
    return round(count * share / (1 - share))
