"""Particle F1 of DeepETPicker on small simulated tomograms with exact labels, by size of the particles, beside difference of Gaussians.

Trains on sim_deepfinder 01-04 (9 classes, 3 particles of each in a tomogram) and tests on 05-06. A training that reaches ``--minutes``
ends at a checkpoint; the same command goes on from there until ``--steps`` are done. Needs the folder of shared test data.
"""
from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from cryoetseg.core.metrics.picking import detection_scores, match_points
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.particles.table import ParticleTable, concatenate
from cryoetseg.core.picking.dog import difference_of_gaussians, sigma_for_diameter
from cryoetseg.core.students.picker.apply import pick_particles
from cryoetseg.core.students.picker.params import PickDeepetParameters, TrainPickerParameters
from cryoetseg.core.students.picker.train import train_picker
from cryoetseg.core.students.volumes import StudentVolume, volume_from_array
from cryoetseg.core.volumes.io import read_labels, read_volume

VOXEL, CLASSES, RADIUS_PX = 10.0, 9, 5.0
TRAINING, TEST = (1, 2, 3, 4), (5, 6)
PER_TOMOGRAM = 27
BLOB_DIAMETERS = range(80, 201, 20)  # A


class Data:
    """The tomograms with their particles, by number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def grey(self, number: int) -> np.ndarray:
        return read_volume(self._folder / f"tomograms/sim_deepfinder_tomo{number:02d}.mrc", VOXEL)[0]

    def particles(self, number: int) -> ParticleTable:
        return read_particles(self._folder / f"annotations/sim_deepfinder_tomo{number:02d}.star", voxel_size=VOXEL)

    def volume(self, number: int) -> StudentVolume:
        return volume_from_array(f"tomo{number:02d}", self.grey(number), VOXEL, contrast="dark", particles=self.particles(number))

    def diameters(self) -> list[float]:
        """Of a ball of each class's mean volume in the training tomograms, Angstrom."""
        counts = sum(np.bincount(read_labels(self._folder / f"annotations/sim_deepfinder_tomo{number:02d}_labels.mrc", VOXEL)[0]
                                 .astype(int).ravel(), minlength=CLASSES + 1) for number in TRAINING)
        particles = np.bincount(concatenate([self.particles(number) for number in TRAINING]).class_id, minlength=CLASSES + 1)
        return [float(2 * VOXEL * (3 * voxels / (4 * np.pi)) ** (1 / 3)) for voxels in (counts / np.maximum(particles, 1))[1:]]


def hits(found: ParticleTable, truth: ParticleTable) -> int:
    return len(match_points(found.zyx, truth.zyx, RADIUS_PX).distance)


def f1(found: list[ParticleTable], truth: list[ParticleTable]) -> float:
    true = sum(hits(a, b) for a, b in zip(found, truth))
    return detection_scores(true, sum(map(len, found)) - true, sum(map(len, truth)) - true).f1


def recall(found: list[ParticleTable], truth: list[ParticleTable]) -> float:
    return sum(hits(a, b) for a, b in zip(found, truth)) / max(1, sum(map(len, truth)))


def of_class(tables: list[ParticleTable], number: int) -> list[ParticleTable]:
    return [table.select(table.class_id == number) for table in tables]


def dog_picks(data: Data, number: int, diameter: float) -> ParticleTable:
    width = diameter / VOXEL
    picks = difference_of_gaussians(-data.grey(number), sigma_for_diameter(width), exclusion_px=0.9 * width, count=PER_TOMOGRAM)
    return ParticleTable.from_points(picks.points, voxel_size=VOXEL)


def best_blob_diameter(data: Data) -> float:
    """The diameter at which a difference of Gaussians does best in the training tomograms, its best setting."""
    truth = [data.particles(number) for number in TRAINING]
    scores = {diameter: f1([dog_picks(data, number, diameter) for number in TRAINING], truth) for diameter in BLOB_DIAMETERS}
    return float(max(scores, key=lambda diameter: scores[diameter]))


def show(data: Data, found: list[ParticleTable], blobs: list[ParticleTable]) -> None:
    truth, diameters = [data.particles(number) for number in TEST], data.diameters()
    print(f"matched within {RADIUS_PX:g} voxels; {sum(map(len, found))} picks, {sum(map(len, blobs))} of DoG, {sum(map(len, truth))} true")
    print("class  diameter A  picker F1  picker found (any class)  DoG found")
    for number in np.argsort(diameters)[::-1] + 1:
        own = of_class(truth, int(number))
        print(f"{number:5d}  {diameters[number - 1]:10.0f}  {f1(of_class(found, int(number)), own):9.3f}  {recall(found, own):24.3f}  "
              f"{recall(blobs, own):9.3f}")
    mean = np.mean([f1(of_class(found, number), of_class(truth, number)) for number in range(1, CLASSES + 1)])
    print(f"mean class F1 {mean:.3f}; F1 of positions whatever the class: picker {f1(found, truth):.3f}, DoG {f1(blobs, truth):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data", help="shared test data")
    parser.add_argument("--out", type=Path, default=Path("picker_benchmark"), help="folder of the training")
    parser.add_argument("--steps", type=int, default=400, help="optimiser steps in all")
    parser.add_argument("--minutes", type=float, default=4.5, help="training time of this call; 0: no limit")
    parser.add_argument("--published", action="store_true", help="the published settings, for a GPU")
    arguments = parser.parse_args()
    data = Data(arguments.data)
    changes = {"minutes": arguments.minutes, "class_diameters": ",".join(f"{diameter:.0f}" for diameter in data.diameters())}
    settings = TrainPickerParameters.published().model_copy(update=changes) if arguments.published else TrainPickerParameters(
        iterations=arguments.steps, validation_crops=0, **changes)
    start = time.perf_counter()
    model, outcome, _ = train_picker([data.volume(number) for number in TRAINING], settings, arguments.out, 0, "auto")
    print(f"{outcome.steps} steps ({outcome.ended_by}), {time.perf_counter() - start:.0f} s; label diameters {model.labels_px}")
    picking = PickDeepetParameters(count=PER_TOMOGRAM, height_threshold=0.02, ranking="height")
    found = [pick_particles(data.grey(number), VOXEL, model, picking, contrast="dark") for number in TEST]
    diameter = best_blob_diameter(data)
    print(f"difference of Gaussians (DoG) for {diameter:g} A, which does best in the training tomograms")
    show(data, found, [dog_picks(data, number, diameter) for number in TEST])


if __name__ == "__main__":
    main()
