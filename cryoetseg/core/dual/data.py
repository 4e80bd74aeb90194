"""The two domains of DUAL: sets of whole volumes, standardised, particles bright, at one voxel size, from which patches are cut.

The two sets need not show the same samples: no pair of patches belongs together. Contrast is turned to bright in both, because a
contrast-inverting pair of generators would close the cycle just as well (spec C6).
"""
from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import skew

from ..runtime.checksums import checksum, sha256
from ..runtime.errors import InputError
from ..runtime.files import read_json, write_json
from ..runtime.job import InputFile
from ..runtime.names import file_stem, name_of
from ..volumes.checks import expanded
from ..volumes.cleaned import CleanedView, Cleaning
from ..volumes.cleaning import examine, unexamined
from ..volumes.io import Volume, open_volume, read_header, write_volume
from ..volumes.labels import refuse_labels
from ..volumes.resampling import resample

logger = logging.getLogger(__name__)
VOXEL_TOLERANCE = 0.01  # relative difference of voxel sizes that is not worth resampling
COARSE = 1.25  # a voxel size that is this many times the model's leaves the model's finest structure empty
SKEW_SAMPLE = 16  # voxels averaged along each axis before the sign of contrast is judged
CLEAR_SKEW = 0.5
HELD_OUT = 0.1  # share of each volume that judges a training, at least a patch
DENSITY_ROLES = ("clean", "grand_model")


class StandardisedView(CleanedView):
    """A volume (z, y, x) that is turned to bright particles, mean 0 and deviation 1 where it is sliced; nothing is copied.

    Tomograms are cleaned (``cleaning`` auto), densities are not: their background is constant.
    """

    def __init__(self, volume: Any, contrast: str, cleaning: Cleaning = "off") -> None:
        super().__init__(volume, contrast, examine(volume) if cleaning == "auto" else unexamined(volume))
        if not self.deviation > 0 or not np.isfinite(self.deviation):
            raise InputError("a volume is constant or not finite", "volumes with contrast")


class Rows:
    """The rows ``first`` to ``last`` along y of a volume (z, y, x) that is read where it is sliced."""

    def __init__(self, view: Any, first: int, last: int) -> None:
        depth, _, width = view.shape
        self.shape, self.dtype, self._view, self._first = (depth, last - first, width), np.dtype(np.float32), view, first

    def __getitem__(self, window: Any) -> np.ndarray:
        z, y, x = expanded(window, 3)
        start, stop, _ = y.indices(self.shape[1])
        return self._view[z, self._first + start:self._first + stop, x]


@dataclass(frozen=True)
class Place:
    """Where a patch lies and whether it is turned by 180 degrees about the tilt axis y: drawn first, then cut."""

    volume: int
    corner: tuple[int, int, int]
    turned: bool


