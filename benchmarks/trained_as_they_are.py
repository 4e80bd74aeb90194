"""Does it harm a training that its tomograms have borders and gold?

    python benchmarks/trained_as_they_are.py --out FOLDER [--seeds 1] [--membrane-steps 300] [--picker-steps 240]

Two simulated tomograms of 48 x 160 x 160 voxels of 12 A, SNR 0.3, one to learn from with true labels, one to be tested on. The membrane
U-Net and DeepETPicker are trained on the first as it is, with a border of a fifth of its side and ten gold beads, and, as a bound, on the
part inside that border; each is applied to the second, clean one: Dice of membranes, average precision of particles from 100 A on.
"""
from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from spoilt import box_of, filled, with_beads, within_border

from cryoetseg.core.methods import run_job
from cryoetseg.core.metrics.picking import precision_recall_curve
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram
from cryoetseg.core.volumes.io import read_labels, write_volume

VOXEL_SIZE, LEAST, RADIUS = 12.0, 100.0, 8.0
TAUGHT, TESTED = 970, 980


def tomogram(seed: int) -> SimulatedTomogram:
    return simulate(SimulationParameters(voxel_size=VOXEL_SIZE, snr=0.3, size_z=48, size_y=160, size_x=160), seed)


def particles_of(made: SimulatedTomogram) -> ParticleTable:
    return made.particles.select(made.particles.diameters >= LEAST)


def inputs(folder: Path, volume: np.ndarray, labels: np.ndarray, particles: ParticleTable) -> dict[str, InputFile]:
    """The files of one tomogram by role."""
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / "t.mrc", volume, VOXEL_SIZE)
    write_volume(folder / "labels.mrc", labels.astype(np.int8), VOXEL_SIZE)
    write_particles(replace(particles, class_id=np.ones(len(particles), int), class_names={}), folder / "particles.star")
    files = {"tomogram": "t.mrc", "labels": "labels.mrc", "particles": "particles.star"}
    return {role: InputFile(path=str(folder / name), role=role, contrast="bright", tilt_series_id="t") for role, name in files.items()}


def taught(made: SimulatedTomogram, folder: Path) -> dict[str, dict[str, InputFile]]:
    """The tomogram to learn from in its three forms."""
    particles, labels = particles_of(made), made.membrane_mask
    with_gold, _ = with_beads(4, 10, 25)(made.reconstruction)
    spoilt, kept = filled(within_border, -10)(with_gold)
    box = box_of(kept)
    corner = np.array([part.start for part in box])
    inside = kept[tuple(np.rint(particles.zyx).astype(int).T)]
    own = particles.select(inside)
    return {
        "as it is": inputs(folder / "clean", made.reconstruction, labels, particles),
        "with border and gold": inputs(folder / "spoilt", spoilt, labels * kept, own),
        "what is inside the border": inputs(folder / "inside", made.reconstruction[box], labels[box], replace(own, zyx=own.zyx - corner)),
    }


def _run(method: str, files: list[InputFile], folder: Path, seed: int, **parameters: object) -> Path:
    run_job(Job(method=method, parameters=parameters, inputs=files, output_folder=str(folder), seed=seed, device="cpu"))
    return folder


def membranes(files: dict[str, InputFile], test: dict[str, InputFile], truth: np.ndarray, folder: Path, seed: int, steps: int) -> float:
    model = _run("train-membranes", [files["tomogram"], files["labels"]], folder / "train", seed, iterations=steps, rounds=0) / "model"
    found = _run("segment-membranes", [test["tomogram"], InputFile(path=str(model), role="model")], folder / "apply", seed)
    return dice(read_labels(found / "t_membranes.mrc")[0] > 0, truth > 0)


def particles(files: dict[str, InputFile], test: dict[str, InputFile], truth: np.ndarray, folder: Path, seed: int, steps: int) -> float:
    model = _run("train-picker", [files["tomogram"], files["particles"]], folder / "train", seed, iterations=steps) / "model"
    found = _run("pick-deepet", [test["tomogram"], InputFile(path=str(model), role="model")], folder / "apply", seed, height_threshold=0.02)
    table = read_particles(next(found.glob("*.star")))
    return precision_recall_curve(table.zyx, table.score, truth, RADIUS).average_precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--membrane-steps", type=int, default=300)
    parser.add_argument("--picker-steps", type=int, default=240)
    arguments = parser.parse_args()
    for seed in range(arguments.seeds):
        folder, test = arguments.out / str(seed), tomogram(TESTED + seed)
        tested = inputs(folder / "test", test.reconstruction, test.membrane_mask, particles_of(test))
        for name, files in taught(tomogram(TAUGHT + seed), folder).items():
            place = folder / name.replace(" ", "_")
            score = membranes(files, tested, test.membrane_mask, place / "membranes", seed, arguments.membrane_steps)
            print(f"seed {seed}  {name:28} membranes Dice {score:.3f}", flush=True)
            precision = particles(files, tested, particles_of(test).zyx, place / "picker", seed, arguments.picker_steps)
            print(f"seed {seed}  {name:28} particles average precision {precision:.3f}", flush=True)


if __name__ == "__main__":
    main()
