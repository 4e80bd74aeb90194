"""Tomograms as they really are: what borders, empty corners, gold, hot voxels and constant slices cost each method.

    python benchmarks/as_they_are.py [--seeds 3] [--side 192] [--cleaning auto off] [--membranes MODEL]

Simulated tomograms of 40 x SIDE x SIDE voxels of 10 A, SNR 0.3, spoilt in one way a row. Membrane Dice / particle F1 (10 voxels, 1 to 1,
particles of half to twice the sought diameter) in slices 8 to 32 of ``segment slabs`` and of ``pick dog`` (as many picks as there are
particles), and of ``segment membranes`` and ``pick deepet`` with the general models, which are what ``pipeline`` applies at its defaults.
The truth is that of the voxels that are left; in brackets what the clean tomogram's results have in these voxels.
"""
from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from cryoetseg.core.foundation.apply import segment_slabs
from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.metrics.picking import precision_recall_f1
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.picking.apply import pick
from cryoetseg.core.picking.params import DogParameters
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.centres.picks import centre_picks
from cryoetseg.core.students.membranes.apply import segment_membranes
from cryoetseg.core.students.membranes.network import load_membrane_model
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.volumes.header import VolumeHeader
from cryoetseg.core.volumes.io import Volume, write_volume

RADIUS_PX, VOXEL_SIZE, DIAMETER = 10.0, 10.0, 250.0
FIRST_SEED, FIRST, LAST = 910, 8, 32
Found = dict[str, tuple[np.ndarray | None, np.ndarray | None]]  # by method a mask and points (z, y, x)
Spoilt = tuple[np.ndarray, np.ndarray]  # the volume, and which voxels still show sample


def filled(inside: Callable[[np.ndarray], np.ndarray], value: float, shift: float = 0.0) -> Callable[[np.ndarray], Spoilt]:
    """Everything outside set to ``value`` deviations, the sample ``shift`` deviations away from 0."""

    def spoil(volume: np.ndarray) -> Spoilt:
        kept = np.broadcast_to(inside(volume), volume.shape)
        standard = (volume - volume.mean()) / volume.std() + np.float32(shift)
        return np.where(kept, standard, np.float32(value)), kept

    return spoil


def within_border(volume: np.ndarray) -> np.ndarray:
    """All but a border of about a fifth of the side."""
    side = volume.shape[1]
    kept = np.zeros(volume.shape[1:], bool)
    kept[round(side * 0.21):side - round(side * 0.21), round(side * 0.21):side - round(side * 0.21)] = True
    return kept


def within_turned(volume: np.ndarray) -> np.ndarray:
    """A square turned by 20 degrees: empty corners."""
    side = volume.shape[1]
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = np.radians(20)
    turned = np.abs(y * np.cos(angle) + x * np.sin(angle)), np.abs(x * np.cos(angle) - y * np.sin(angle))
    return np.maximum(*turned) < 0.54 * side


def all_but_ends(slices: int) -> Callable[[np.ndarray], np.ndarray]:
    """All but ``slices`` at both ends together."""
    return lambda volume: (np.minimum(np.arange(len(volume)), np.arange(len(volume))[::-1]) >= slices)[:, None, None]


def with_beads(radius: float, count: int, height: float) -> Callable[[np.ndarray], Spoilt]:
    """Balls of ``radius`` voxels, ``height`` deviations denser."""

    def spoil(volume: np.ndarray) -> Spoilt:
        standard, rng = (volume - volume.mean()) / volume.std(), np.random.default_rng(0)
        distances = np.meshgrid(*(np.arange(-6, 7),) * 3, indexing="ij")
        ball = np.argwhere(sum(axis**2 for axis in distances) <= radius**2) - 6
        for centre in rng.integers(8, np.array(volume.shape) - 8, (count, 3)):
            standard[tuple((centre + ball).T)] += height
        return standard.astype(np.float32), np.ones(volume.shape, bool)

    return spoil


ROWS: dict[str, Callable[[np.ndarray], Spoilt]] = {
    "clean": filled(lambda volume: np.ones(volume.shape, bool), 0),
    "border at -3": filled(within_border, -3),
    "border at -10": filled(within_border, -10),
    "mean 10, border at 0": filled(within_border, 0, 10),
    "corners at -10": filled(within_turned, -10),
    "corners at +10": filled(within_turned, 10),
    "padded slices at -10": filled(all_but_ends(10), -10),
    "10 gold beads": with_beads(4, 10, 25),
    "20 hot voxels": with_beads(0, 20, 100),
    "constant slices": filled(all_but_ends(6), 0),
}