class Domain:
    """One set of volumes and its patches of ``patch`` voxels along each axis."""

    def __init__(self, views: Sequence[Any], patch: int, names: Sequence[str] = ()) -> None:
        self.views, self.patch = list(views), patch
        names = names or [f"volume {number + 1}" for number in range(len(self.views))]
        for name, view in zip(names, self.views):
            if min(view.shape) < patch:
                raise InputError(f"{name} has {view.shape} voxels (z, y, x) at the model's voxel size", f"at least {patch} along each axis",
                                 "take larger tomograms, smaller patches (16) or a finer voxel size")
        self._grid = [Place(number, (z, y, x), False) for number, view in enumerate(self.views)
                      for z, y, x in np.ndindex(*(side // patch for side in view.shape))]
        places = np.array([np.prod([side - patch + 1 for side in view.shape], dtype=np.float64) for view in self.views])
        self.chances = places / places.sum()  # of each volume, so that every place of every volume is as likely

    def __len__(self) -> int:
        """Number of patches of the non-overlapping grid."""
        return len(self._grid)

    def grid_place(self, number: int) -> Place:
        """A patch of the non-overlapping grid, as published."""
        place = self._grid[number % len(self._grid)]
        return Place(place.volume, tuple(self.patch * step for step in place.corner), False)  # type: ignore[arg-type]

    def random_place(self, generator: np.random.Generator) -> Place:
        """A patch anywhere, every place of every volume as likely. The half turn keeps the missing wedge, also an asymmetric one."""
        number = int(generator.choice(len(self.views), p=self.chances))
        z, y, x = (int(generator.integers(side - self.patch + 1)) for side in self.views[number].shape)
        return Place(number, (z, y, x), bool(generator.random() < 0.5))

    def cut(self, place: Place) -> np.ndarray:
        """The patch (1, z, y, x)."""
        window = tuple(slice(first, first + self.patch) for first in place.corner)
        patch = self.views[place.volume][window]
        return np.ascontiguousarray(patch[::-1, :, ::-1] if place.turned else patch)[None]


def held_apart(domain: Domain) -> tuple[Domain, Domain]:
    """What is learned from, and what only judges: the far end along y of each volume, where both parts are at least a patch long.

    Where no volume is so long, the same patches do both.
    """
    patch = domain.patch
    cuts = [max(patch, round(HELD_OUT * view.shape[1])) for view in domain.views]
    long = [view.shape[1] >= cut + patch for view, cut in zip(domain.views, cuts)]
    if not any(long):
        return domain, domain
    rows = [view.shape[1] - cut if enough else view.shape[1] for view, cut, enough in zip(domain.views, cuts, long)]
    learned = [Rows(view, 0, last) for view, last in zip(domain.views, rows)]
    judged = [Rows(view, last, view.shape[1]) for view, last, enough in zip(domain.views, rows, long) if enough]
    return Domain(learned, patch), Domain(judged, patch)


def open_domain(files: Sequence[InputFile], patch: int, voxel_size: float, folder: Path) -> Domain:
    """Open one set at ``voxel_size``; volumes of another are resampled into ``folder`` first.

    Raises :class:`InputError` for an empty set, unknown voxel sizes, constant volumes and volumes smaller than a patch.
    """
    views = [StandardisedView(_at_voxel_size(item, number, voxel_size, folder), item.contrast, cleaning_of(item))
             for number, item in enumerate(files, 1)]
    return Domain(views, patch, [Path(item.path).name for item in files])


def cleaning_of(item: InputFile) -> Cleaning:
    """Densities have backgrounds that are constant and no gold."""
    return "off" if item.role in DENSITY_ROLES else "auto"


def voxel_size_of(wanted: float, files: Sequence[InputFile]) -> float:
    """The model's voxel size: the one wanted, or, for 0, that of the first volume."""
    if wanted > 0:
        return wanted
    header = read_header(files[0].path, files[0].voxel_size)
    if not header.voxel_size_is_known:
        raise InputError(f"{files[0].path}: the voxel size is unknown", "volumes with a voxel size", "give it with --voxel-size")
    return header.voxel_size


def is_alike(voxel_size: float, model_voxel_size: float) -> bool:
    """Whether a volume needs no resampling for a model."""
    return abs(voxel_size / model_voxel_size - 1) <= VOXEL_TOLERANCE


def coarseness_warnings(files: Sequence[InputFile], voxel_size: float) -> list[str]:
    """Volumes that are much coarser than ``voxel_size`` (Angstrom): resampling makes more voxels of them and no structure."""
    owns = [(item, read_header(item.path, item.voxel_size).voxel_size) for item in files]
    return [f"{item.path}: its voxels of {own:.4g} A were interpolated to {voxel_size:.4g} A, {(own / voxel_size) ** 3:.0f} for each; "
            f"nothing finer than {2 * own:.4g} A is in them, where the model looks" for item, own in owns if own > COARSE * voxel_size]


def open_checked(item: InputFile) -> Volume:
    """A volume whose voxel size is known; raises :class:`InputError` for another, and for a mask in place of a tomogram."""
    volume = open_volume(item.path, item.voxel_size)
    if not volume.header.voxel_size_is_known:
        raise InputError(f"{item.path}: the voxel size is unknown", "a volume with a voxel size", "give it with --voxel-size")
    if cleaning_of(item) == "auto":
        refuse_labels(item.path, volume.data)
    return volume


def _at_voxel_size(item: InputFile, number: int, voxel_size: float, folder: Path) -> Any:
    """The volume at ``voxel_size``; ``number`` in its set tells inputs of one name from each other."""
    volume = open_checked(item)
    own = volume.header.voxel_size
    if is_alike(own, voxel_size):
        return volume.data
    logger.info("%s: resampled from %.4g to %.4g A", item.path, own, voxel_size)
    target = folder / f"{item.role}_{number:03d}_{file_stem(name_of(item))}_{voxel_size:g}A.mrc"
    made_from = {"source": checksum(item.path), "voxel_sizes": [own, voxel_size]}
    if not _is_sound(target, made_from):
        write_volume(target, resample(volume.data, own, voxel_size), voxel_size)
        write_json(_record_of(target), {**made_from, "sha256": sha256(target)})
    return open_volume(target).data


def _record_of(copy: Path) -> Path:
    return copy.with_suffix(".json")


def _is_sound(copy: Path, made_from: dict[str, Any]) -> bool:
    """Whether a resampled copy was made from this source, and is as it was written."""
    if not (copy.exists() and _record_of(copy).exists()):
        return False
    try:
        return read_json(_record_of(copy)) == {**made_from, "sha256": sha256(copy)}
    except InputError:
        return False


def contrast_warnings(domain: Domain, names: Sequence[str]) -> list[str]:
    """Volumes that look as if their contrast was told wrongly: dense structure makes the brighter tail the longer one."""
    warnings = []
    for name, view in zip(names, domain.views):
        asymmetry = _coarse_skew(view)
        if asymmetry < -CLEAR_SKEW:
            warnings.append(f"{name}: after turning to bright particles its dark tail is the longer one (skewness {asymmetry:.2f}); "
                            "check which contrast it has")
    return warnings


def _coarse_skew(view: StandardisedView) -> float:
    side = max(1, min(SKEW_SAMPLE, min(view.shape)) // 4)
    depth = view.shape[0] // side * side
    rows = []
    for first in range(0, depth, side):
        slab = view[first:first + side]
        height, width = (length // side * side for length in slab.shape[1:])
        rows.append(slab[:, :height, :width].reshape(side, height // side, side, width // side, side).mean(axis=(0, 2, 4)).ravel())
    return float(skew(np.concatenate(rows)))
