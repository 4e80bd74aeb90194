"""The one particle table inside the package; every file format is read into it and written from it."""
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..runtime.errors import InputError
from .options import ScalesAbout, rescaled

UNKNOWN = math.nan


@dataclass(frozen=True)
class ParticleTable:
    """``n`` particles of one or several tomograms.

    ``zyx`` (n, 3) float64: voxel coordinates, 0-based, at voxel centres, in voxels of ``voxel_size`` Angstrom (NaN when the file
    does not tell). ``tilt_series_id`` (n,) str; ``class_id`` (n,) int with optional ``class_names``; ``score`` (n,) float, NaN
    when unknown; ``angles`` (n, 3) RELION rot, tilt, psi in degrees; ``diameters`` (n,) Angstrom, NaN when unknown. ``scales_about`` is
    what stays in place when the program the list came from changes the voxel size: the first outer ``face`` of the volume (as here, in
    ``volumes.resampling``, and in IMOD), or the ``centre`` of the first voxel (RELION, Warp, and whatever counts Angstrom from there).
    """

    zyx: np.ndarray
    tilt_series_id: np.ndarray
    voxel_size: float
    class_id: np.ndarray
    score: np.ndarray
    angles: np.ndarray
    diameters: np.ndarray
    class_names: Mapping[int, str] = field(default_factory=dict)
    scales_about: ScalesAbout = "face"

    def __post_init__(self) -> None:
        if self.zyx.ndim != 2 or self.zyx.shape[1] != 3:
            raise InputError(f"particle coordinates have the shape {self.zyx.shape}", "(number of particles, 3)")
        for name, shape in {"tilt_series_id": (len(self),), "class_id": (len(self),), "score": (len(self),),
                            "angles": (len(self), 3), "diameters": (len(self),)}.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"particle column {name} has the shape {getattr(self, name).shape}", str(shape))
        if not np.isfinite(self.zyx).all():
            row = int(np.flatnonzero(~np.isfinite(self.zyx).all(axis=1))[0])
            raise InputError(f"particle {row} has the coordinates {self.zyx[row].tolist()}", "finite numbers")

    def __len__(self) -> int:
        return int(self.zyx.shape[0])

    @classmethod
    def from_points(
        cls, zyx: Any, *, voxel_size: float = UNKNOWN, tilt_series_id: str | Sequence[str] | np.ndarray = "", class_id: Any = 1,
        score: Any = UNKNOWN, angles: Any = 0.0, diameters: Any = UNKNOWN, class_names: Mapping[int, str] | None = None,
        scales_about: ScalesAbout = "face",
    ) -> ParticleTable:
        """A table from (n, 3) points; every other column may be one value for all or one per particle."""
        points = np.array(zyx, dtype=np.float64, ndmin=2).reshape(-1, 3)
        n = len(points)

        def column(values: Any, dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
            return np.array(np.broadcast_to(np.asarray(values, dtype=dtype), shape))

        identifiers = column(tilt_series_id, object, (n,))
        return cls(points, identifiers, float(voxel_size), column(class_id, np.int64, (n,)), column(score, np.float64, (n,)),
                   column(angles, np.float64, (n, 3)), column(diameters, np.float64, (n,)), dict(class_names or {}),
                   scales_about)

    @property
    def voxel_size_is_known(self) -> bool:
        """Whether lengths can be told from the coordinates."""
        return math.isfinite(self.voxel_size) and self.voxel_size > 0

    @property
    def has_scores(self) -> bool:
        """Whether every particle (at least one) has a score."""
        return len(self) > 0 and bool(np.isfinite(self.score).all())

    def tilt_series_ids(self) -> list[str]:
        """The different tomograms, in order of first appearance."""
        return list(dict.fromkeys(self.tilt_series_id.tolist()))

    def select(self, mask: Any) -> ParticleTable:
        """The particles of a boolean mask, or of an index array in its order."""
        return replace(self, zyx=self.zyx[mask], tilt_series_id=self.tilt_series_id[mask], class_id=self.class_id[mask],
                       score=self.score[mask], angles=self.angles[mask], diameters=self.diameters[mask])

    def of_tomogram(self, tilt_series_id: str) -> ParticleTable:
        """The particles of one tomogram."""
        return self.select(self.tilt_series_id == tilt_series_id)

    def sorted_by_score(self) -> ParticleTable:
        """Best score first; equal and unknown scores keep their order."""
        return self.select(np.argsort(-np.nan_to_num(self.score, nan=-np.inf), kind="stable"))

    def at_voxel_size(self, voxel_size: float) -> ParticleTable:
        """The same places in voxels of another size (Angstrom), ready for a volume of that size.

        Voxels are boxes whose first outer faces coincide, as in ``volumes.resampling``: c -> (c + 0.5) a / b - 0.5. In a list that
        ``scales_about`` the first centre, c -> c a / b: that leads to the tomogram of the program the list came from; from there on the
        table follows the first rule, as this program's own resampling does.
        """
        if not self.voxel_size_is_known:
            raise InputError("the particle list does not tell its voxel size", "a list with a voxel size", "give voxel_size when reading")
        if not voxel_size > 0:
            raise InputError(f"voxel size {voxel_size}", "a positive number of Angstrom")
        if voxel_size == self.voxel_size:
            return replace(self, scales_about="face")
        return replace(self, zyx=rescaled(self.zyx, self.voxel_size / voxel_size, self.scales_about), voxel_size=float(voxel_size),
                       scales_about="face")

    def shifted(self, offset_zyx: Sequence[float]) -> ParticleTable:
        """All coordinates plus an offset (z, y, x) in voxels: from a crop back to its tomogram."""
        return replace(self, zyx=self.zyx + np.asarray(offset_zyx, dtype=np.float64))


def within_faces(points: np.ndarray, shape: Sequence[int], border_px: float) -> np.ndarray:
    """Bool (n,): whether points (n, 3), voxel centres, lie at least ``border_px`` voxels inside the faces of a volume of ``shape``."""
    return np.minimum(points + 0.5, np.array(shape) - 0.5 - points).min(axis=1, initial=np.inf) >= border_px


def in_slices(zyx: Any, z_range: tuple[int, int]) -> np.ndarray:
    """Which points (n, 3) lie in the slices [first, last): (n,) bool. A slice reaches half a voxel to both sides of its centre."""
    z = np.asarray(zyx, dtype=np.float64).reshape(-1, 3)[:, 0]
    return (z >= z_range[0] - 0.5) & (z < z_range[1] - 0.5)


def concatenate(tables: Sequence[ParticleTable]) -> ParticleTable:
    """One table from several of equal voxel size; raises :class:`InputError` when voxel sizes or class names disagree."""
    if not tables:
        return ParticleTable.from_points(np.zeros((0, 3)))
    first = tables[0]
    names: dict[int, str] = {}
    for table in tables:
        if table.voxel_size_is_known != first.voxel_size_is_known or (
                first.voxel_size_is_known and not math.isclose(table.voxel_size, first.voxel_size, rel_tol=1e-3)):
            raise InputError(f"particle lists of voxel sizes {first.voxel_size} and {table.voxel_size} A", "one voxel size",
                             "convert with at_voxel_size first")
        for number, name in table.class_names.items():
            if names.setdefault(number, name) != name:
                raise InputError(f"class {number} is called both '{names[number]}' and '{name}'", "one name for each class number")

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(table, name) for table in tables])

    return ParticleTable(joined("zyx"), joined("tilt_series_id"), first.voxel_size, joined("class_id"), joined("score"),
                         joined("angles"), joined("diameters"), names,
                         "centre" if all(table.scales_about == "centre" for table in tables) else "face")
