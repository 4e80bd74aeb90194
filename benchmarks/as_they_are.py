"""Tomograms as they really are: what borders, empty corners, gold, hot voxels and constant slices cost each method.

    python benchmarks/as_they_are.py --work FOLDER [--seeds 3] [--side 192] [--cleaning auto off] [--rows ROW ...] [--methods METHOD ...]

Simulated tomograms of 40 x SIDE x SIDE voxels of 10 A, SNR 0.3, spoilt in one way a row. In slices 8 to 32: membrane Dice and particle F1
(10 voxels, 1 to 1, particles of half to twice the sought diameter) of ``segment slabs``, F1 of ``pick dog`` (as many picks as there are
particles), Dice of ``segment membranes`` and F1 of ``pick deepet`` with the general models, which are what ``pipeline`` applies at its
defaults, correlation of ``dual denoise`` with the true density, Dice of all particles' voxels of ``voxuda segment``. DUAL and Vox-UDA are
trained for a few minutes on tomograms without faults, once for each FOLDER.

The truth is that of the voxels that are left. In brackets: what the same method finds, in these voxels, in the tomogram that ends there;
its own faces cost something as well.
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from spoilt import CLEAN, ROWS, box_of

from cryoetseg.core.foundation.apply import segment_slabs
from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.methods import run_job
from cryoetseg.core.metrics.picking import precision_recall_f1
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.picking.apply import pick
from cryoetseg.core.picking.params import DogParameters
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.output import write_tomogram
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.centres.picks import centre_picks
from cryoetseg.core.students.membranes.apply import segment_membranes
from cryoetseg.core.students.membranes.network import load_membrane_model
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.volumes.header import VolumeHeader
from cryoetseg.core.volumes.io import Volume, read_labels, read_volume, write_volume

RADIUS_PX, VOXEL_SIZE, DIAMETER, SNR = 10.0, 10.0, 250.0, 0.3
FIRST_SEED, FIRST, LAST = 910, 8, 32
NOISY_SEEDS, CLEAN_SEEDS = (930, 931), (940, 941)  # of DUAL's training, of no test tomogram
METHODS = ("slabs", "dog", "membranes", "deepet", "dual", "voxuda")
UNCLEANED = ("slabs", "dog")  # can take every voxel as it is; the others know no other way
CPU = torch.device("cpu")


class Found(NamedTuple):
    """What one method finds in a volume: masks and density (z, y, x), points (n, 3) in voxels (z, y, x); None for what it lacks."""

    membranes: np.ndarray | None = None
    points: np.ndarray | None = None
    density: np.ndarray | None = None
    bodies: np.ndarray | None = None

    def placed(self, box: tuple[slice, ...], shape: tuple[int, ...]) -> Found:
        """The same, found in a ``box`` of a volume of ``shape``."""
        def whole(volume: np.ndarray | None) -> np.ndarray | None:
            if volume is None:
                return None
            target = np.zeros(shape, volume.dtype)
            target[box] = volume
            return target

        points = None if self.points is None else self.points + np.array([part.start for part in box])
        return Found(whole(self.membranes), points, whole(self.density), whole(self.bodies))


Results = dict[str, Found]


def trained_models(work: Path) -> dict[str, Path]:
    """Folders of a DUAL and a Vox-UDA model, trained where ``work`` does not hold them yet."""
    size = {"size_z": 40, "size_y": 128, "size_x": 128}
    for seed in (*NOISY_SEEDS, *CLEAN_SEEDS):
        if not (work / "data" / f"s{seed}.mrc").exists():
            write_tomogram(simulate(SimulationParameters(name=f"s{seed}", voxel_size=VOXEL_SIZE, snr=SNR, **size), seed), work / "data")
    noisy = [InputFile(path=str(work / "data" / f"s{seed}.mrc"), role="noisy") for seed in NOISY_SEEDS]
    clean = [InputFile(path=str(work / "data" / f"s{seed}_grand_model.mrc"), role="clean", contrast="bright") for seed in CLEAN_SEEDS]
    _run("train-dual", noisy + clean, work / "dual", iterations=40)
    mixtures = {"source": "rubisco, beta_galactosidase, thyroglobulin", "target": "ribosome_80s, tric, proteasome_26s"}
    for seed, (role, particles) in enumerate(mixtures.items()):
        _run("simulate-subtomograms", [], work / role, seed, count=100, snr=SNR, particles=particles, neighbours=3, max_shift=2)
    domains = [InputFile(path=str(work / role), role=role) for role in ("source", "target")]
    _run("train-voxuda", domains, work / "voxuda", iterations=150, batch_size=4, width=16)
    return {name: work / name / "model" for name in ("dual", "voxuda")}


def _run(method: str, inputs: list[InputFile], folder: Path, seed: int = 0, **parameters: object) -> Path:
    run_job(Job(method=method, parameters=parameters, inputs=inputs, output_folder=str(folder), seed=seed, device="cpu"))
    return folder


class Methods:
    """All methods with their models: a volume goes in, what each finds in it comes out."""

    def __init__(self, arguments: argparse.Namespace, cleaning: str) -> None:
        self.slabs = SegmentSlabsParameters(cleaning=cleaning, particle_diameter=DIAMETER)
        self.backbone = load_backbone("cryoet-tiny", "", CPU)
        self.membranes = load_membrane_model(model_folder("general", "membranes"))
        self.picker = load_centres(model_folder("general", "picker"))
        self.cleaning, self.work, self.wanted = cleaning, arguments.work, arguments.methods

    @cached_property
    def trained(self) -> dict[str, Path]:
        """The DUAL and the Vox-UDA model, which only their own columns need."""
        return trained_models(self.work)

    def results(self, volume: np.ndarray, slices: range, count: int) -> Results:
        """``slices`` are those that ``segment slabs`` takes, ``count`` is the number of picks of the difference of Gaussians."""
        ways: dict[str, Callable[[], Found]] = {
            "slabs": lambda: self._slabs(volume, slices), "dog": lambda: Found(points=self._dog(volume, count)),
            "membranes": lambda: Found(segment_membranes(volume, VOXEL_SIZE, self.membranes).mask > 0),
            "deepet": lambda: Found(points=self._deepet(volume)), "dual": lambda: Found(density=self._denoised(volume)),
            "voxuda": lambda: Found(bodies=self._bodies(volume))}
        return {name: ways[name]() for name in self.wanted if self.cleaning == "auto" or name in UNCLEANED}

    def _slabs(self, volume: np.ndarray, slices: range) -> Found:
        header = VolumeHeader(Path("spoilt"), volume.shape, np.dtype(np.float32), VOXEL_SIZE, (0.0, 0.0, 0.0), "memory", True)
        found = segment_slabs(Volume(volume, header), "bright", list(slices), self.slabs, self.backbone)
        mask = np.zeros(volume.shape, bool)
        mask[slices.start:slices.stop] = found.membranes
        return Found(mask, found.particles.zyx + np.array([slices.start, 0, 0]))

    def _file(self, volume: np.ndarray) -> InputFile:
        path = self.work / "spoilt.mrc"
        write_volume(path, np.ascontiguousarray(volume), VOXEL_SIZE)
        return InputFile(path=str(path), role="tomogram", contrast="bright")

    def _dog(self, volume: np.ndarray, count: int) -> np.ndarray:
        return pick(self._file(volume), DogParameters(particle_diameter=DIAMETER, count=count, cleaning=self.cleaning)).table.zyx

    def _deepet(self, volume: np.ndarray) -> np.ndarray:
        p = PickDeepetParameters(diameter_min=DIAMETER / 2, diameter_max=2 * DIAMETER)
        return centre_picks(volume_from_array("spoilt", volume, VOXEL_SIZE), self.picker, p, CPU).zyx

    def _denoised(self, volume: np.ndarray) -> np.ndarray:
        return read_volume(self._applied("denoise-dual", "dual", volume) / "spoilt_denoised.mrc")[0]

    def _bodies(self, volume: np.ndarray) -> np.ndarray:
        folder = self._applied("segment-subtomograms", "voxuda", volume, probabilities=False)
        return read_labels(folder / "spoilt_mask.mrc")[0] > 0

    def _applied(self, method: str, model: str, volume: np.ndarray, **parameters: object) -> Path:
        inputs = [self._file(volume), InputFile(path=str(self.trained[model]), role="model")]
        folder = self.work / "applied" / method
        run_job(Job(method=method, parameters=parameters, inputs=inputs, output_folder=str(folder), device="cpu"), overwrite=True)
        return folder


def scores(truth: SimulatedTomogram, kept: np.ndarray, found: Found) -> dict[str, float]:
    """Figures in the slices, of the truth that is left; what is found elsewhere is wrong."""
    window = slice(FIRST, LAST)
    left = kept[window]
    figures = {}
    if found.membranes is not None:
        figures["Dice"] = dice(found.membranes[window], (truth.membrane_mask[window] > 0) & left)
    if found.points is not None:
        figures["F1"] = precision_recall_f1(_inside(found.points), _inside(wanted(truth, kept)), RADIUS_PX).f1
    if found.density is not None:
        figures["r"] = float(np.corrcoef(found.density[window][left], truth.grand_model[window][left])[0, 1])
    if found.bodies is not None:
        own = (truth.instance_mask[window] > 0) & (truth.instance_mask[window] <= len(truth.particles))
        figures["Dice"] = dice(found.bodies[window], own & left)
    return figures


def within(found: Found, kept: np.ndarray) -> Found:
    """What is found where ``kept`` is true."""
    masks = [None if mask is None else mask & kept for mask in (found.membranes, found.bodies)]
    return Found(masks[0], None if found.points is None else found.points[_at(found.points, kept)], found.density, masks[1])


def wanted(truth: SimulatedTomogram, kept: np.ndarray) -> np.ndarray:
    """Centres (n, 3) of the particles of half to twice the sought diameter that are left."""
    particles = truth.particles
    zyx = particles.zyx[(particles.diameters >= DIAMETER / 2) & (particles.diameters <= 2 * DIAMETER)]
    return zyx[_at(zyx, kept)]


def _at(zyx: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Which of the points (n, 3) lie where ``kept`` is true."""
    return kept[tuple(np.clip(np.rint(zyx).astype(int), 0, np.array(kept.shape) - 1).T)]


