"""Using a trained DUAL on whole volumes: denoise, simulate, convert. Everything streams, and no result depends on the tile.

Tiles overlap by twice the reach of the network and start at multiples of its stride, so each voxel sees what it would see in one piece;
the network runs in float32, because half precision rounds differently in tiles of different size.
"""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..inference.tiled import apply_tiled
from ..runtime.device import choose_device
from ..runtime.errors import InputError
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.names import file_stem, name_of, named_inputs
from ..runtime.params import parameters_from
from ..runtime.seeds import numpy_generator
from ..volumes.io import Volume, create_volume
from ..volumes.resampling import resample_into, resampled_shape
from ..volumes.streaming import temporary_volume
from .data import StandardisedView, cleaning_of, coarseness_warnings, is_alike, open_checked
from .model import DualNetworks, load_dual
from .networks import FilteredUNet
from .noise import NoisyDensity
from .params import ConvertParameters, DenoiseParameters, SimulateDualParameters

SMALLEST_SIDE = 16


def translate(network: FilteredUNet, source: Any, target: Any, tile_px: int, device: torch.device,
              finish: Callable[[np.ndarray], np.ndarray] | None = None, description: str = "tiles") -> None:
    """Run a U-Net of this room over ``source`` (z, y, x) into ``target``, reflected at the faces. ``tile_px`` changes speed alone."""
    reach, stride = network.reach, network.stride
    core = max(stride, tile_px // stride * stride)
    tile = [min(core + 2 * reach, -(-side // stride) * stride + 2 * reach) for side in source.shape]
    apply_tiled(_float32_function(network, device), source, target, tile, 2 * reach, blending="crop", border="reflect",
                align=stride, tile_multiple=stride, finish=finish, description=description)


def _float32_function(network: nn.Module, device: torch.device) -> Callable[[np.ndarray], np.ndarray]:
    network.eval()

    def function(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(tiles)[:, None].to(device).contiguous(memory_format=torch.channels_last_3d)
            return network(batch).float().cpu().numpy()

    return function


def denoise(model: DualNetworks, tomogram: StandardisedView, target: Any, tile_px: int, device: torch.device) -> None:
    """v_f = D(t_r): the density behind a tomogram, with the grey scale and contrast of the tomogram's file."""
    translate(model.denoiser, tomogram, target, tile_px, device, tomogram.restored, "denoise")


def simulate(model: DualNetworks, density: StandardisedView, target: Any, seed: int, tile_px: int, device: torch.device,
             bright: bool = False, noise: float = 1.0) -> None:
    """t_f = G_s(S v + P[G_n(z)]) with one noise field for the whole volume: a synthetic tomogram of mean about 0 and, with all of the
    ``noise``, deviation 1."""
    noisy = NoisyDensity(density, model.generator.transfer, model.decoder, seed, device, noise)
    translate(model.generator, noisy, target, tile_px, device, None if bright else np.negative, "simulate")


def run_denoise(job: Job) -> MethodOutcome:
    """Denoise the inputs ``tomogram`` with the model folder under the role ``model``: ``<name>_denoised.mrc`` each."""
    p = parameters_from(DenoiseParameters, job.parameters)
    return _each(job, "tomogram", "denoised", lambda model, view, target, device: denoise(model, view, target, p.tile_px, device))


def run_simulate(job: Job) -> MethodOutcome:
    """Synthetic tomograms of the inputs ``grand_model``: ``<name>_synthetic.mrc`` each. The noise of volume i has the seed ``seed + i``."""
    p = parameters_from(SimulateDualParameters, job.parameters)
    seeds = iter(range(job.seed, job.seed + len(job.inputs)))
    shares: list[float] = []

    def make(model: DualNetworks, view: StandardisedView, target: Any, device: torch.device) -> None:
        seed = next(seeds)
        shares.append(float(numpy_generator(seed, "noise share").uniform(p.least_noise, 1.0)))
        simulate(model, view, target, seed, p.tile_px, device, p.contrast == "bright", shares[-1])

    outcome = _each(job, "grand_model", "synthetic", make)
    outcome.metrics["noise_shares"] = shares
    return outcome


def run_convert(job: Job) -> MethodOutcome:
    """Bring the inputs ``tomogram`` into the style of the clean or of the noisy set that the model was trained on."""
    p = parameters_from(ConvertParameters, job.parameters)
    seeds = iter(range(job.seed, job.seed + len(job.inputs)))

    def convert(model: DualNetworks, view: StandardisedView, target: Any, device: torch.device) -> None:
        if p.direction == "to_clean":
            denoise(model, view, target, p.tile_px, device)
        else:
            simulate(model, view, target, next(seeds), p.tile_px, device, view.contrast == "bright")

    return _each(job, "tomogram", "converted", convert)


Conversion = Callable[[DualNetworks, StandardisedView, Any, torch.device], None]


def _each(job: Job, role: str, suffix: str, convert: Conversion) -> MethodOutcome:
    inputs = named_inputs(job, role)
    device = choose_device(job.device)
    model, card = load_dual(job.input_of("model").path, device)
    outcome = MethodOutcome(warnings=coarseness_warnings(inputs, card.voxel_size))
    for item in inputs:
        path = Path(job.output_folder) / f"{file_stem(name_of(item))}_{suffix}.mrc"
        voxel_size = convert_file(item, path, card.voxel_size, lambda view, target: convert(model, view, target, device))
        outcome.outputs.append(Output(kind="tomogram", path=path.name, voxel_size=voxel_size, tilt_series_id=item.tilt_series_id))
    return outcome


def convert_file(item: InputFile, path: Path, model_voxel_size: float, convert: Callable[[StandardisedView, Any], None]) -> float:
    """Read a volume at the model's voxel size, ``convert`` it, write it on the grid of the file; returns the file's voxel size."""
    volume = open_checked(item)
    own, shape = volume.header.voxel_size, tuple(volume.header.shape)
    alike = is_alike(own, model_voxel_size)
    check_large_enough(item, shape if alike else resampled_shape(shape, own, model_voxel_size))
    with create_volume(path, shape, "float32", own, volume.header.origin) as target:
        if alike:
            view = StandardisedView(volume.data, item.contrast, cleaning_of(item))
            convert(view, target)
            view.blank(target, view.mean)
        else:
            _convert_resampled(volume, item, model_voxel_size, convert, target)
    return own


def _convert_resampled(
    volume: Volume, item: InputFile, model_voxel_size: float, convert: Callable[[StandardisedView, Any], None], target: Any,
) -> None:
    view = resampled_view(volume, item, model_voxel_size)
    converted = temporary_volume(view.shape, np.float32)
    convert(view, converted)
    resample_into(converted, model_voxel_size, volume.header.voxel_size, target)


def resampled_view(volume: Volume, item: InputFile, voxel_size: float) -> StandardisedView:
    """A volume as a model of another voxel size (Angstrom) sees it, in a temporary file."""
    own = volume.header.voxel_size
    source = temporary_volume(resampled_shape(tuple(volume.header.shape), own, voxel_size), np.float32)
    resample_into(volume.data, own, voxel_size, source)
    return StandardisedView(source, item.contrast, cleaning_of(item))


def check_large_enough(item: InputFile, shape: tuple[int, ...]) -> None:
    """Raises :class:`InputError` where a volume has too few voxels at the model's voxel size: ``shape`` (z, y, x)."""
    if min(shape) < SMALLEST_SIDE:
        raise InputError(f"{item.path} has {shape} voxels (z, y, x) at the model's voxel size",
                         f"at least {SMALLEST_SIDE} along each axis", "give a larger tomogram or a model of a finer voxel size")
