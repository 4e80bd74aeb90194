"""What the simulator hands out."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..particles.table import ParticleTable
from .params import SimulationParameters
from .tilt_series import TiltSeries

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class SimulatedTomogram:
    """A tomogram with its truth. All volumes are (z, y, x) with BRIGHT particles, as everywhere inside the core.

    ``reconstruction`` has mean 0 and variance 1; ``clean`` is the noise-free part of it on the same scale, so their difference is
    the noise. ``grand_model`` is the density (solvent 0, protein 1). ``class_mask`` holds the numbers of ``class_names``;
    ``instance_mask`` the row of ``particles`` plus 1, filaments and beads behind; ``membrane_mask`` is 1 in bilayers.
    ``images`` (tilt, y, x) are the recorded tilts, dark where dense. ``half_maps`` are scaled as ``reconstruction``. ``snr`` and
    ``projection_snr`` are measured, the latter on the tilt nearest to 0.
    """

    reconstruction: Volume
    clean: Volume
    grand_model: Volume
    class_mask: NDArray[np.int16]
    instance_mask: NDArray[np.int32]
    membrane_mask: NDArray[np.int8]
    particles: ParticleTable
    class_names: dict[int, str]
    parameters: SimulationParameters
    seed: int
    tilt_series: TiltSeries
    images: Volume
    snr: float
    projection_snr: float
    half_maps: tuple[Volume, Volume] | None = None

    def numbers(self) -> dict[str, int]:
        """How many labelled particles of each class were placed."""
        return {name: int((self.particles.class_id == number).sum()) for number, name in self.particles.class_names.items()}
