"""The general models as they come, on data that played no part in making them, beside what anyone could have.

    python benchmarks/general_models.py simulated|real|nothing [--model-folder FOLDER]

``simulated``: the built-in simulator at 10 A with molecules that no training scene holds, three seeds at SNR 0.3, 0.1, 0.05: membrane
Dice beside a sheet filter whose scale, threshold and component size are chosen with the truth; particle F1, at the default and with the
count chosen with the truth, beside a difference of Gaussians whose diameter and count are. ``real``: tomogram 171 (traces, ribosomes) and
six tomograms of another simulator (particles, no membranes). ``nothing``: share of membrane and number of picks in noise and in empty ice
with contamination.
"""
from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from traces import TRACES, read_traces, trace_scores

from cryoetseg.core.metrics.baselines import sheet_response, without_small_components
from cryoetseg.core.metrics.picking import hits_by_rank
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.picking.dog import difference_of_gaussians, sigma_for_diameter
from cryoetseg.core.recipes.general.draw import HELD_OUT_MOLECULES, draw_scene
from cryoetseg.core.recipes.general.scenes import simulated
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.centres.picks import centre_picks
from cryoetseg.core.students.membranes.apply import segment_membranes
from cryoetseg.core.students.membranes.network import load_membrane_model
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.core.students.volumes import volume_from_array
from cryoetseg.core.volumes.io import read_volume

DATA = TRACES.parents[1]
CPU = torch.device("cpu")
SEEDS, SNRS = (901, 902, 903), (0.3, 0.1, 0.05)
SHEET_SIGMAS, SHEET_SHARES, SHEET_SIZES = (1.5, 2.5, 3.5), (0.04, 0.06, 0.08, 0.12), (0, 500, 3000)
BLOB_DIAMETERS = (100.0, 140.0, 180.0, 240.0)
REACH = 0.5  # of a particle's diameter: how far a pick may lie from its centre
FAINT = 0.01  # probability from which places are ranked
LEAST_DIAMETER = 60.0  # A: smaller particles count neither as found nor as missed
RANKS = (268, 500, 800)


class Models:
    """The two models, by folder or from the shelf."""

    def __init__(self, folder: Path | None) -> None:
        self.membranes = load_membrane_model(folder / "membranes" if folder else model_folder("general", "membranes"))
        self.particles = load_centres(folder / "particles" if folder else model_folder("general", "picker"))

    def mask(self, bright: np.ndarray, voxel_size: float) -> np.ndarray:
        return segment_membranes(bright, voxel_size, self.membranes, device="cpu").mask > 0

    def picks(self, bright: np.ndarray, voxel_size: float, least: float = 0.0, **chosen: float) -> np.ndarray:
        volume = volume_from_array("tomogram", bright, voxel_size)
        return centre_picks(volume, self.particles, PickDeepetParameters(height_threshold=least, **chosen), CPU).zyx  # type: ignore[arg-type]