class Method:
    """One method: a spoilt volume goes in, a membrane mask and points (z, y, x) of the whole volume come out, None for what it lacks."""

    def __init__(self, arguments: argparse.Namespace, cleaning: str) -> None:
        self.slabs = SegmentSlabsParameters(cleaning=cleaning, particle_diameter=DIAMETER)
        self.backbone = load_backbone("cryoet-tiny", "", torch.device("cpu"))
        self.membranes = load_membrane_model(arguments.membranes or model_folder("general", "membranes"))
        self.picker = load_centres(model_folder("general", "picker"))
        self.cleaning = cleaning

    def results(self, volume: np.ndarray, count: int) -> Found:
        header = VolumeHeader(Path("spoilt"), volume.shape, np.dtype(np.float32), VOXEL_SIZE, (0.0, 0.0, 0.0), "memory", True)
        found = segment_slabs(Volume(volume, header), "bright", list(range(FIRST, LAST)), self.slabs, self.backbone)
        mask = np.zeros(volume.shape, bool)
        mask[FIRST:LAST] = found.membranes
        slabs = (mask, found.particles.zyx + np.array([FIRST, 0, 0]))
        results: Found = {"segment slabs": slabs, "pick dog": (None, self._dog(volume, count))}
        if self.cleaning == "auto":  # the models have no other way
            results["segment membranes"] = (segment_membranes(volume, VOXEL_SIZE, self.membranes).mask > 0, None)
            p = PickDeepetParameters(diameter_min=DIAMETER / 2, diameter_max=2 * DIAMETER)
            found_by_network = centre_picks(volume_from_array("spoilt", volume, VOXEL_SIZE), self.picker, p, torch.device("cpu"))
            results["pick deepet"] = (None, found_by_network.zyx)
        return results

    def _dog(self, volume: np.ndarray, count: int) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "spoilt.mrc"
            write_volume(path, volume, VOXEL_SIZE)
            parameters = DogParameters(particle_diameter=DIAMETER, count=count, cleaning=self.cleaning)
            return pick(InputFile(path=str(path), contrast="bright"), parameters).table.zyx


def scores(truth: SimulatedTomogram, kept: np.ndarray, found: tuple[np.ndarray | None, np.ndarray | None]) -> tuple[float, float]:
    """Membrane Dice and particle F1 in the slices, of the truth that is left; what is found elsewhere is wrong."""
    mask, zyx = found
    window = slice(FIRST, LAST)
    membranes = float("nan") if mask is None else dice(mask[window], (truth.membrane_mask[window] > 0) & kept[window])
    return membranes, float("nan") if zyx is None else precision_recall_f1(_inside(zyx), _inside(wanted(truth, kept)), RADIUS_PX).f1


def within(found: tuple[np.ndarray | None, np.ndarray | None], kept: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What is found where ``kept`` is true."""
    mask, zyx = found
    return None if mask is None else mask & kept, None if zyx is None else zyx[_at(zyx, kept)]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--cleaning", nargs="+", default=["auto", "off"], choices=["auto", "off"])
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), help="the first one counts as clean")
    parser.add_argument("--membranes", type=Path, help="folder of a trained membrane model")
    arguments = parser.parse_args()
    size = {"size_z": 40, "size_y": arguments.side, "size_x": arguments.side}
    truths = [simulate(SimulationParameters(voxel_size=VOXEL_SIZE, snr=0.3, **size), FIRST_SEED + seed) for seed in range(arguments.seeds)]
    for cleaning in arguments.cleaning:
        method = Method(arguments, cleaning)
        clean: list[Found] = []
        for row in arguments.rows:
            start = time.monotonic()
            table: dict[str, list[tuple[float, ...]]] = {}
            for number, truth in enumerate(truths):
                volume, kept = ROWS[row](truth.reconstruction)
                found = method.results(volume, max(1, len(_inside(wanted(truth, kept)))))
                clean += [found] if len(clean) == number else []
                for name, own in found.items():
                    there = clean[number].get(name, (None, None))
                    table.setdefault(name, []).append((*scores(truth, kept, own), *scores(truth, kept, within(there, kept))))
            cells = "   ".join(f"{name} {_cell(np.mean(values, axis=0))}" for name, values in table.items())
            print(f"cleaning {cleaning:5}{row:24}{cells}   {time.monotonic() - start:.0f} s", flush=True)


def _cell(means: np.ndarray) -> str:
    """``.714 / .439 [.720 / .440]`` from membranes, particles and the same two of the clean tomogram."""
    return f"{means[0]:.3f} / {means[1]:.3f} [{means[2]:.3f} / {means[3]:.3f}]"


if __name__ == "__main__":
    main()
