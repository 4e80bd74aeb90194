"""A tomogram as every method reads it: invalid voxels at the valid mean, outliers clipped, standardised, particles bright."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ..runtime.errors import InputError, ParameterError
from ..runtime.job import InputFile
from .asymmetry import check_contrast
from .checks import expanded
from .cleaning import GreyValues, examine, standardisation, unexamined
from .header import VolumeHeader
from .io import PathLike, open_labels, open_volume, read_header
from .labels import refuse_labels
from .streaming import release_pages, z_slabs

Cleaning = Literal["auto", "off"]
LEAST_VALID = 0.01  # share of valid voxels below which there is nothing to work on
TOLD_INVALID = 0.1  # share of invalid voxels that a user is told of
SIGNS = {"dark": -1.0, "bright": 1.0}


def cleaned(volume: Any, contrast: str, cleaning: Cleaning = "auto") -> CleanedView:
    """A volume (z, y, x) that is open already as every method reads it, with bright particles; a cleaned one as it is."""
    if isinstance(volume, CleanedView):
        return volume
    return CleanedView(volume, contrast, examine(volume) if cleaning == "auto" else unexamined(volume))


class CleanedView:
    """A read-only float32 view (z, y, x) of a volume, made where it is sliced; nothing is copied.

    Mean 0 and deviation 1 over the valid voxels, clipped at the median +- 5 robust deviations; invalid voxels are 0, so that no filter
    and no network sees a step there. ``grey`` says what is invalid.
    """

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, volume: Any, contrast: str = "bright", grey: GreyValues | None = None, corner: tuple[int, ...] = (0, 0, 0)) -> None:
        if contrast not in SIGNS:
            raise ParameterError(f"contrast = {contrast!r}", "dark, bright", "say how particles look in this volume")
        self.volume, self.grey, self.sign, self.contrast = volume, grey or examine(volume), SIGNS[contrast], contrast
        self.mean, self.deviation = standardisation(self.grey)
        self._corner = corner  # of the volume in the one that was examined
        self.shape: tuple[int, ...] = tuple(volume.shape)
        self._mmap, self.mode = getattr(volume, "_mmap", None), getattr(volume, "mode", "c")  # lets release_pages reach the map

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:, :, :].astype(dtype or self.dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        block = np.array(self.volume[key], dtype=np.float32)
        if self.deviation == 0:  # one that is no number goes through, so that what reads it refuses it
            return np.zeros_like(block)
        invalid = None if self.grey.invalid is None else ~self.valid(key)
        np.clip(block, self.grey.low, self.grey.high, out=block)
        block -= np.float32(self.mean)
        block *= np.float32(self.sign / self.deviation)
        if invalid is not None:
            block[invalid] = 0
        return block

    def valid(self, key: Any) -> np.ndarray:
        """Bool, of the shape that the view has at ``key``: voxels that show sample."""
        parts = expanded(key, 3)
        windows = [slice(part, part + 1 or None) if isinstance(part, (int, np.integer)) else part for part in parts]
        whole = [slice(*part.indices(size)) for part, size in zip(windows, self.shape)]
        if self.grey.invalid is None:
            mask = np.ones([len(range(part.start, part.stop, part.step)) for part in whole], bool)
        else:
            outer = tuple(slice(part.start + first, part.stop + first) for part, first in zip(whole, self._corner))
            mask = ~self.grey.invalid[outer][tuple(slice(None, None, part.step) for part in whole)]
        return mask[tuple(0 if isinstance(part, (int, np.integer)) else slice(None) for part in parts)]

    def valid_at(self, zyx: np.ndarray) -> np.ndarray:
        """Bool (n,): whether there is sample at the points (n, 3), voxels (z, y, x) of the view."""
        if self.grey.invalid is None:
            return np.ones(len(zyx), bool)
        return ~self.grey.invalid.at(np.asarray(zyx, dtype=np.float64).reshape(-1, 3) + self._corner)

    def blank(self, target: Any, value: float = 0) -> None:
        """Set ``target``, a result (z, y, x) of the view's shape, to ``value`` where no sample is shown; streams."""
        if self.grey.invalid is None:
            return
        for window in z_slabs(self.shape):
            if self.grey.invalid.any_in(window.start + self._corner[0], window.stop + self._corner[0]):
                values = np.array(target[window])
                values[~self.valid(window)] = value
                target[window] = values
                release_pages(target)

    def part(self, window: tuple[slice, ...]) -> CleanedView:
        """A window (slices of step 1, as many axes as are cut) as a view of its own with the grey values of the whole; nothing is read."""
        spans = [part.indices(size) for part, size in zip(expanded(window, 3), self.shape)]
        corner = tuple(own + first for own, (first, _, _) in zip(self._corner, spans))
        return CleanedView(self.volume[tuple(slice(*span) for span in spans)], self.contrast, self.grey, corner)

    def sample_box(self, slices: Sequence[int] | None = None) -> tuple[slice, slice, slice]:
        """The smallest box (z, y, x) that holds all that shows sample, of ``slices`` or of all: for what works inside it the volume ends
        there, as it would without a border or padding. Everything where nothing shows sample."""
        numbers = list(range(len(self)) if slices is None else slices)
        everything = slice(numbers[0], numbers[-1] + 1), slice(0, self.shape[1]), slice(0, self.shape[2])
        if self.grey.invalid is None:
            return everything
        shown = [np.zeros(len(numbers), bool), *(np.zeros(side, bool) for side in self.shape[1:])]
        for place, z in enumerate(numbers):
            plane = self.valid(z)
            shown[0][place] = plane.any()
            shown[1] |= plane.any(axis=1)
            shown[2] |= plane.any(axis=0)
        if not shown[0].any():
            return everything
        spans = [np.flatnonzero(axis) for axis in shown]
        y, x = (slice(int(span[0]), int(span[-1]) + 1) for span in spans[1:])
        return slice(numbers[spans[0][0]], numbers[spans[0][-1]] + 1), y, x

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Values on the view's scale, back on the scale and with the contrast of the file."""
        return values * np.float32(self.sign * self.deviation) + np.float32(self.mean)