def cells() -> Iterator[tuple[int, float, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Seed, SNR, tomogram, true membranes, true centres and their diameters in voxels."""
    for snr in SNRS:
        for seed in SEEDS:
            p = SimulationParameters(voxel_size=10.0, size_z=56, size_y=200, size_x=200, snr=snr, actin_count=2,
                                     particles=", ".join(["ribosome_80s", *HELD_OUT_MOLECULES]))
            made = simulate(p, seed)
            diameters = made.particles.diameters
            kept = diameters >= LEAST_DIAMETER
            yield seed, snr, made.reconstruction, made.membrane_mask > 0, made.particles.zyx[kept], diameters[kept] / p.voxel_size


def best_sheets(bright: np.ndarray, truth: np.ndarray) -> float:
    """The highest Dice of a sheet filter over scales, shares of the volume and component sizes."""
    best = 0.0
    for sigma in SHEET_SIGMAS:
        response = sheet_response(bright, sigma)
        for share in SHEET_SHARES:
            mask = response > np.quantile(response, 1 - share)
            best = max([best, *(dice(without_small_components(mask, size), truth) for size in SHEET_SIZES)])
    return best


def f1(points: np.ndarray, truth: np.ndarray, radius: float) -> float:
    hits = int(hits_by_rank(points, truth, radius).sum()) if len(points) and len(truth) else 0
    return 2 * hits / max(len(points) + len(truth), 1)


def best_blobs(bright: np.ndarray, truth: np.ndarray, radius: float, voxel_size: float) -> float:
    """The highest F1 of a difference of Gaussians over diameters and counts, grey values clipped at three deviations first."""
    best, clipped = 0.0, np.clip((bright - bright.mean()) / bright.std(), -3, 3)
    for diameter in BLOB_DIAMETERS:
        width = diameter / voxel_size
        points = difference_of_gaussians(clipped, sigma_for_diameter(width), exclusion_px=0.9 * width).points
        best = max(best, best_count_f1(points, truth, radius))
    return best


def best_count_f1(points: np.ndarray, truth: np.ndarray, radius: float) -> float:
    """The highest F1 of so many of the ranked points as suits the truth best."""
    hits = np.cumsum(hits_by_rank(points, truth, radius))
    return float((2 * hits / (np.arange(1, len(points) + 1) + len(truth))).max(initial=0))


def on_simulated(models: Models) -> None:
    print(f"{'SNR':6}{'seed':6}{'membranes':>10}{'best sheets':>12}{'particles':>10}{'best count':>11}{'best blobs':>11}{'number':>8}")
    for seed, snr, bright, membranes, zyx, diameters in cells():
        radius = REACH * float(np.median(diameters))
        picks = f1(models.picks(bright, 10.0), zyx, radius), best_count_f1(models.picks(bright, 10.0, FAINT), zyx, radius)
        print(f"{snr:<6g}{seed:<6}{dice(models.mask(bright, 10.0), membranes):10.3f}{best_sheets(bright, membranes):12.3f}"
              f"{picks[0]:10.3f}{picks[1]:11.3f}{best_blobs(bright, zyx, radius, 10.0):11.3f}{len(zyx):8}", flush=True)


def on_real(models: Models) -> None:
    volume, header = read_volume(DATA / "tomograms" / "empiar11658_tomo171_31A.mrc")
    start = time.perf_counter()
    mask = models.mask(-volume, header.voxel_size)
    middle = time.perf_counter()
    picks = models.picks(-volume, header.voxel_size, 0.05)
    seconds = middle - start, time.perf_counter() - middle
    scores = trace_scores(mask, read_traces())
    print(f"tomogram 171: traces F1 {scores.f1:.3f} (recall {scores.recall:.3f}, precision {scores.precision:.3f}); "
          f"{seconds[0]:.0f} s membranes, {seconds[1]:.0f} s picks")
    truth = read_particles(DATA / "annotations" / "empiar11658_tomo171_ribosomes.star").zyx
    wide = models.picks(-volume, header.voxel_size, 0.05, diameter_min=170.0)
    clipped = np.clip((volume.mean() - volume) / volume.std(), -3, 3)
    blobs = difference_of_gaussians(clipped, 2.6, exclusion_px=7.0).points
    for name, points in (("general", picks), ("general, 170 A and wider", wide), ("difference of Gaussians, clipped", blobs)):
        recalls = " ".join(f"{hits_by_rank(points[:rank], truth, 4.0).sum() / len(truth):.3f}" for rank in RANKS)
        print(f"  recall of {len(truth)} ribosomes at {RANKS} picks, {name}: {recalls}")
    for number in range(1, 7):
        other, _ = read_volume(DATA / "tomograms" / f"sim_deepfinder_tomo0{number}.mrc")
        zyx = read_particles(DATA / "annotations" / f"sim_deepfinder_tomo0{number}.star").zyx
        found = models.picks(-other, 10.0)
        print(f"sim_deepfinder {number}: F1 at 5 voxels {f1(found, zyx, 5.0):.3f} ({len(found)} picks), best blobs "
              f"{best_blobs(-other, zyx, 5.0, 10.0):.3f}; membrane share {models.mask(-other, 10.0).mean():.4f}", flush=True)


def on_nothing(models: Models) -> None:
    white = np.random.default_rng(0).standard_normal((128, 128, 128)).astype(np.float32)
    rows = [("white noise", white), ("noise smoothed by 1 voxel", gaussian_filter(white, 1.0)),
            ("noise smoothed by 2 voxels", gaussian_filter(white, 2.0))]
    for number in (2001, 2002, 2003):
        draws = (draw_scene(candidate, number) for candidate in range(200))
        draw = next(draw for draw in draws if draw.kind == "empty ice" and draw.parameters.voxel_size == 10.0)
        rows.append((f"empty ice with contamination {number}", simulated(draw, number)[0].reconstruction))
    for name, bright in rows:
        print(f"{name:36} membrane share {models.mask(bright, 10.0).mean():.5f}, picks {len(models.picks(bright, 10.0))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["simulated", "real", "nothing"])
    parser.add_argument("--model-folder", type=Path)
    arguments = parser.parse_args()
    {"simulated": on_simulated, "real": on_real, "nothing": on_nothing}[arguments.part](Models(arguments.model_folder))


if __name__ == "__main__":
    main()
