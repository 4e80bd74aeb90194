"""Class F1 and class Dice of the semantic segmenter on small simulated tomograms with exact labels, beside trivial answers.

Trains on sim_deepfinder 01-04 (9 classes, 3 particles of each in a tomogram) and tests on 05-06. A training that reaches ``--minutes`` ends
at a checkpoint; the same command goes on from there until ``--steps`` are done. Needs the folder of shared test data.
"""
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cryoetseg.core.metrics.picking import detection_scores, match_points
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.particles.table import ParticleTable, concatenate
from cryoetseg.core.picking.dog import difference_of_gaussians
from cryoetseg.core.students.segmenter.inference import ClassVolumes, segment_classes
from cryoetseg.core.students.segmenter.params import SegmentClassesParameters, TrainSegmenterParameters
from cryoetseg.core.students.segmenter.particles import find_particles
from cryoetseg.core.students.segmenter.train import TrainedSegmenter, train_segmenter
from cryoetseg.core.volumes.io import read_labels, read_volume

VOXEL, CLASSES, RADIUS_PX = 10.0, 9, 5.0
SIGMA_PX = 13 / 12**0.5  # to which a ball of 13 voxels, the mean size of the particles, answers most strongly
Answer = Callable[[int], tuple[np.ndarray, ParticleTable]]


class Data:
    """The tomograms with bright particles, their labels and particles, by number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def volume(self, number: int) -> np.ndarray:
        return -read_volume(self._folder / f"tomograms/sim_deepfinder_tomo{number:02d}.mrc", VOXEL)[0]

    def labels(self, number: int) -> np.ndarray:
        return read_labels(self._folder / f"annotations/sim_deepfinder_tomo{number:02d}_labels.mrc", VOXEL)[0]

    def particles(self, number: int) -> ParticleTable:
        return read_particles(self._folder / f"annotations/sim_deepfinder_tomo{number:02d}.star")


def scores(data: Data, tests: Sequence[int], answer: Answer) -> dict[str, list[float]]:
    """Dice and F1 of each class, counts pooled over the tomograms, and the F1 of the positions whatever their class (last)."""
    maps, found, truth = [], [], []
    for number in tests:
        class_map, table = answer(number)
        maps.append(class_map)
        found.append(table)
        truth.append(data.particles(number))
    whole, exact = np.concatenate(maps), np.concatenate([data.labels(number) for number in tests])
    f1 = [_f1([table.select(table.class_id == value) for table in found], [table.select(table.class_id == value) for table in truth])
          for value in range(1, CLASSES + 1)]
    return {"Dice": [dice(whole == value, exact == value) for value in range(1, CLASSES + 1)] + [dice(whole > 0, exact > 0)],
            "F1": [*f1, _f1(found, truth)]}


def _f1(found: Sequence[ParticleTable], truth: Sequence[ParticleTable]) -> float:
    hits = sum(len(match_points(a.zyx, b.zyx, RADIUS_PX).distance) for a, b in zip(found, truth))
    return detection_scores(hits, sum(map(len, found)) - hits, sum(map(len, truth)) - hits).f1


def answers(data: Data, trained: TrainedSegmenter) -> dict[str, Answer]:
    """The network with both ways of clustering, and what needs no learning of classes."""
    sizes = {int(value): int(size) for value, size in trained.card.training["object_voxels"].items()}
    largest = max(sizes, key=lambda value: sizes[value])
    most = int(np.bincount(concatenate([data.particles(number) for number in (1, 2, 3, 4)]).class_id).argmax())
    maps: dict[int, ClassVolumes] = {}

    def network(number: int, clustering: str) -> tuple[np.ndarray, ParticleTable]:
        if number not in maps:
            maps[number] = segment_classes(data.volume(number), trained.network, device="cpu")
        settings = SegmentClassesParameters(clustering=clustering)
        return maps[number].classes, find_particles(maps[number].classes, maps[number].confidence, sizes, settings, VOXEL, classes=CLASSES)

    def blobs(number: int, value: int) -> tuple[np.ndarray, ParticleTable]:
        volume = data.volume(number)
        picks = difference_of_gaussians(volume, SIGMA_PX, exclusion_px=3 * SIGMA_PX, count=27)
        class_map = np.where(volume > np.quantile(volume, 1 - 0.0245), value, 0)  # as many voxels as the particles of a tomogram have
        return class_map, ParticleTable.from_points(picks.points, voxel_size=VOXEL, class_id=value)

    trivial: dict[str, Answer] = {f"27 best DoG picks, all of class {value}": lambda number, value=value: blobs(number, value)  # type: ignore[misc]
                                  for value in dict.fromkeys((most, largest))}  # the most frequent class, the largest
    return {"network, components": lambda number: network(number, "components"),
            "network, mean shift": lambda number: network(number, "mean_shift"),
            **trivial}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared/data", help="shared test data")
    parser.add_argument("--out", type=Path, default=Path("segmenter_benchmark"), help="folder of the training")
    parser.add_argument("--steps", type=int, default=300, help="optimiser steps in all")
    parser.add_argument("--minutes", type=float, default=4.5, help="training time of this call; 0: no limit")
    parser.add_argument("--loss", choices=["dice_ce", "tversky"], default="dice_ce")
    parser.add_argument("--published", action="store_true", help="the published settings, for a GPU")
    arguments = parser.parse_args()
    data, changes = Data(arguments.data), {"minutes": arguments.minutes, "held_out": 0.0}
    settings = (TrainSegmenterParameters.published(**changes) if arguments.published
                else TrainSegmenterParameters(iterations=arguments.steps, loss=arguments.loss, **changes))
    start = time.perf_counter()
    trained = train_segmenter([(data.volume(number), data.labels(number)) for number in (1, 2, 3, 4)], settings, arguments.out,
                              voxel_size=VOXEL)
    rows = [f"{trained.outcome.steps} steps ({trained.outcome.ended_by}), {time.perf_counter() - start:.0f} s in this call; "
            f"classes 1 to {CLASSES}, then all as one; matched within {RADIUS_PX:g} voxels"]
    for name, answer in answers(data, trained).items():
        for score, values in scores(data, (5, 6), answer).items():
            rows.append(f"{name[:44]:44} {score:4} " + " ".join(f"{value:4.2f}" for value in values[:CLASSES])
                        + f"  mean {np.mean(values[:CLASSES]):.3f}  any class {values[-1]:.2f}")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