def _inside(zyx: np.ndarray) -> np.ndarray:
    return zyx[(zyx[:, 0] >= FIRST) & (zyx[:, 0] < LAST)]


class Tomograms:
    """The test tomograms, and what the methods find in each that ends where a row's sample ends, worked out once for each box."""

    def __init__(self, methods: Methods, seeds: int, side: int) -> None:
        size = {"size_z": 40, "size_y": side, "size_x": side}
        self._methods, self._ended = methods, {}  # type: ignore[var-annotated]
        self.truths = [simulate(SimulationParameters(voxel_size=VOXEL_SIZE, snr=SNR, **size), FIRST_SEED + seed) for seed in range(seeds)]

    def spoilt(self, number: int, row: str) -> tuple[Results, Results, np.ndarray]:
        """What is found in the spoilt tomogram, in the one that ends with its sample, and which voxels are left."""
        truth = self.truths[number]
        volume, kept = ROWS[row](truth.reconstruction)
        ended = self._in_box(number, box_of(kept))
        found = ended if row == CLEAN else self._methods.results(volume, range(FIRST, LAST), self._count(number, kept))
        return found, ended, kept

    def _count(self, number: int, kept: np.ndarray) -> int:
        return max(1, len(_inside(wanted(self.truths[number], kept))))

    def _in_box(self, number: int, box: tuple[slice, ...]) -> Results:
        key = number, *((part.start, part.stop) for part in box)
        if key not in self._ended:
            volume = self.truths[number].reconstruction
            first, kept = box[0].start, np.zeros(volume.shape, bool)
            kept[box] = True
            slices = range(max(FIRST - first, 0), min(LAST, box[0].stop) - first)
            found = self._methods.results(np.ascontiguousarray(volume[box]), slices, self._count(number, kept))
            self._ended[key] = {name: own.placed(box, volume.shape) for name, own in found.items()}
        return self._ended[key]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the trained models and scratch files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--cleaning", nargs="+", default=["auto", "off"], choices=["auto", "off"])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    arguments = parser.parse_args()
    for cleaning in arguments.cleaning:
        tomograms = Tomograms(Methods(arguments, cleaning), arguments.seeds, arguments.side)
        for row in arguments.rows:
            start = time.monotonic()
            cells: dict[str, list[tuple[float, float]]] = {}
            for number, truth in enumerate(tomograms.truths):
                found, ended, kept = tomograms.spoilt(number, row)
                for name, own in found.items():
                    bounds = scores(truth, kept, within(ended[name], kept))
                    for figure, value in scores(truth, kept, own).items():
                        cells.setdefault(f"{name} {figure}", []).append((value, bounds[figure]))
            means = {name: np.mean(values, axis=0) for name, values in cells.items()}
            line = "   ".join(f"{name} {own:.3f} [{ended:.3f}]" for name, (own, ended) in means.items())
            print(f"cleaning {cleaning:5}{row:24}{line}   {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
