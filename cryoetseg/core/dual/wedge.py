"""Joining what was measured with what a translation put into the missing wedge (spec C10), plane by plane.

out = IFFT(M F(t) + (1 - M) s F(fill(t))): M is 1 where the tilt series measured and falls to 0 inside the wedge; s matches, ring by
ring, the amplitude of the translation to the tomogram's where both are known. The paper does not say how it joins.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import fft

from ..runtime.device import choose_device
from ..runtime.errors import JobError
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.streaming import release_pages, temporary_volume
from ..volumes.wedge import check_tilt_range, measured_plane, missing_energy
from .apply import convert_file, translate
from .data import StandardisedView
from .params import WedgeParameters
from .wedge_train import WedgeNetworks, load_wedge

ROWS = 16  # planes (z, x) worked on at once
SCALE_RANGE = (0.2, 5.0)


def join(measured: Any, filled: Any, target: Any, tilt_min: float, tilt_max: float, softness_px: float) -> None:
    """Write ``measured`` (z, y, x) with the missing wedge taken from ``filled`` into ``target``; all three are sliced along y."""
    depth, height, width = measured.shape
    weights = measured_plane(depth, width, tilt_min, tilt_max, softness_px)
    scale = _ring_scale(measured, filled, weights)
    for first in track(range(0, height, ROWS), "join wedges"):
        rows = slice(first, min(first + ROWS, height))
        known, guessed = (fft.rfft2(np.asarray(volume[:, rows], np.float32), axes=(0, 2)) for volume in (measured, filled))
        joined = weights[:, None] * known + ((1 - weights) * scale)[:, None] * guessed
        target[:, rows] = fft.irfft2(joined, s=(depth, width), axes=(0, 2)).astype(np.float32)
        for volume in (measured, filled, target):
            release_pages(volume)


def _ring_scale(measured: Any, filled: Any, weights: np.ndarray) -> np.ndarray:
    """Amplitude of ``measured`` over that of ``filled`` in rings of the (z, x) plane, from the measured coefficients alone."""
    depth, height, width = measured.shape
    powers = [np.zeros(weights.shape), np.zeros(weights.shape)]
    for first in range(0, height, ROWS):
        rows = slice(first, min(first + ROWS, height))
        for total, volume in zip(powers, (measured, filled)):
            total += (np.abs(fft.rfft2(np.asarray(volume[:, rows], np.float32), axes=(0, 2))) ** 2).sum(axis=1)
    ring = np.rint(np.hypot(np.fft.fftfreq(depth)[:, None], np.fft.rfftfreq(width)[None]) * min(depth, width)).astype(np.int64)
    known = (weights == 1).ravel()
    sums = [np.bincount(ring.ravel()[known], power.ravel()[known], ring.max() + 1) for power in powers]
    scale = np.sqrt(np.divide(sums[0], sums[1], out=np.ones_like(sums[0]), where=(sums[0] > 0) & (sums[1] > 0)))
    return np.clip(scale, *SCALE_RANGE)[ring]


def fill_wedge(pair: WedgeNetworks, tomogram: StandardisedView, target: Any, parameters: WedgeParameters,
               device: torch.device) -> None:
    """Translate a tomogram and join the result with it."""
    filled = temporary_volume(tomogram.shape, np.float32)
    translate(pair.fill, tomogram, filled, parameters.tile_px, device, tomogram.restored, "fill")
    join(_Restored(tomogram), filled, target, parameters.tilt_min, parameters.tilt_max, parameters.softness_px)


class _Restored:
    """The tomogram as its file has it, whatever the type."""

    def __init__(self, view: StandardisedView) -> None:
        self.shape, self._volume = view.shape, view.volume
        self._mmap, self.mode = view._mmap, view.mode

    def __getitem__(self, window: Any) -> np.ndarray:
        return np.asarray(self._volume[window], dtype=np.float32)


def run(job: Job) -> MethodOutcome:
    """Fill the missing wedge of the inputs ``tomogram``: ``<name>_filled.mrc`` each, with the energy inside the wedge before and after."""
    p = parameters_from(WedgeParameters, job.parameters)
    check_tilt_range(p.tilt_min, p.tilt_max)
    tomograms = job.inputs_of("tomogram")
    if not tomograms:
        raise JobError("no input has the role 'tomogram'", "at least one tomogram")
    device = choose_device(job.device)
    pair, card = load_wedge(job.input_of("model").path, device)
    outcome = MethodOutcome()
    for item in tomograms:
        outcome.outputs.append(_fill_file(item, Path(job.output_folder), pair, card.voxel_size, p, device, outcome.metrics))
    return outcome


def _fill_file(item: InputFile, folder: Path, pair: WedgeNetworks, model_voxel_size: float, p: WedgeParameters, device: torch.device,
               metrics: dict[str, Any]) -> Output:
    path = folder / f"{Path(item.path).stem}_filled.mrc"

    def convert(view: StandardisedView, target: Any) -> None:
        fill_wedge(pair, view, target, p, device)
        metrics[Path(item.path).stem] = {"missing_energy_before": missing_energy(view, p.tilt_min, p.tilt_max),
                                         "missing_energy_after": missing_energy(target, p.tilt_min, p.tilt_max)}

    voxel_size = convert_file(item, path, model_voxel_size, convert)
    return Output(kind="tomogram", path=path.name, voxel_size=voxel_size, tilt_series_id=item.tilt_series_id)
