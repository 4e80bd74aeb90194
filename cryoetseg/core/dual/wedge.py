"""Joining what was measured with what a network puts into the missing wedge (spec C10), plane by plane.

out = IFFT(M F(t) + (1 - M) (s F(guess) + F(noise))): M is 1 where the tilt series measured and falls to 0 inside the wedge; s brings the
guess to the strength that it has where both are known. The paper does not say how it joins. Two kinds of model guess:

- a translator of ``dual train-wedge``, as published: the guess looks like the turned tomograms, noise and all; s matches amplitudes ring
  by ring;
- a DUAL of ``dual train``: its density D(t), which has no wedge; s is one factor of least squares, which noise does not enlarge. Noise
  comes, where it is wanted, from the structural generator without density, turned by 90 degrees so that its own wedge lies elsewhere.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import fft

from ..models.card import read_card
from ..runtime.device import choose_device
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem, name_of, named_inputs
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..volumes.io import Volume, create_volume
from ..volumes.resampling import resample_into, resampled_shape
from ..volumes.streaming import read_rows, release_pages, temporary_volume
from ..volumes.wedge import check_tilt_range, measured_plane, missing_energy
from .apply import check_large_enough, resampled_view, translate
from .data import StandardisedView, cleaning_of, coarseness_warnings, is_alike, open_checked
from .model import METHOD as DUAL
from .model import DualNetworks, load_dual
from .networks import FilteredUNet
from .noise import NoisyDensity
from .params import WedgeParameters
from .wedge_networks import WedgeNetworks
from .wedge_train import TurnedView, load_wedge

ROWS = 16  # planes (z, x) worked on at once
SCALE_RANGE = (0.2, 5.0)


def join(measured: Any, guess: Any, noise: Any | None, target: Any, weights: np.ndarray, scale: np.ndarray) -> None:
    """Write ``measured`` (z, y, x) with the missing wedge from ``scale`` times ``guess`` plus ``noise``, if any, into ``target``.

    All volumes are sliced along y; ``weights`` (:func:`measured_plane`) and ``scale`` lie on the rfft2 grid of a plane (z, x).
    """
    depth, height, width = measured.shape
    for rows in track(_slabs(height), "join wedges"):
        filling = scale[:, None] * _planes(guess, rows)
        if noise is not None:
            filling += _planes(noise, rows)
        joined = weights[:, None] * _planes(measured, rows) + (1 - weights)[:, None] * filling
        target[:, rows] = fft.irfft2(joined, s=(depth, width), axes=(0, 2)).astype(np.float32)
        release_pages(target)


def amplitude_scale(measured: Any, guess: Any, weights: np.ndarray) -> np.ndarray:
    """Amplitude of ``measured`` over that of ``guess`` in rings of the (z, x) plane, from the measured coefficients alone."""
    sums = _ring_sums(measured, guess, weights)
    known = (sums.measured > 0) & (sums.guess > 0)
    scale = np.sqrt(np.divide(sums.measured, sums.guess, out=np.ones_like(sums.guess), where=known))
    return np.clip(scale, *SCALE_RANGE)[_rings(measured.shape)]


def structure_scale(measured: Any, guess: Any, weights: np.ndarray) -> np.ndarray:
    """The factor of ``guess`` nearest to ``measured``, at least 0, from the measured coefficients alone: one for all rings.

    A factor for each ring would strengthen the high frequencies, of which a denoiser is least certain.
    """
    sums = _ring_sums(measured, guess, weights)
    # the innermost ring holds the means
    factor = sums.common[1:].sum() / max(float(sums.guess[1:].sum()), np.finfo(float).tiny)
    return np.full(weights.shape, np.clip(factor, 0, SCALE_RANGE[1]))


class _RingSums(NamedTuple):
    """Sums over the measured coefficients of each ring: powers of both volumes and the real part of their product."""

    measured: np.ndarray
    guess: np.ndarray
    common: np.ndarray


def _ring_sums(measured: Any, guess: Any, weights: np.ndarray) -> _RingSums:
    sums = np.zeros((3, *weights.shape))
    for rows in _slabs(measured.shape[1]):
        first, second = _planes(measured, rows), _planes(guess, rows)
        sums += [(values.real).sum(axis=1) for values in (first * first.conj(), second * second.conj(), first * second.conj())]
    rings, known = _rings(measured.shape), weights == 1
    return _RingSums(*(np.bincount(rings[known], plane[known], rings.max() + 1) for plane in sums))


def _rings(shape: tuple[int, int, int]) -> np.ndarray:
    """Number of the ring of each coefficient of the rfft2 grid of a plane (z, x)."""
    length = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[2])[None])
    return np.rint(length * min(shape[0], shape[2])).astype(np.int64)


def _slabs(height: int) -> list[slice]:
    return [slice(first, min(first + ROWS, height)) for first in range(0, height, ROWS)]


def _planes(volume: Any, rows: slice) -> np.ndarray:
    return np.asarray(fft.rfft2(read_rows(volume, rows).astype(np.float32, copy=False), axes=(0, 2)))


Scale = Callable[[Any, Any, np.ndarray], np.ndarray]


class Filling(NamedTuple):
    """What goes into the wedge of a tomogram, on its grid (z, y, x) and grey scale, and how the guess finds its strength."""

    guess: Any
    noise: Any | None
    scale: Scale


Filler = Callable[[StandardisedView], Filling]


def translation(pair: WedgeNetworks, tomogram: StandardisedView, p: WedgeParameters, device: torch.device) -> Filling:
    """The tomogram in the style of the turned ones."""
    return Filling(_answer(pair.fill, tomogram, p, device), None, amplitude_scale)


def density(model: DualNetworks, tomogram: StandardisedView, p: WedgeParameters, seed: int, device: torch.device) -> Filling:
    """The density behind the tomogram, under as much synthetic noise as the parameters ask for."""
    noise = turned_noise(model, tomogram, p, seed, device) if p.noise > 0 else None
    return Filling(_answer(model.denoiser, tomogram, p, device), noise, structure_scale)


def _answer(network: FilteredUNet, tomogram: StandardisedView, p: WedgeParameters, device: torch.device) -> Any:
    guess = temporary_volume(tomogram.shape, np.float32)
    translate(network, tomogram, guess, p.tile_px, device, tomogram.restored, "fill")
    return guess


def fill(tomogram: StandardisedView, filling: Filling, target: Any, p: WedgeParameters) -> None:
    """Join a tomogram, whatever its type, with what fills its wedge: what was measured stays."""
    measured = _Restored(tomogram)
    weights = measured_plane(tomogram.shape[0], tomogram.shape[2], p.tilt_min, p.tilt_max, p.softness_px)
    join(measured, filling.guess, filling.noise, target, weights, filling.scale(measured, filling.guess, weights))


def turned_noise(model: DualNetworks, tomogram: StandardisedView, p: WedgeParameters, seed: int, device: torch.device) -> TurnedView:
    """Synthetic noise on the grey scale of a tomogram, of its shape, whose missing wedge lies where the tomogram was measured."""
    depth, height, width = tomogram.shape
    turned = temporary_volume((width, height, depth), np.float32)
    empty = NoisyDensity(np.broadcast_to(np.float32(0), turned.shape), model.generator.transfer, model.decoder, seed, device)
    factor = np.float32(p.noise * tomogram.deviation)
    translate(model.generator, empty, turned, p.tile_px, device, lambda values: values * factor, "noise")
    return TurnedView(turned)


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
    tomograms = named_inputs(job, "tomogram")
    device = choose_device(job.device)
    filler, model_voxel_size = _filler(job, p, device)
    outcome = MethodOutcome(warnings=coarseness_warnings(tomograms, model_voxel_size))
    for item in tomograms:
        outcome.outputs.append(_fill_file(item, Path(job.output_folder), filler, model_voxel_size, p, outcome.metrics))
    return outcome


def _filler(job: Job, p: WedgeParameters, device: torch.device) -> tuple[Filler, float]:
    """What fills a tomogram, by the kind of the job's model, and the model's voxel size."""
    folder = job.input_of("model").path
    if read_card(folder).network == DUAL:
        model, card = load_dual(folder, device)
        seeds = iter(range(job.seed, job.seed + len(job.inputs)))
        return lambda view: density(model, view, p, next(seeds), device), card.voxel_size
    pair, card = load_wedge(folder, device)
    return lambda view: translation(pair, view, p, device), card.voxel_size


def _fill_file(item: InputFile, folder: Path, filler: Filler, model_voxel_size: float, p: WedgeParameters,
               metrics: dict[str, Any]) -> Output:
    """Only the guess is ever resampled: the tomogram is joined on its own grid, where its coefficients were measured."""
    path = folder / f"{file_stem(name_of(item))}_filled.mrc"
    volume = open_checked(item)
    own, shape = volume.header.voxel_size, tuple(volume.header.shape)
    alike = is_alike(own, model_voxel_size)
    check_large_enough(item, shape if alike else resampled_shape(shape, own, model_voxel_size))
    view = StandardisedView(volume.data, item.contrast, cleaning_of(item))
    with create_volume(path, shape, "float32", own, volume.header.origin) as target:
        fill(view, filler(view) if alike else _resampled(filler, volume, item, model_voxel_size), target, p)
        view.blank(target, view.mean)
        metrics[name_of(item)] = {"missing_energy_before": missing_energy(view, p.tilt_min, p.tilt_max),
                                  "missing_energy_after": missing_energy(target, p.tilt_min, p.tilt_max)}
    return Output(kind="tomogram", path=path.name, voxel_size=own, tilt_series_id=item.tilt_series_id)


def _resampled(filler: Filler, volume: Volume, item: InputFile, model_voxel_size: float) -> Filling:
    """What a model of another voxel size puts into the wedge, on the grid of the file."""
    filling = filler(resampled_view(volume, item, model_voxel_size))

    def on_grid(values: Any) -> Any:
        result = temporary_volume(tuple(volume.header.shape), np.float32)
        resample_into(values, model_voxel_size, volume.header.voxel_size, result)
        return result

    return filling._replace(guess=on_grid(filling.guess), noise=None if filling.noise is None else on_grid(filling.noise))