def open_cleaned(
    path: PathLike, contrast: str, voxel_size: float | None = None, cleaning: Cleaning = "auto",
) -> tuple[CleanedView, VolumeHeader]:
    """Open a tomogram as every method reads it, without holding it in memory; ``cleaning`` off takes every voxel as it is.

    Raises :class:`InputError` as :func:`.io.open_volume` does, and where the grey values clearly contradict ``contrast``; values that
    are no numbers are allowed.
    """
    if cleaning == "off":
        volume = open_volume(path, voxel_size)
        return CleanedView(volume.data, contrast, unexamined(volume.data)), volume.header
    volume = open_labels(path, voxel_size)
    grey = examine(volume.data, f"grey values of {volume.header.path.name}")
    if not grey.deviation > 0 or grey.invalid_share > 1 - LEAST_VALID:
        raise InputError(f"{path}: data: {grey.invalid_share:.1%} of the voxels are constant or no numbers, the others have the value "
                         f"{grey.median:g} +- {grey.deviation:.3g}", "a volume with contrast",
                         "the reconstruction failed or the file was only allocated: make it again")
    refuse_labels(str(path), volume.data)
    if contrast in SIGNS:
        check_contrast(str(path), grey, contrast)
    return CleanedView(volume.data, contrast, grey), volume.header


def checked_header(item: InputFile) -> VolumeHeader:
    """The header of a tomogram whose voxel size is known; raises :class:`InputError` for another, because lengths would mean nothing."""
    header = read_header(item.path, item.voxel_size)
    if not header.voxel_size_is_known:
        raise InputError(f"{item.path}: the voxel size is unknown", "a tomogram with a voxel size", "give it with --voxel-size")
    return header


def told(name: str, grey: GreyValues) -> list[str]:
    """What a user should know of invalid voxels: a sentence when they are more than a tenth."""
    if grey.invalid_share <= TOLD_INVALID:
        return []
    return [f"{name}: {grey.invalid_share:.0%} of the voxels show no sample (borders, empty corners, gold): nothing is sought there"]
