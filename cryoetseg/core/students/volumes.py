"""Training volumes: tomograms with the labels or particle lists that belong to them, checked before anything is learned."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..particles.formats import read_particles
from ..particles.table import ParticleTable, concatenate
from ..runtime.errors import InputError, ParameterError
from ..runtime.job import InputFile, Job
from ..runtime.names import distinct, name_of
from ..volumes.cleaned import SIGNS, CleanedView, checked_header, open_cleaned, told
from ..volumes.header import VolumeHeader
from ..volumes.io import open_labels, read_labels
from ..volumes.sample import slices_with_sample
from ..volumes.streaming import read_slabs, temporary_volume
from .pairing import paired, rows_of

SAME_VOXEL_SIZE = 0.01  # largest relative difference between a tomogram and its labels
ALIKE_VOXEL_SIZE = 0.02  # largest relative difference between the tomograms of one training
SAME_BOX = 1.5  # voxels by which the boxes of labels and tomogram may differ when labels are resampled
Needs = Literal["labels", "particles", "nothing"]


@dataclass(frozen=True)
class StudentVolume:
    """One tomogram of a training.

    ``data`` (z, y, x) is cleaned, standardised and has bright particles; it is made when sliced (see :class:`.cleaned.CleanedView`).
    ``labels`` (z, y, x) whole numbers of the same shape; ``particles`` at the tomogram's voxel size. ``warnings`` say what was done
    to make the inputs fit.
    """

    name: str
    data: Any
    header: VolumeHeader
    labels: Any = None
    particles: ParticleTable | None = None
    warnings: tuple[str, ...] = ()
    origin: StudentVolume | None = None  # the volume that this one was resampled from, which knows what is valid

    def crop(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> np.ndarray:
        """Standardised float32 voxels with bright particles from ``start_zyx`` on; outside the volume 0, which is its mean."""
        return _block(self.data, start_zyx, shape_zyx, np.dtype(np.float32))

    @property
    def is_constant(self) -> bool:
        """Whether there is nothing to see."""
        return isinstance(self.data, CleanedView) and not self.data.deviation > 0

    def valid_at(self, zyx: np.ndarray) -> np.ndarray:
        """Bool (n,): whether there is sample at the points (n, 3), voxels (z, y, x)."""
        return self.data.valid_at(zyx) if isinstance(self.data, CleanedView) else np.ones(len(zyx), bool)

    def valid_plane(self, z: int) -> np.ndarray:
        """Bool (y, x): voxels of a slice that show sample."""
        if self.origin is not None:
            return self._valid_in_origin(self.origin, z)
        return self.data.valid(z) if isinstance(self.data, CleanedView) else np.ones(self.header.shape[1:], bool)

    def _valid_in_origin(self, origin: StudentVolume, z: int) -> np.ndarray:
        """Of each voxel of a slice what the nearest one of the volume before resampling says; outer faces coincide."""
        factor = self.header.voxel_size / origin.header.voxel_size
        numbers = [np.minimum(((np.arange(size) + 0.5) * factor).astype(int), other - 1)
                   for size, other in zip(self.header.shape, origin.header.shape)]
        return origin.valid_plane(int(numbers[0][z]))[np.ix_(numbers[1], numbers[2])]

    def blank(self, target: Any) -> None:
        """Zeros in ``target`` (z, y, x), a result, where the tomogram shows no sample."""
        if isinstance(self.data, CleanedView):
            self.data.blank(target)

    @property
    def invalid_share(self) -> float:
        """Share of the voxels that show no sample."""
        return self.data.grey.invalid_share if isinstance(self.data, CleanedView) else 0.0

    def slices_with_sample(self) -> tuple[tuple[int, int], list[str]]:
        """First slice with sample and the one behind the last, and warnings; all slices of what was not examined."""
        if isinstance(self.data, CleanedView):
            return slices_with_sample(self.data, self.name)
        return (0, self.header.shape[0]), []

    def part(self, window: tuple[slice, ...]) -> Any:
        """``data`` in a window, standardised as the whole and read when sliced."""
        return self.data.part(window) if isinstance(self.data, CleanedView) else self.data[window]

    @cached_property
    def sample_box(self) -> tuple[slice, slice, slice]:
        """The smallest box (z, y, x) that holds all that shows sample: for a network the tomogram ends there."""
        z, y, x = self.header.shape
        return self.data.sample_box() if isinstance(self.data, CleanedView) else (slice(0, z), slice(0, y), slice(0, x))

    def within_sample(self) -> tuple[StudentVolume, np.ndarray]:
        """The part of the tomogram in its :attr:`sample_box`, without labels and particles, and its first voxel (z, y, x)."""
        if not isinstance(self.data, CleanedView) or self.data.grey.invalid is None:
            return self, np.zeros(3)
        box = self.sample_box
        z, y, x = (side.stop - side.start for side in box)
        inner = replace(self, data=self.data.part(box), header=replace(self.header, shape=(z, y, x)), labels=None, particles=None)
        return inner, np.array([side.start for side in box])

    def crop_labels(self, start_zyx: Sequence[int], shape_zyx: Sequence[int]) -> np.ndarray:
        """Labels from ``start_zyx`` on in their own type; outside the volume 0. Raises :class:`InputError` without labels."""
        if self.labels is None:
            raise InputError(f"{self.name} has no labels", "a label volume for each tomogram")
        return _block(self.labels, start_zyx, shape_zyx, self.labels.dtype)


def _block(array: Any, start: Sequence[int], shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """The voxels, zero outside."""
    block = np.zeros(tuple(shape), dtype=dtype)
    spans = [(max(0, a), max(0, a, min(a + length, size))) for a, length, size in zip(start, shape, array.shape)]
    inside = tuple(slice(first - a, max(first, last) - a) for (first, last), a in zip(spans, start))
    if all(last > first for first, last in spans):
        block[inside] = array[tuple(slice(*span) for span in spans)]
    return block


def open_student_volumes(
    job: Job, *, needs: Needs, resample_labels: bool = False, takes_empty: bool = False
) -> list[StudentVolume]:
    """Open the job's tomograms (role ``tomogram``) with the ``labels`` or ``particles`` of the same tilt series.

    As many files as tomograms belong together in order where no name tells; a particle list may hold several tilt series. With
    ``resample_labels`` labels of another size take the nearest label onto the tomogram's grid, and a warning says so. With
    ``takes_empty`` tomograms may hold nothing: those with the role ``empty``, with labels of zeros alone or with a list of no particle;
    one at least must hold something. Raises :class:`InputError` naming every file that does not fit.
    """
    count = len(job.inputs_of("tomogram"))
    if not count:
        raise InputError("no tomogram to learn from", "at least one", "give tomograms with their labels")
    named = distinct([*job.inputs_of("tomogram"), *(job.inputs_of("empty") if takes_empty else [])])
    tomograms, empty = named[:count], named[count:]
    partners = paired(tomograms, job.inputs_of(needs), needs) if needs != "nothing" else [()] * len(tomograms)
    volumes = [open_student_volume(item) for item in tomograms]
    without = [open_student_volume(item) for item in empty]
    check_alike([*volumes, *without])
    if needs == "labels":
        volumes = [_with_labels(volume, files[0], resample_labels) for volume, files in zip(volumes, partners)]
        if all(labelled_range(volume.labels) is None for volume in volumes):
            raise InputError(f"no voxel has a label in {', '.join(files[0].path for files in partners)}", "labels above 0",
                             "give the labels of these tomograms")
    if needs == "particles":
        names = [volume.name for volume in volumes]
        volumes = [_with_particles(volume, files, names, takes_empty) for volume, files in zip(volumes, partners)]
        if not any(volume.particles for volume in volumes):
            raise InputError(f"no particle in {', '.join(item.path for files in partners for item in files)}", "at least one",
                             "give the particles of these tomograms")
    return [*volumes, *(_holding_nothing(volume, needs) for volume in without)]


def _holding_nothing(volume: StudentVolume, needs: Needs) -> StudentVolume:
    """The tomogram with labels of zeros, or with a list of no particle."""
    if needs == "labels":
        return replace(volume, labels=np.broadcast_to(np.int8(0), volume.header.shape))
    return replace(volume, particles=ParticleTable.from_points([], voxel_size=volume.header.voxel_size, tilt_series_id=volume.name))


def open_student_volume(item: InputFile) -> StudentVolume:
    """One tomogram, cleaned; raises :class:`InputError` when its voxel size is unknown."""
    if item.contrast not in SIGNS:
        raise ParameterError(f"contrast = {item.contrast!r}", "dark, bright", "say how particles look in this volume")
    checked_header(item)
    data, header = open_cleaned(item.path, item.contrast, item.voxel_size)
    return StudentVolume(name_of(item), data, header, warnings=(*header.warnings, *told(name_of(item), data.grey)))


def volume_from_array(
    name: str, array: Any, voxel_size: float, labels: Any = None, *, contrast: str = "bright", particles: ParticleTable | None = None,
) -> StudentVolume:
    """A student volume of arrays (z, y, x) in memory or mapped; ``particles`` at its ``voxel_size``, in Angstrom."""
    header = VolumeHeader(Path(name), tuple(array.shape), np.dtype(array.dtype), voxel_size, format="memory")
    if labels is not None and labels.shape != array.shape:
        raise InputError(f"labels of shape {labels.shape} for {name} of shape {array.shape}", "equal shapes")
    return StudentVolume(name, CleanedView(array, contrast), header, labels, particles)


def check_alike(volumes: Sequence[StudentVolume]) -> None:
    """Raise :class:`InputError` when tomograms of one training differ in voxel size by more than 2 %."""
    sizes = [volume.header.voxel_size for volume in volumes]
    if max(sizes) > min(sizes) * (1 + ALIKE_VOXEL_SIZE):
        listed = ", ".join(f"{volume.name} {size:g} A" for volume, size in zip(volumes, sizes))
        raise InputError(f"tomograms of different voxel sizes: {listed}", "one voxel size within 2 %", "bin or resample them alike first")


def labelled_range(labels: Any) -> tuple[int, int] | None:
    """First and last + 1 of the z slices that hold a label; None when there is no label at all. Streams."""
    first, last, z = None, 0, 0
    for slab in read_slabs(labels):
        used = np.flatnonzero(slab.any(axis=(1, 2)))
        if len(used):
            first = z + int(used[0]) if first is None else first
            last = z + int(used[-1]) + 1
        z += len(slab)
    return None if first is None else (first, last)


def _with_labels(volume: StudentVolume, item: InputFile, resample: bool) -> StudentVolume:
    opened = open_labels(item.path, item.voxel_size)
    labels = opened.data if opened.header.dtype.kind in "iu" else read_labels(item.path, item.voxel_size)[0]
    header = replace(opened.header, voxel_size_is_known=opened.header.voxel_size_is_known or item.voxel_size is not None)
    if _fits(header, volume.header):
        return replace(volume, labels=labels)
    described = f"{item.path} has {_described(header)}, the tomogram {volume.header.path} {_described(volume.header)}"
    factors = _box_factors(header, volume.header)
    if not resample or factors is None:
        advice = "use --resample-labels" if factors is not None else "give labels of the same box; resampling cannot help here"
        raise InputError(described, "labels of the tomogram's shape and voxel size", advice)
    note = f"{described}: the nearest label was taken for each voxel of the tomogram"
    return replace(volume, labels=nearest_labels(labels, volume.header.shape, factors), warnings=(*volume.warnings, note))


def _fits(labels: VolumeHeader, tomogram: VolumeHeader) -> bool:
    alike = abs(labels.voxel_size / tomogram.voxel_size - 1) <= SAME_VOXEL_SIZE
    return labels.shape == tomogram.shape and (alike or not labels.voxel_size_is_known)


def _described(header: VolumeHeader) -> str:
    size = f"{header.voxel_size:g} A" if header.voxel_size_is_known else "unknown voxel size"
    return f"{' x '.join(map(str, header.shape))} voxels (z, y, x) of {size}"


def _box_factors(labels: VolumeHeader, tomogram: VolumeHeader) -> tuple[float, float, float] | None:
    """Label voxels per tomogram voxel along each axis; None when the two do not cover the same box."""
    if not labels.voxel_size_is_known:
        z, y, x = (own / other for own, other in zip(labels.shape, tomogram.shape))
        return (z, y, x) if max(z, y, x) < 1.02 * min(z, y, x) else None
    factor = tomogram.voxel_size / labels.voxel_size
    largest = SAME_BOX * max(1.0, factor)
    same = all(abs(own - other * factor) <= largest for own, other in zip(labels.shape, tomogram.shape))
    return (factor,) * 3 if same else None


def nearest_labels(labels: Any, shape: tuple[int, ...], factors: Sequence[float]) -> np.ndarray:
    """Labels on a grid of ``shape``, in a file that vanishes with the process. Outer faces coincide, as in volumes.resampling."""
    z, y, x = (np.clip(((np.arange(size) + 0.5) * factor).astype(int), 0, own - 1)
               for size, factor, own in zip(shape, factors, labels.shape))
    result = temporary_volume(tuple(shape), labels.dtype)
    for target, source in enumerate(z):
        result[target] = labels[source][y[:, None], x]
    return result


def _with_particles(volume: StudentVolume, files: Sequence[InputFile], names: Sequence[str], takes_empty: bool) -> StudentVolume:
    tables = [_particles_of(volume, item, names) for item in files]
    table = tables[0] if len(tables) == 1 else concatenate(tables)
    if len(table) == 0 and not (takes_empty and all(_is_empty(item, volume) for item in files)):  # of another name is no list of nothing
        raise InputError(f"no particle of {volume.name} in {', '.join(item.path for item in files)}", "at least one")
    _check_inside(table, volume, files)
    return replace(volume, particles=table)


def _is_empty(item: InputFile, volume: StudentVolume) -> bool:
    """Whether a list holds no particle of any tilt series."""
    return len(_read(item, volume)) == 0


def _read(item: InputFile, volume: StudentVolume) -> ParticleTable:
    return read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=name_of(item), tomogram_shape=volume.header.shape,
                          tomogram_voxel_size=volume.header.voxel_size)


def _particles_of(volume: StudentVolume, item: InputFile, names: Sequence[str]) -> ParticleTable:
    """The list's particles of this tomogram in its voxels; a list that does not tell its voxel size counts in the tomogram's.

    Raises :class:`InputError` when the list names another one of the tomograms called ``names``.
    """
    own = rows_of(_read(item, volume), volume.name, names)
    known = own if own.voxel_size_is_known else replace(own, voxel_size=volume.header.voxel_size)
    return known.at_voxel_size(volume.header.voxel_size)


def _check_inside(table: ParticleTable, volume: StudentVolume, files: Sequence[InputFile]) -> None:
    bounds = np.array(volume.header.shape)
    outside = ((table.zyx < -0.5) | (table.zyx >= bounds - 0.5)).any(axis=1)
    if outside.any():
        low, high = table.zyx.min(axis=0).round(1).tolist(), table.zyx.max(axis=0).round(1).tolist()
        raise InputError(
            f"{int(outside.sum())} of {len(table)} particles in {', '.join(item.path for item in files)} lie outside the tomogram "
            f"{volume.name}: they span {low} to {high} (z, y, x)", f"0 to {(bounds - 1).tolist()}",
            "coordinates of another binning are the usual cause: give the voxel size of the particle list")
