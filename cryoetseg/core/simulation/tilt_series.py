"""The plan of a tilt series: angles, order, dose, defocus and the errors of alignment, all drawn before anything is computed."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .params import SimulationParameters

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TiltSeries:
    """One row a tilt, ordered by angle.

    ``angles`` are what the reconstruction believes, ``true_angles`` what was recorded (degrees); ``dose_before`` in e/A2;
    ``defocus`` in um; ``shifts`` (n, 2) left by alignment along (y, x) in voxels; ``transmission`` is the share of electrons that
    pass the ice without energy loss.
    """

    angles: Array
    true_angles: Array
    dose_before: Array
    defocus: Array
    shifts: Array
    transmission: Array

    def __len__(self) -> int:
        return len(self.angles)


def plan_tilt_series(p: SimulationParameters, thickness: float, rng: np.random.Generator) -> TiltSeries:
    """Draw a tilt series for a sample of ``thickness`` Angstrom."""
    angles = tilt_angles(p.tilt_min, p.tilt_max, p.tilt_step)
    count = len(angles)
    rank = recording_rank(angles, p.tilt_order)
    series_defocus = rng.uniform(p.defocus_min, p.defocus_max)
    defocus = np.maximum(series_defocus + rng.normal(0, 1, count) * p.defocus_jitter, 0.0)
    spread = p.misalignment / p.voxel_size * (0.5 + 0.5 * np.abs(angles) / max(np.abs(angles).max(), 1.0))
    shifts = rng.normal(size=(count, 2)) * spread[:, None]
    true_angles = angles + rng.normal(size=count) * p.tilt_angle_error
    # CryoTomoSim, spec D2.6: exp(-d / (L cos a))
    transmission = np.exp(-thickness / (p.mean_free_path * np.cos(np.deg2rad(angles))))
    return TiltSeries(angles, true_angles, rank * p.total_dose / count, defocus, shifts, transmission)


def tilt_angles(first: float, last: float, step: float) -> Array:
    """Angles from ``first`` in steps up to ``last`` (degrees)."""
    return first + step * np.arange(int(np.floor((last - first) / step + 1e-6)) + 1)


def recording_rank(angles: Array, order: str) -> NDArray[np.int64]:
    """At which place each tilt is recorded: outwards in alternating directions, or in the order of the angles."""
    keys = np.arange(len(angles)) if order == "sequential" else np.lexsort((-angles, np.round(np.abs(angles), 6)))
    rank = np.empty(len(angles), dtype=np.int64)
    rank[keys] = np.arange(len(angles))
    return rank
