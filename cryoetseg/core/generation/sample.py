"""Making particles: subtomograms of chosen classes at chosen places in a tomogram, written with a list of what they are."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ..particles.formats import write_particles
from ..particles.table import ParticleTable
from ..runtime.device import autocast_dtype, choose_device
from ..runtime.errors import ParameterError
from ..runtime.files import write_json
from ..runtime.job import Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..runtime.record import versions
from ..runtime.seeds import numpy_generator, torch_generator
from ..volumes.contrast import particles_bright
from ..volumes.io import write_volume
from .diffusion import sample
from .model import Generator, load_generator
from .params import SampleParameters, SamplingParameters

ANYWHERE = 0.5


def generate_particles(generator: Generator, kinds: Sequence[int], positions: np.ndarray, parameters: SamplingParameters, seed: int = 0,
                       device: str = "cpu") -> Iterator[np.ndarray]:
    """Yield one cube (box, box, box), float32, bright, for each class number in ``kinds`` and row of ``positions`` (n, 3).

    Cube ``i`` is drawn from the stream of ``seed`` and ``i`` alone. Raises ``ParameterError`` for guidance of a model that was
    trained without class dropout, and for more steps than it was trained with.
    """
    _check_guidance(generator, parameters.guidance)
    place = choose_device(device)
    network = generator.network.to(place).to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    dtype = _arithmetic(parameters.precision, place)
    hot = torch.eye(len(generator.classes))
    for start in range(0, len(kinds), parameters.batch_size):
        rows = range(start, min(start + parameters.batch_size, len(kinds)))
        noises = [torch_generator(seed, "subtomogram", row, device=str(place)) for row in rows]
        cubes = sample(network, generator.schedule, hot[[kinds[row] for row in rows]].to(place),
                       torch.from_numpy(np.asarray(positions, dtype=np.float32)[rows.start : rows.stop]).to(place), generator.box,
                       sampler=parameters.sampler, steps=parameters.steps, guidance=parameters.guidance, generators=noises, dtype=dtype)
        yield from particles_bright(cubes[:, 0].cpu().numpy(), generator.contrast)


def _check_guidance(generator: Generator, guidance: float) -> None:
    if guidance != 1 and not generator.knows_no_class:
        raise ParameterError(f"guidance {guidance:g} with a model that was trained without class dropout", "1",
                             "train with --class-dropout 0.1 to use guidance")


def _arithmetic(precision: str, device: torch.device) -> torch.dtype:
    if precision == "float16" and device.type != "cuda":
        raise ParameterError(f"float16 on {device.type}", "float32, bfloat16 or auto", "use --precision auto")
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    return autocast_dtype(device) if precision == "auto" else named[precision]


def choose_positions(generator: Generator, position: str, count: int, seed: int) -> np.ndarray:
    """Places (count, 3), fractions (z, y, x), as ``SampleParameters.position`` says; raises ``ParameterError``."""
    word = position.strip().lower()
    if word == "anywhere" or (word == "training" and len(generator.positions) == 0):
        return np.full((count, 3), ANYWHERE, dtype=np.float32)
    if word == "training":
        return generator.positions[numpy_generator(seed, "positions").integers(len(generator.positions), size=count)]
    try:
        place = np.array([float(part) for part in position.split(",")], dtype=np.float32)
    except ValueError:
        place = np.empty(0, dtype=np.float32)
    if place.shape != (3,) or not ((place >= 0) & (place <= 1)).all():
        raise ParameterError(f"position '{position}'", "training, anywhere, or three fractions z, y, x from 0 to 1",
                             "for example 0.5, 0.2, 0.8")
    return np.tile(place, (count, 1))


def run(job: Job) -> MethodOutcome:
    """Sample from the model folder (role ``model``): cubes, ``<name>.star`` and ``<name>.json``.

    In the STAR file the tomogram's name is the subtomogram's and the coordinate its middle; the JSON also tells place and sampling.
    """
    p = parameters_from(SampleParameters, job.parameters)
    generator = load_generator(job.input_of("model").path)
    kinds = [number for number in generator.class_numbers(p.classes) for _ in range(p.count)]
    positions = choose_positions(generator, p.position, len(kinds), job.seed)
    folder = Path(job.output_folder)
    stems = [f"{p.name}_{file_name(generator.classes[kind])}_{number % p.count + 1:05d}" for number, kind in enumerate(kinds)]
    sign = np.float32(-1 if p.contrast == "dark" else 1)
    cubes = generate_particles(generator, kinds, positions, p, job.seed, job.device)
    for stem, cube in zip(stems, track(cubes, "subtomograms", len(kinds))):
        write_volume(folder / f"{stem}.mrc", sign * cube, generator.voxel_size)
    _write_lists(folder, p, generator, stems, kinds, positions, job.seed)
    size = generator.voxel_size
    outputs = [Output(kind="subtomogram", path=f"{stem}.mrc", voxel_size=size, tilt_series_id=stem) for stem in stems]
    outputs += [Output(kind="particles", path=f"{p.name}.star", voxel_size=size), Output(kind="report", path=f"{p.name}.json")]
    counts = {name: kinds.count(number) for number, name in enumerate(generator.classes) if number in kinds}
    return MethodOutcome(outputs=outputs, metrics={"subtomograms": len(kinds), "classes": counts})


def file_name(name: str) -> str:
    """A class name as part of a file name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)


def _write_lists(folder: Path, p: SampleParameters, generator: Generator, stems: list[str], kinds: list[int], positions: np.ndarray,
                 seed: int) -> None:
    middle = np.full((len(kinds), 3), generator.box // 2)
    table = ParticleTable.from_points(
        middle, voxel_size=generator.voxel_size, tilt_series_id=np.array(stems, dtype=object), class_id=np.array(kinds) + 1,
        class_names={number + 1: name for number, name in enumerate(generator.classes) if number in kinds})
    write_particles(table, folder / f"{p.name}.star")
    rows = [{"file": f"{stem}.mrc", "class": generator.classes[kind], "position_zyx": [round(float(value), 4) for value in position],
             "number": number} for number, (stem, kind, position) in enumerate(zip(stems, kinds, positions))]
    write_json(folder / f"{p.name}.json", {
        "voxel_size": generator.voxel_size, "box_px": generator.box, "contrast": p.contrast, "seed": seed,
        "sampling": {key: getattr(p, key) for key in ("sampler", "steps", "guidance", "precision")}, "versions": versions(),
        "subtomograms": rows})
