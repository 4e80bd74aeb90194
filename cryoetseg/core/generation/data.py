"""Training particles: cubes around coordinates with classes, cut from memory-mapped tomograms when they are asked for."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ..particles.formats import read_particles
from ..particles.table import ParticleTable, concatenate
from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job
from ..runtime.names import distinct, meant, name_of
from ..runtime.seeds import numpy_generator
from ..volumes.cleaned import CleanedView, checked_header, open_cleaned
from ..volumes.contrast import particles_bright
from .params import VOXEL_SIZE_TOLERANCE

LEAST_OF_CLASS = 8
TINY = 1e-8  # the authors' guard against constant patches
Padding = Literal["mean", "zero"]


@dataclass(frozen=True)
class Source:
    """One tomogram: ``data`` (z, y, x) as on disk with its contrast, and ``cleaned``, the same as the other methods read it; both are
    read when sliced."""

    name: str
    data: Any
    cleaned: CleanedView
    contrast: str
    voxel_size: float


@dataclass(frozen=True)
class Particles:
    """Particles of all tomograms. ``centres`` (n, 3) voxels (z, y, x) in ``sources[source[i]]``; ``kinds`` (n,) index ``classes``."""

    sources: list[Source]
    source: np.ndarray
    centres: np.ndarray
    kinds: np.ndarray
    classes: list[str]

    def __len__(self) -> int:
        return len(self.kinds)

    def select(self, rows: Any) -> Particles:
        """The particles of a boolean mask or an index array."""
        return replace(self, source=self.source[rows], centres=self.centres[rows], kinds=self.kinds[rows])

    def counts(self) -> dict[str, int]:
        """Number of particles of each class."""
        return {name: int((self.kinds == number).sum()) for number, name in enumerate(self.classes)}

    def positions(self) -> np.ndarray:
        """Places in the tomogram, (n, 3) fractions (z, y, x) of its sides, not rounded (spec A2.6)."""
        sides = np.array([self.sources[number].data.shape for number in self.source], dtype=np.float64).reshape(-1, 3)
        return (self.centres / sides).astype(np.float32)

    def reach_outside(self, box: int) -> int:
        """How many cubes of side ``box`` are not wholly inside their tomogram."""
        corners = np.rint(self.centres).astype(np.int64) - box // 2
        sides = np.array([self.sources[number].data.shape for number in self.source]).reshape(-1, 3)
        return int(((corners < 0) | (corners + box > sides)).any(axis=1).sum())

    def patch(self, row: int, box: int, padding: Padding) -> np.ndarray:
        """Cube (box, box, box), float32, bright, mean 0 and standard deviation 1 (spec A2.1 to A2.4; see :func:`cut`).

        Outside the tomogram, and where it shows no sample, is its mean; with padding by zeros, as published, the voxels of the file are
        taken as they are.
        """
        source = self.sources[self.source[row]]
        if padding == "mean":
            return standard(cut(source.cleaned, self.centres[row], box, 0.0))
        return standard(particles_bright(cut(source.data, self.centres[row], box, 0.0), source.contrast))

    def patches(self, box: int, padding: Padding) -> np.ndarray:
        """All cubes (n, box, box, box)."""
        return np.stack([self.patch(row, box, padding) for row in range(len(self))])


def cut(volume: Any, centre: np.ndarray, box: int, fill: float) -> np.ndarray:
    """Cube [c - box / 2, c + box / 2) on each axis about the rounded ``centre``; ``fill`` outside the volume."""
    start = np.rint(centre).astype(np.int64) - box // 2
    cube = np.full((box, box, box), fill, dtype=np.float32)
    low, high = np.maximum(start, 0), np.minimum(start + box, volume.shape)
    if (high > low).all():
        inside = tuple(slice(a, b) for a, b in zip(low - start, high - start))
        cube[inside] = volume[tuple(slice(a, b) for a, b in zip(low, high))]
    return cube


def standard(cube: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1, the latter with n - 1, as torch's and the authors'."""
    return ((cube - cube.mean()) / (cube.std(ddof=1) + TINY)).astype(np.float32)


def half_turn(cube: np.ndarray) -> np.ndarray:
    """A cube (z, y, x) after half a turn about y, the tilt axis: the only rotation that leaves the missing wedge where it is.

    The turn is about the voxel ``side // 2``, where :func:`cut` puts the particle's centre; the plane that an even cube lacks opposite
    its first one is the first one itself.
    """
    even = [axis for axis in (0, 2) if cube.shape[axis] % 2 == 0]
    return np.ascontiguousarray(np.roll(cube[::-1, :, ::-1], [1] * len(even), even))


def turned_place(position: np.ndarray) -> np.ndarray:
    """Where a place in the tomogram (z, y, x), in shares of its sides, comes to lie by :func:`half_turn`."""
    return np.array([1 - position[0], position[1], 1 - position[2]], dtype=np.float32)


