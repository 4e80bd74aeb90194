"""Pickers told apart: average precision and recall of particles by size, ribosomes by themselves.

    python benchmarks/particles_by_size.py [--seeds 3] [--snr 0.3 0.05] [--side 160]

Simulated tomograms of 40 x SIDE x SIDE voxels of 10 A, all particles from 60 A on, hits within 10 voxels, one to one. Average precision
needs no threshold: every method gives its candidates in order, however faint. Picks of particles of other sizes count neither for nor
against a range of sizes. Methods: ``segment slabs`` and ``pick dog`` that seek 250 A, ``pick dog`` that seeks 140 A, the general picker.
"""
from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from cryoetseg.core.foundation.apply import segment_slabs
from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.metrics.picking_sizes import SizedPicks, scores_by_size
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.picking.dog import difference_of_gaussians, sigma_for_diameter
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.centres.picks import centre_picks
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.volumes.header import VolumeHeader
from cryoetseg.core.volumes.io import Volume

FIRST_SEED, VOXEL_SIZE, RADIUS_PX = 960, 10.0, 10.0
LEAST, LIMITS = 60.0, [120.0, 180.0]
RIBOSOME = "ribosome_80s"
FIRST, LAST = 8, 32
CPU = torch.device("cpu")


class Ranked(NamedTuple):
    """Candidates (n, 3) in voxels (z, y, x) and their scores."""

    zyx: np.ndarray
    score: np.ndarray


class Pickers:
    """Every method as a source of ranked candidates."""

    def __init__(self) -> None:
        self.backbone = load_backbone("cryoet-tiny", "", CPU)
        self.general = load_centres(model_folder("general", "picker"))

    def candidates(self, bright: np.ndarray) -> Iterator[tuple[str, Ranked]]:
        yield "segment slabs, 250 A", self._slabs(bright)
        for diameter in (250.0, 140.0):
            yield f"pick dog, {diameter:g} A", blobs(bright, diameter)
        volume = volume_from_array("tomogram", bright, VOXEL_SIZE)
        table = centre_picks(volume, self.general, PickDeepetParameters(height_threshold=0.01), CPU)
        yield "pick deepet general", Ranked(table.zyx, table.score)

    def _slabs(self, bright: np.ndarray) -> Ranked:
        header = VolumeHeader(Path("tomogram"), bright.shape, np.dtype(np.float32), VOXEL_SIZE, (0.0, 0.0, 0.0), "memory", True)
        p = SegmentSlabsParameters(particle_diameter=250.0, particle_threshold=0.0)
        found = segment_slabs(Volume(bright, header), "bright", list(range(FIRST, LAST)), p, self.backbone).particles
        return Ranked(found.zyx + np.array([FIRST, 0, 0]), found.score)


def blobs(bright: np.ndarray, diameter: float) -> Ranked:
    """A difference of Gaussians, grey values clipped at three deviations first."""
    clipped, width = np.clip((bright - bright.mean()) / bright.std(), -3, 3), diameter / VOXEL_SIZE
    found = difference_of_gaussians(clipped, sigma_for_diameter(width), exclusion_px=0.9 * width)
    return Ranked(found.points, found.scores)


def in_slices(zyx: np.ndarray) -> np.ndarray:
    return (zyx[:, 0] >= FIRST) & (zyx[:, 0] < LAST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--snr", type=float, nargs="+", default=[0.3, 0.05])
    parser.add_argument("--side", type=int, default=160)
    arguments = parser.parse_args()
    pickers = Pickers()
    for snr in arguments.snr:
        sized: dict[str, list[SizedPicks]] = {}
        ribosomes: dict[str, list[SizedPicks]] = {}
        for seed in range(FIRST_SEED, FIRST_SEED + arguments.seeds):
            size = {"size_z": 40, "size_y": arguments.side, "size_x": arguments.side}
            made = simulate(SimulationParameters(voxel_size=VOXEL_SIZE, snr=snr, **size), seed)
            particles = made.particles
            kept = in_slices(particles.zyx) & (particles.diameters >= LEAST)
            zyx, diameters = particles.zyx[kept], particles.diameters[kept]
            is_ribosome = np.array([particles.class_names[int(number)] == RIBOSOME for number in particles.class_id[kept]], dtype=bool)
            for name, found in pickers.candidates(made.reconstruction):
                inside = in_slices(found.zyx)
                picks = found.zyx[inside], found.score[inside]
                sized.setdefault(name, []).append(SizedPicks(*picks, zyx, diameters))
                # a size of their own tells ribosomes from all others
                ribosomes.setdefault(name, []).append(SizedPicks(*picks, zyx, np.where(is_ribosome, 2.0, 1.0)))
        for name, items in sized.items():
            cells = scores_by_size(items, LIMITS, RADIUS_PX)
            cells["ribosomes"] = list(scores_by_size(ribosomes[name], [1.5], RADIUS_PX).values())[-1]
            line = "  ".join(f"{label} ({own.truth_count}): AP {own.average_precision:.3f}, recall {own.recall:.3f}"
                             for label, own in cells.items())
            print(f"SNR {snr:<5g} {name:22} {line}", flush=True)


if __name__ == "__main__":
    main()
