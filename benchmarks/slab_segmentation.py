"""Pseudo-labels on simulated tomograms beside what anyone could have, and the shipped backbone beside its bounds.

    python benchmarks/slab_segmentation.py [--seeds 2] [--snr 0.3 0.1 0.05] [--json FILE]

Rows: the default chain with cryoet-tiny; the same chain with a randomly initialised network of the same shape; the same chain on
plain grey values in place of features; Gaussian + Otsu; the Hessian sheet filter (sigma 3.5 voxels, component filter); difference of
Gaussians with as many picks as the default chain. Columns: voxel-pooled membrane Dice and particle F1 (10 voxels, one to one,
particles of half to twice the sought diameter), mean over the seeds, for each SNR. None of the seeds is one of the training's.
"""
from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from cryoetseg.core.foundation.apply import segment_slabs
from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.door import Affinity, Backbone, Look
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.foundation.tiny import TinyBackbone
from cryoetseg.core.metrics.baselines import gaussian_otsu, hessian_sheets
from cryoetseg.core.metrics.picking import precision_recall_f1
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.picking.dog import difference_of_gaussians
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.simulation.tomogram import SimulatedTomogram
from cryoetseg.core.volumes.header import VolumeHeader
from cryoetseg.core.volumes.io import Volume

RADIUS_PX = 10.0
FIRST_SEED = 910
Scores = dict[str, tuple[float, float]]


class GreyValues(Backbone):
    """The bound from below: the folded grey values themselves as features, the picture itself as density."""

    name, tokens, input_size_px, slices = "grey values", 64, 128, 5

    def affinities(self, image: np.ndarray, voxel_size_nm: float, generator: torch.Generator, draws: int) -> list[Affinity]:
        raise TypeError("grey values are used through look()")

    def look(self, images: np.ndarray, generator: torch.Generator, draws: int) -> Look:
        smooth = ndimage.gaussian_filter(images, (0, 0, 1, 1))
        features = torch.nn.functional.pixel_unshuffle(torch.from_numpy(smooth), 2).numpy()
        return Look(features, images[:, self.slices // 2])


def random_backbone() -> TinyBackbone:
    """A network of the shipped shape with random weights."""
    shipped = load_backbone("cryoet-tiny", "", torch.device("cpu"))
    assert isinstance(shipped, TinyBackbone)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyBackbone(type(shipped.network).from_config(shipped.network.config), torch.device("cpu"), "random weights")


def tomogram(snr: float, seed: int) -> SimulatedTomogram:
    return simulate(SimulationParameters(voxel_size=10, size_z=40, size_y=192, size_x=192, snr=snr), seed)


def scored(truth: SimulatedTomogram, parameters: SegmentSlabsParameters, backbones: list[Backbone]) -> Scores:
    """(membrane Dice, particle F1) of every row on one tomogram."""
    shape, voxel_size = truth.reconstruction.shape, truth.parameters.voxel_size
    header = VolumeHeader(Path("simulated"), shape, np.dtype(np.float32), voxel_size, (0.0, 0.0, 0.0), "memory", True)
    slabs = list(range(8, shape[0] - 8))
    inside = slice(slabs[0], slabs[-1] + 1)
    membranes = truth.membrane_mask[inside] > 0
    wanted = truth.particles.zyx[_sought(truth, parameters)]
    wanted = wanted[(wanted[:, 0] >= inside.start) & (wanted[:, 0] < inside.stop)]

    def f1(zyx: np.ndarray) -> float:
        return precision_recall_f1(zyx, wanted, RADIUS_PX).f1

    offset = np.array([inside.start, 0, 0])
    rows: Scores = {}
    picks = 0
    for backbone in backbones:
        found = segment_slabs(Volume(truth.reconstruction, header), "bright", slabs, parameters, backbone)
        zyx = found.particles.zyx + offset
        picks = picks or len(zyx)
        rows[backbone.name] = (dice(found.membranes, membranes), f1(zyx))
    volume = truth.reconstruction[inside]
    dog = difference_of_gaussians(volume, parameters.particle_diameter / voxel_size / (2 * 3**0.5),
                                  exclusion_px=parameters.particle_spacing * parameters.particle_diameter / voxel_size, count=max(1, picks))
    rows["Gaussian + Otsu"] = (dice(gaussian_otsu(volume), membranes), float("nan"))
    rows["Hessian sheets"] = (dice(hessian_sheets(volume), membranes), float("nan"))
    rows["difference of Gaussians"] = (float("nan"), f1(dog.points + offset))
    return rows


def _sought(truth: SimulatedTomogram, parameters: SegmentSlabsParameters) -> np.ndarray:
    diameters = truth.particles.diameters
    return (diameters >= 0.5 * parameters.particle_diameter) & (diameters <= 2 * parameters.particle_diameter)


def _shown(value: float) -> str:
    return "  -  " if np.isnan(value) else f"{value:5.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2, help="tomograms per SNR")
    parser.add_argument("--snr", type=float, nargs="+", default=[0.3, 0.1, 0.05])
    parser.add_argument("--json", type=Path, help="file for all values")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of segment slabs")
    arguments = parser.parse_args()
    parameters = SegmentSlabsParameters(**dict(item.split("=") for item in arguments.set))
    backbones: list[Backbone] = [load_backbone("cryoet-tiny", "", torch.device("cpu")), random_backbone(), GreyValues()]
    table: dict[str, dict[float, list[tuple[float, float]]]] = {}
    start = time.monotonic()
    for snr in arguments.snr:
        for number in range(arguments.seeds):
            for row, pair in scored(tomogram(snr, FIRST_SEED + number), parameters, backbones).items():
                table.setdefault(row, {}).setdefault(snr, []).append(pair)
    print(f"{'membrane Dice / particle F1':26s}" + "".join(f"   SNR {snr:<8g}" for snr in arguments.snr))
    for row, cells in table.items():
        means = [np.array(cells[snr]).mean(axis=0) for snr in arguments.snr]
        print(f"{row:26s}" + "".join(f"   {_shown(mean[0])} / {_shown(mean[1])}" for mean in means))
    print(f"{arguments.seeds} tomogram(s) a cell, {time.monotonic() - start:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
