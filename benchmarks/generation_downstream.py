"""Do generated particles help a picker that knows few real ones? Picker F1 with and without them, over seeds.

    python benchmarks/generation_downstream.py --folder F [--seeds 3] [--real 20] [--synthetic 200] [--iterations 240]

Takes the tomograms and the samples that ``generation_six_classes.py`` left in F. DeepETPicker learns from a mosaic of cubes, each
with one labelled particle in its middle: ``few`` real ones of each class; ``few + generated``; and, as the most that more data could
give, ``few + real``, as many further real ones. All see equally many optimiser steps. Generated cubes are brought to the mean
and deviation of the few real ones of their class. Scored on fresh tomograms: as many best picks as there are particles,
one-to-one matching of equal classes within half a diameter.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from generation_six_classes import FRESH, TRAINING, VOXEL_SIZE

from cryoetseg.core.generation.data import cut
from cryoetseg.core.generation.evaluate import read_generated
from cryoetseg.core.metrics.picking import detection_scores, match_points
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.students.picker.apply import pick_particles
from cryoetseg.core.students.picker.params import PickDeepetParameters, TrainPickerParameters
from cryoetseg.core.students.picker.train import train_picker
from cryoetseg.core.students.volumes import StudentVolume, volume_from_array
from cryoetseg.core.volumes.io import read_volume
from cryoetseg.core.volumes.normalisation import standardise

BOX = 32
DIAMETERS = {"apoferritin": 120, "beta_amylase": 120, "beta_galactosidase": 180, "ribosome": 280, "thyroglobulin": 220,
             "virus_like_particle": 300}  # Angstrom
CLASSES = sorted(DIAMETERS)
Cubes = dict[str, np.ndarray]


def tomogram(folder: Path, seed: int) -> tuple[np.ndarray, ParticleTable]:
    """A tomogram, bright and standardised as a whole, with its particles."""
    name = f"six_{seed:03d}"
    return -standardise(read_volume(folder / f"{name}.mrc")[0]), read_particles(folder / f"{name}_particles.csv", tilt_series_id=name)


def real_cubes(folder: Path) -> Cubes:
    """All training cubes by class, on the scale of their tomogram."""
    found: dict[str, list[np.ndarray]] = {name: [] for name in CLASSES}
    for seed in TRAINING:
        volume, table = tomogram(folder, seed)
        for centre, number in zip(table.zyx, table.class_id):
            found[table.class_names[int(number)]].append(cut(volume, centre, BOX, 0.0))
    return {name: np.stack(cubes) for name, cubes in found.items()}


def generated_cubes(path: Path) -> Cubes:
    """Generated cubes by class."""
    generated = read_generated(path)
    return {name: generated.cubes[generated.kinds == number] for number, name in enumerate(generated.classes)}


def alike(cubes: np.ndarray, real: np.ndarray) -> np.ndarray:
    """``cubes`` (standardised one by one) on the scale of ``real``."""
    return cubes * real.std(axis=(1, 2, 3)).mean() + real.mean()


def mosaic(cubes: Cubes) -> StudentVolume:
    """One volume of all cubes side by side, with the particle in the middle of each."""
    stack = np.concatenate([cubes[name] for name in CLASSES])
    kinds = np.repeat(np.arange(1, len(CLASSES) + 1), [len(cubes[name]) for name in CLASSES])
    across = int(np.ceil(np.sqrt(len(stack))))
    rows = -(-len(stack) // across)
    volume, centres = np.zeros((BOX, rows * BOX, across * BOX), dtype=np.float32), []
    for number, cube in enumerate(stack):
        y, x = (BOX * place for place in divmod(number, across))
        volume[:, y : y + BOX, x : x + BOX] = cube
        centres.append((BOX // 2, y + BOX // 2, x + BOX // 2))
    table = ParticleTable.from_points(centres, voxel_size=VOXEL_SIZE, tilt_series_id="mosaic", class_id=kinds,
                                      diameters=[DIAMETERS[CLASSES[kind - 1]] for kind in kinds],
                                      class_names=dict(enumerate(CLASSES, start=1)))
    return volume_from_array("mosaic", volume, VOXEL_SIZE, particles=table)


def score(cubes: Cubes, tests: list[tuple[np.ndarray, ParticleTable]], iterations: int, seed: int) -> dict[str, float]:
    """F1 of each class and of all, of a picker trained on ``cubes``."""
    diameters = ",".join(str(DIAMETERS[name]) for name in CLASSES)
    with TemporaryDirectory() as folder:
        parameters = TrainPickerParameters(iterations=iterations, class_diameters=diameters, augmentation="tilt_axis", validation_crops=0)
        model = train_picker([mosaic(cubes)], parameters, folder, seed).model
    hits, found, true = (np.zeros(len(CLASSES), dtype=int) for _ in range(3))
    for volume, truth in tests:
        picks = pick_particles(volume, VOXEL_SIZE, model, PickDeepetParameters(count=len(truth)))
        kinds = np.array([CLASSES.index(truth.class_names[int(number)]) for number in truth.class_id])
        for kind, name in enumerate(CLASSES):
            mine, theirs = picks.zyx[picks.class_id == kind + 1], truth.zyx[kinds == kind]
            hits[kind] += len(match_points(mine, theirs, DIAMETERS[name] / VOXEL_SIZE / 2).distance)
            found[kind] += len(mine)
            true[kind] += len(theirs)
    rows = {name: detection_scores(*counts).f1 for name, counts in zip(CLASSES, zip(hits, found - hits, true - hits))}
    return {**rows, "all": detection_scores(int(hits.sum()), int((found - hits).sum()), int((true - hits).sum())).f1}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--samples", default="trained_samples", help="folder of the generated list below --folder")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--real", type=int, default=20)
    parser.add_argument("--synthetic", type=int, default=200)
    parser.add_argument("--iterations", type=int, default=240)
    parser.add_argument("--tests", type=int, default=len(FRESH), help="fresh tomograms to score on")
    arguments = parser.parse_args()
    real, made = real_cubes(arguments.folder), generated_cubes(arguments.folder / arguments.samples)
    tests = [tomogram(arguments.folder, seed) for seed in list(FRESH)[: arguments.tests]]
    sys.stdout.write(f"{'seed':4} {'learnt from':16} " + " ".join(f"{name:>20}" for name in (*CLASSES, "all")) + "\n")
    for seed in range(arguments.seeds):
        order = {name: numpy_generator(seed, name).permutation(len(real[name])) for name in CLASSES}
        few = {name: real[name][order[name][: arguments.real]] for name in CLASSES}
        more = {name: real[name][order[name][arguments.real : arguments.real + arguments.synthetic]] for name in CLASSES}
        added = {name: alike(made[name][: arguments.synthetic], few[name]) for name in CLASSES}
        sets = {"few": few, "few + generated": {name: np.concatenate([few[name], added[name]]) for name in CLASSES},
                "few + real": {name: np.concatenate([few[name], more[name]]) for name in CLASSES}}
        for label, cubes in sets.items():
            scores = score(cubes, tests, arguments.iterations, seed)
            sys.stdout.write(f"{seed:4} {label:16} " + " ".join(f"{value:20.3f}" for value in scores.values()) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
