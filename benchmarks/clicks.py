"""What a few clicks or painted slices bring, from the general models and from nothing, on simulated tomograms.

    python benchmarks/clicks.py particles|membranes --out FOLDER [--seeds 911 912]

``particles``: so many particles of one kind are clicked in one tomogram; printed is the average precision for that kind, fatty acid
synthase (260 A, in no training scene of the general model), in another tomogram of the same crowded mixture. ``membranes``: so many slices
of one tomogram are painted; printed is Dice in another one. Steps are the defaults of the two trainings. What is done is not repeated.
"""
from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from cryoetseg.core.methods import parameters_model, run_job
from cryoetseg.core.metrics.picking import curve_from_hits, hits_by_rank
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.runtime.errors import CryoetsegError
from cryoetseg.core.runtime.job import InputFile, Job, Result
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram
from cryoetseg.core.volumes.io import read_labels, write_volume

KIND, DIAMETER, REACH = "fatty_acid_synthase", 260.0, 130.0  # A
MIXTURE = f"{KIND}:3, ribosome_80s, groel, rubisco, beta_galactosidase"
CLICKS, SLICES = (0, 5, 10, 20, 50), (0, 1, 2, 4)
VOXEL_SIZE, SNR = 12.0, 0.1
PICKS = {"height_threshold": 0.02}


def tomogram(seed: int) -> SimulatedTomogram:
    """A crowded cell of 56 x 200 x 200 voxels."""
    return simulate(SimulationParameters(voxel_size=VOXEL_SIZE, size_z=56, size_y=200, size_x=200, snr=SNR, particles=MIXTURE), seed)


def job(method: str, folder: Path, inputs: list[InputFile], **parameters: object) -> Result:
    checked = parameters_model(method)(**parameters).model_dump(mode="json")
    return run_job(Job(method=method, parameters=checked, inputs=inputs, output_folder=str(folder), device="cpu"))


def trained(method: str, folder: Path, inputs: list[InputFile], start: str, **parameters: object) -> tuple[Path | None, float]:
    """The model's folder and the seconds of its training; no folder where there was too little to learn from."""
    general = [InputFile(path=str(model_folder("general", start)), role="start")] if start else []
    began = time.perf_counter()
    try:
        result = job(method, folder, [*inputs, *general], **parameters)
    except CryoetsegError as error:
        print(f"    {folder.name}: {error}")
        return None, 0.0
    return folder / result.outputs_of("model")[0].path, time.perf_counter() - began


def average_precision(model: Path, folder: Path, path: Path, truth: np.ndarray) -> float:
    result = job("pick-deepet", folder, [InputFile(path=str(model), role="model"), InputFile(path=str(path), contrast="bright")], **PICKS)
    table = read_particles(folder / result.outputs_of("particles")[0].path).sorted_by_score()
    return float(curve_from_hits(hits_by_rank(table.zyx, truth, REACH / VOXEL_SIZE), table.score, len(truth)).average_precision)


def on_particles(seed: int, out: Path) -> None:
    """One row a number of clicks: from general and from nothing."""
    first, second = tomogram(seed), tomogram(seed + 1000)
    of_kind = [next(number for number, name in made.particles.class_names.items() if name == KIND) for made in (first, second)]
    places, truth = (made.particles.zyx[made.particles.class_id == number] for made, number in zip((first, second), of_kind))
    order = numpy_generator(seed, "clicks").permutation(len(places))
    for name, made in (("first", first), ("second", second)):
        write_volume(out / f"{name}.mrc", made.reconstruction, VOXEL_SIZE)
    for count in CLICKS:
        clicked = out / f"clicks_{count}.star"
        write_particles(first.particles.select(np.flatnonzero(first.particles.class_id == of_kind[0])[order[:count]]), clicked)
        row = [f"{min(count, len(places)):6}"]
        inputs = [InputFile(path=str(out / "first.mrc"), contrast="bright"), InputFile(path=str(clicked), role="particles")]
        for start in ("picker", ""):
            folder, seconds = out / f"{start or 'nothing'}_{count}", 0.0
            model: Path | None = model_folder("general", "picker") if start and not count else None
            if count:
                model, seconds = trained("train-picker", folder, inputs, start, particle_diameter=DIAMETER)
            score = f"{average_precision(model, out / f'{folder.name}_picks', out / 'second.mrc', truth):.3f}" if model else "-"
            row.append(f"{score:>8} {seconds:5.0f} s")
        print(f"{seed:6}" + "".join(row), flush=True)


def painted(mask: np.ndarray, count: int) -> np.ndarray:
    """The mask in ``count`` slices spread over it."""
    slices = np.linspace(0, len(mask), count + 2)[1:-1].astype(int)
    result = np.zeros_like(mask, dtype=np.int8)
    result[slices] = mask[slices] > 0
    return result


def on_membranes(seed: int, out: Path) -> None:
    """One row a number of painted slices: from general and from nothing."""
    first, second = tomogram(seed), tomogram(seed + 1000)
    for name, made in (("first", first), ("second", second)):
        write_volume(out / f"{name}.mrc", made.reconstruction, VOXEL_SIZE)
    for count in SLICES:
        row = [f"{count:6}"]
        if count:
            write_volume(out / f"painted_{count}.mrc", painted(first.membrane_mask, count), VOXEL_SIZE)
        labels = InputFile(path=str(out / f"painted_{count}.mrc"), role="labels")
        inputs = [InputFile(path=str(out / "first.mrc"), contrast="bright"), labels]
        for start in ("membranes", ""):
            folder, seconds = out / f"{start or 'nothing'}_{count}", 0.0
            model: Path | None = model_folder("general", "membranes") if start and not count else None
            if count:
                model, seconds = trained("train-membranes", folder, inputs, start, unpainted="painted_slices")
            score = "-"
            if model:
                files = [InputFile(path=str(model), role="model"), InputFile(path=str(out / "second.mrc"), contrast="bright")]
                result = job("segment-membranes", out / f"{folder.name}_masks", files)
                mask, _ = read_labels(out / f"{folder.name}_masks" / result.outputs_of("membrane_mask")[0].path)
                score = f"{dice(mask > 0, second.membrane_mask > 0):.3f}"
            row.append(f"{score:>8} {seconds:5.0f} s")
        print(f"{seed:6}" + "".join(row), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["particles", "membranes"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[911, 912])
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    what = {"particles": "average precision", "membranes": "Dice"}[arguments.part]
    print(f"{'seed':>6}{'given':>6}{'general':>16}{'from nothing':>16}   {what}; seconds of training")
    for seed in arguments.seeds:
        folder = arguments.out / arguments.part / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        {"particles": on_particles, "membranes": on_membranes}[arguments.part](seed, folder)


if __name__ == "__main__":
    main()