def open_particles(job: Job, least: int = LEAST_OF_CLASS) -> Particles:
    """The job's tomograms (role ``tomogram``) with the particles of its lists (role ``particles``), classes sorted by name.

    Raises ``InputError`` for lists that name no tomogram of the job, coordinates outside, tomograms of different voxel sizes and
    classes with fewer than ``least`` particles.
    """
    sources = [_open(item) for item in distinct(job.inputs_of("tomogram"))]
    lists = job.inputs_of("particles")
    if not sources or not lists:
        raise InputError(f"{len(sources)} tomogram(s) and {len(lists)} particle list(s)", "at least one of each")
    _same_voxel_size(sources)
    names, tables = zip(*(part for item in lists for part in _read(item, sources)))
    table = concatenate(tables)
    order = {source.name: number for number, source in enumerate(sources)}
    classes = sorted(set(np.concatenate(names).tolist()))
    kinds = np.searchsorted(classes, np.concatenate(names))
    particles = Particles(sources, np.array([order[name] for name in table.tilt_series_id], dtype=np.int64), table.zyx, kinds, classes)
    _refuse_outside(particles)
    _refuse_rare(particles, least)
    return particles


def _open(item: InputFile) -> Source:
    checked_header(item)
    view, header = open_cleaned(item.path, item.contrast, item.voxel_size)
    return Source(name_of(item), view.volume, view, item.contrast, header.voxel_size)


def _same_voxel_size(sources: Sequence[Source]) -> None:
    sizes = [source.voxel_size for source in sources]
    if max(sizes) > min(sizes) * (1 + VOXEL_SIZE_TOLERANCE):
        rows = ", ".join(f"{source.name} {source.voxel_size:.2f} A" for source in sources[:8])
        raise InputError(f"tomograms of different voxel sizes: {rows}", "one voxel size", "bring them to one voxel size first")


def _read(item: InputFile, sources: Sequence[Source]) -> list[tuple[np.ndarray, ParticleTable]]:
    """Class names and table, at the tomograms' voxel size, of one list; particles of tomograms that are not in the job are left out."""
    table = read_particles(item.path, voxel_size=item.voxel_size, tilt_series_id=item.tilt_series_id,
                           tomogram_voxel_size=sources[0].voxel_size, tomogram_shape={source.name: source.data.shape for source in sources})
    known = [source.name for source in sources]
    named = table.tilt_series_ids()
    if len(named) == 1 and named[0] not in known and len(sources) == 1:
        table = replace(table, tilt_series_id=np.full(len(table), known[0], dtype=object))  # one list, one tomogram: they belong together
    table = replace(table, tilt_series_id=np.array([meant(str(name), known) for name in table.tilt_series_id], dtype=object))
    table = table.select(np.isin(table.tilt_series_id, np.array(known, dtype=object)))
    if len(table) == 0:
        raise InputError(f"{item.path} names the tomograms {', '.join(named[:5]) or 'none'}", "those of the job: " + ", ".join(known[:5]),
                         "check the names, or give one tomogram with one list")
    names = np.array([table.class_names.get(int(number), f"class{number}") for number in table.class_id], dtype=object)
    size = sources[0].voxel_size
    table = table.at_voxel_size(size) if table.voxel_size_is_known else replace(table, voxel_size=size)
    return [(names, replace(table, class_names={}))]


def _refuse_outside(particles: Particles) -> None:
    sides = np.array([particles.sources[number].data.shape for number in particles.source])
    nearest = np.rint(particles.centres)
    outside = ((nearest < 0) | (nearest >= sides)).any(axis=1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InputError(f"{int(outside.sum())} of {len(particles)} coordinates lie outside their tomogram, the first at (z, y, x) "
                         f"{particles.centres[row].round(1).tolist()} in one of shape {sides[row].tolist()}", "coordinates inside",
                         "the list may count pixels of another binning: give its voxel size")


def _refuse_rare(particles: Particles, least: int) -> None:
    rare = {name: count for name, count in particles.counts().items() if count < least}
    if rare:
        raise InputError("too few particles of " + ", ".join(f"{name} ({count})" for name, count in rare.items()),
                         f"at least {least} of each class", "add particles, or remove these classes from the lists")


def split(particles: Particles, by: Literal["tomogram", "particle"], share: float, seed: int) -> tuple[Particles, Particles]:
    """Training and held-out particles: whole tomograms, as many as come nearest to ``share``, or particles drawn at random.

    Raises ``InputError`` when a class would be missing from training or there is only one tomogram to split by.
    """
    rng = numpy_generator(seed, "held out")
    if by == "particle":
        held = np.zeros(len(particles), dtype=bool)
        held[rng.permutation(len(particles))[: max(1, int(share * len(particles)))]] = True
    else:
        used = np.unique(particles.source)
        if len(used) < 2:
            raise InputError("particles of one tomogram", "at least two tomograms when whole ones are held out", "use --split particle")
        chosen = rng.permutation(used)[: min(max(1, round(share * len(used))), len(used) - 1)]
        held = np.isin(particles.source, chosen)
    training = particles.select(~held)
    missing = [name for name, count in training.counts().items() if count == 0]
    if missing:
        raise InputError(f"all particles of {', '.join(missing)} are in what is held out", "classes in several tomograms",
                         "use --split particle")
    return training, particles.select(held)
