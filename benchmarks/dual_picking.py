"""Does DUAL help a difference of Gaussians to find particles? The paper's second table on several simulated tomograms (spec C7).

    python benchmarks/dual_picking.py OUT --templates FOLDER --tests 9 10 11 12 13 14 --seeds 0 1 2 [--topaz FOLDER]

Uses the models that ``dual_restoration.py samples`` and ``train`` left in OUT and simulates the test tomograms that are missing. As many
picks as there are particles; a pick hits within 80 A, as published. The published sigma (80 A, for particles of 280 A) and those for
smaller particles, because these samples hold both; beside all of them those that lie away from membranes, picks and particles. The best
baselines are chosen with the truth; --baselines names those to compare with. --topaz: a folder with what
``topaz_denoise3d.py`` made, ``topaz9.mrc`` and so on. The row "grand model" is what no denoiser can exceed.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from dual_restoration import density_file, model_file, samples, tomogram_file
from scipy.ndimage import distance_transform_edt

from cryoetseg.core.dual.apply import translate
from cryoetseg.core.dual.baselines import BASELINES, best_baselines
from cryoetseg.core.dual.data import StandardisedView
from cryoetseg.core.dual.model import load_dual
from cryoetseg.core.metrics.picking import precision_recall_f1
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.picking.dog import difference_of_gaussians, sigma_for_diameter
from cryoetseg.core.runtime.device import choose_device
from cryoetseg.core.volumes.io import read_labels, read_volume

DIAMETERS = (100.0, 140.0, 180.0, 280.0)  # A
VOXEL_SIZE, HIT, EXCLUSION = 10.0, 80.0, 3.0  # A, A, sigmas
NEAR_MEMBRANE = 3.0  # voxels
SPARE = 4  # times as many picks are made, of which those near membranes are left out


def denoised(options: argparse.Namespace, test: int) -> dict[str, np.ndarray]:
    """Every method's bright result, and the grand model."""
    view = StandardisedView(read_volume(tomogram_file(options, test).path)[0], "dark")
    truth = read_volume(density_file(options, test).path)[0]
    results = {name: volume for name, (_, volume) in best_baselines(view[:], truth, options.baselines).items()}
    if options.topaz:
        results["Topaz 3D"] = -read_volume(Path(options.topaz) / f"topaz{test}.mrc")[0]
    for seed in options.seeds:
        model, _ = load_dual(model_file(options, f"model{seed}").path, choose_device(options.device))
        results[f"DUAL, seed {seed}"] = np.empty(view.shape, np.float32)
        translate(model.denoiser, view, results[f"DUAL, seed {seed}"], 96, choose_device(options.device))
    return {**results, "grand model": truth}


def away_from_membranes(options: argparse.Namespace, test: int) -> np.ndarray:
    """Which voxels (z, y, x) lie farther than ``NEAR_MEMBRANE`` from any membrane."""
    membranes = read_labels(Path(options.out) / "data" / f"s{test}_membranes.mrc")[0] > 0
    return distance_transform_edt(~membranes) > NEAR_MEMBRANE


def rows(options: argparse.Namespace, test: int) -> list[dict[str, object]]:
    centres = read_particles(Path(options.out) / "data" / f"s{test}_particles.star", voxel_size=VOXEL_SIZE).zyx
    regions = {"all": np.ones_like(away := away_from_membranes(options, test)), "away from membranes": away}
    scored: list[dict[str, object]] = []
    for name, volume in denoised(options, test).items():
        for diameter in DIAMETERS:
            sigma = sigma_for_diameter(diameter) / VOXEL_SIZE
            points = difference_of_gaussians(volume, sigma, exclusion_px=EXCLUSION * sigma, count=SPARE * len(centres)).points
            for where, region in regions.items():
                true, picked = (places[region[tuple(places.round().astype(int).T)]] for places in (centres, points))
                scored.append({"method": name, "test": test, "diameter": diameter, "where": where,
                               "f1": precision_recall_f1(picked[:len(true)], true, HIT / VOXEL_SIZE).f1})
    return scored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--templates", default="../shared/data/templates")
    parser.add_argument("--tests", type=int, nargs="+", default=[9, 10, 11, 12, 13, 14])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--topaz", default="")
    parser.add_argument("--baselines", nargs="+", default=[*BASELINES], choices=[*BASELINES])
    parser.add_argument("--snr", type=float, default=0.1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    for test in options.tests:
        samples(argparse.Namespace(**{**vars(options), "test": test}))
    table = pd.DataFrame([row for test in options.tests for row in rows(options, test)])
    table.to_csv(Path(options.out) / "picking.csv", index=False)
    table["method"] = table["method"].str.replace(r", seed \d+", "", regex=True)
    print(table.groupby(["where", "method", "diameter"])["f1"].agg(["mean", "std"]).unstack("diameter").round(3).to_string())


if __name__ == "__main__":
    main()
