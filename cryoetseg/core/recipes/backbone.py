"""The recipe of ``cryoet-tiny``: simulated tomograms over voxel sizes, defocus and SNR, then the training of the backbone on them."""
from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np

from ..runtime.files import write_json
from ..runtime.job import InputFile
from ..runtime.params import Parameters, parameter
from ..runtime.progress import track
from ..runtime.seeds import numpy_generator, stream_seed
from ..simulation.apply import simulate
from ..simulation.params import SimulationParameters
from ..volumes.io import write_volume

VOXEL_SIZES = (5.0, 6.5, 8.0, 10.0, 10.0, 13.5, 13.5, 17.0, 22.0, 31.4, 31.4)


class SceneParameters(Parameters):
    """The simulated tomograms a backbone is trained on."""

    scenes: int = parameter(55, "Number of simulated tomograms.", ge=2)
    size_z: int = parameter(40, "Height of a scene.", unit="voxels", ge=16)
    size_xy: int = parameter(192, "Width and depth of a scene.", unit="voxels", ge=128)
    snr_min: float = parameter(0.03, "Lowest signal-to-noise ratio; drawn evenly on a logarithmic scale.", gt=0)
    snr_max: float = parameter(1.0, "Highest signal-to-noise ratio.", gt=0)
    weighting: Literal["crowther", "ramp"] = parameter("crowther", "Weighting of the reconstruction; a third of the scenes take the other.")


def draw_scene(number: int, parameters: SceneParameters, seed: int) -> SimulationParameters:
    """Draw the sample and the microscope of scene ``number``."""
    generator = numpy_generator(seed, "scene", number)
    voxel_size = VOXEL_SIZES[number % len(VOXEL_SIZES)]
    area = (parameters.size_xy * voxel_size / 2000) ** 2  # in units of (200 nm)^2: larger fields hold more membranes
    some = math.ceil(2 * area)
    snr = math.exp(generator.uniform(math.log(parameters.snr_min), math.log(parameters.snr_max)))
    return SimulationParameters(
        name=f"scene_{number:03d}", voxel_size=voxel_size, size_z=parameters.size_z, size_y=parameters.size_xy, size_x=parameters.size_xy,
        snr=snr, occupancy=generator.uniform(0.03, 0.18), unresolved_density=generator.uniform(0.0, 0.12),
        vesicle_count=int(generator.integers(0, some + 1)), ellipsoid_count=int(generator.integers(0, some + 1)),
        tube_count=int(generator.integers(0, 2)), sheet_count=int(generator.integers(0, 3)), actin_count=int(generator.integers(0, 4)),
        microtubule_count=int(generator.random() < 0.2), gold_count=int(generator.integers(1, 4)) if generator.random() < 0.1 else 0,
        b_factor=generator.uniform(100, 800), tilt_step=float(generator.choice([2.0, 3.0])), lowpass=generator.uniform(0.15, 0.45),
        weighting=parameters.weighting if generator.random() < 2 / 3 else _other(parameters.weighting),
        # from pure lipid to membranes crowded with protein, which look as dark as ribosomes
        membrane_amplitude=generator.uniform(0.5, 1.6), membrane_interior=generator.uniform(-0.15, 0.5),
        misalignment=float(generator.choice([0.0, 5.0])), ctf_correction="phase_flip" if generator.random() < 0.5 else "none",
    )


def _other(weighting: str) -> Literal["crowther", "ramp"]:
    return "ramp" if weighting == "crowther" else "crowther"


def write_scenes(folder: Path, parameters: SceneParameters, seed: int) -> list[InputFile]:
    """Simulate the scenes that ``folder`` does not hold yet; returns the inputs of the training job."""
    inputs = []
    for number in track(range(parameters.scenes), "training scenes"):
        drawn = draw_scene(number, parameters, seed)
        noisy, density = folder / f"{drawn.name}.mrc", folder / f"{drawn.name}_grand_model.mrc"
        if not (noisy.exists() and density.exists()):
            _write_scene(drawn, noisy, density, stream_seed(seed, "sample", number) % 2**31)
        inputs.append(InputFile(path=str(noisy), voxel_size=drawn.voxel_size, tilt_series_id=drawn.name, contrast="bright"))
        inputs.append(InputFile(path=str(density), role="grand_model", voxel_size=drawn.voxel_size, tilt_series_id=drawn.name))
    return inputs


def _write_scene(drawn: SimulationParameters, noisy: Path, density: Path, seed: int) -> None:
    tomogram = simulate(drawn, seed)
    write_json(noisy.with_suffix(".json"), {"seed": seed, "snr": tomogram.snr, **drawn.model_dump()})
    write_volume(density, tomogram.grand_model.astype(np.float16), drawn.voxel_size)
    write_volume(noisy, tomogram.reconstruction.astype(np.float16), drawn.voxel_size)
