"""Are DUAL's synthetic tomograms like real ones? Spectra, missing wedge, and a classifier that tries to tell them apart (spec C8).

    python benchmarks/dual_synthesis.py OUT --seed 0

Uses the tomograms and the model that ``dual_restoration.py samples`` and ``train`` left in OUT. Rows: DUAL; the grand models under white
Gaussian noise of the true SNR; other real tomograms, which is the best anyone could do. The classifier is a small 3D CNN that learns real
patches of the noisy training tomograms from synthetic ones of the clean training grand models, and is asked about held-out patches: of
the test tomogram, and of a synthetic one from its grand model.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from dual_restoration import CLEAN, NOISY, TEST, density_file, model_file, run, tomogram_file
from torch import nn
from torch.nn import functional as F

from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.watch import radial_power
from cryoetseg.core.runtime.files import write_json
from cryoetseg.core.volumes.io import read_volume
from cryoetseg.core.volumes.wedge import missing_energy

PATCHES, PATCH = 128, 32
STEPS, BATCH, HELD_OUT = 400, 16, 256
SNR = 0.1  # of the samples
Scores = dict[str, float]


def synthetic(options: argparse.Namespace, seed: int) -> list[np.ndarray]:
    """Bright synthetic tomograms of the clean training densities and, last, of the test density."""
    files = [density_file(options, number) for number in (*CLEAN, options.test)]
    drawn = argparse.Namespace(**{**vars(options), "seed": seed})
    inputs = [model_file(options, f"model{options.seed}"), *files]
    folder = run(drawn, "simulate-dual", f"synthetic{options.seed}_{options.test}_{seed}", inputs)
    return [-read_volume(folder / f"{Path(item.path).stem}_synthetic.mrc")[0] for item in files]


def under_white_noise(options: argparse.Namespace) -> list[np.ndarray]:
    """The same densities under plain Gaussian noise."""
    rng, made = np.random.default_rng(options.seed), []
    for number in (*CLEAN, options.test):
        density = StandardisedView(read_volume(density_file(options, number).path)[0], "bright")[:]
        made.append((density + rng.normal(size=density.shape) / np.sqrt(SNR)).astype(np.float32))
    return made


def patches(volumes: list[np.ndarray], count: int, seed: int) -> torch.Tensor:
    """Standardised random patches (count, 1, z, y, x)."""
    domain, rng = Domain([StandardisedView(volume, "bright") for volume in volumes], PATCH), np.random.default_rng(seed)
    return torch.from_numpy(np.stack([domain.cut(domain.random_place(rng)) for _ in range(count)]))


def scores_of(made: list[np.ndarray], real: list[np.ndarray], test: np.ndarray, seed: int) -> Scores:
    """Spectrum and wedge of the last of ``made`` beside the test tomogram, and how often a classifier is right."""
    ratio = torch.log(radial_power(patches(made[-1:], PATCHES, 0)) / radial_power(patches([test], PATCHES, 0)))[1:].abs()
    return {"spectrum_mean_log_ratio": float(ratio.mean()), "spectrum_largest_log_ratio": float(ratio.max()),
            "wedge_energy_ratio": missing_energy(made[-1], -60, 60) / missing_energy(test, -60, 60),
            "classifier_accuracy": classifier_accuracy(real, made[:-1], test, made[-1], seed)}


def classifier_accuracy(real: list[np.ndarray], made: list[np.ndarray], real_test: np.ndarray, made_test: np.ndarray, seed: int) -> float:
    """Accuracy on held-out patches, half of them real."""
    torch.manual_seed(seed)
    widths = (1, 16, 32, 64)
    layers = [layer for a, b in zip(widths, widths[1:]) for layer in (nn.Conv3d(a, b, 3, stride=2, padding=1), nn.LeakyReLU(0.2))]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(widths[-1], 1))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    labels = torch.repeat_interleave(torch.tensor([1.0, 0.0]), BATCH // 2)
    for step in range(STEPS):
        shown = torch.cat([patches(volumes, BATCH // 2, 100000 * seed + step) for volumes in (real, made)])
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(network(shown)[:, 0], labels).backward()
        optimiser.step()
    with torch.no_grad():
        right = [(network(patches([volume], HELD_OUT, 1)) > 0).float().mean() for volume in (real_test, made_test)]
    return float((right[0] + 1 - right[1]) / 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", type=int, default=TEST, help="seed of the test tomogram")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    real = [-read_volume(tomogram_file(options, number).path)[0] for number in NOISY]
    test = -read_volume(tomogram_file(options, options.test).path)[0]
    made = synthetic(options, 0)
    table = {"DUAL": scores_of(made, real, test, options.seed),
             "white Gaussian noise": scores_of(under_white_noise(options), real, test, options.seed),
             "real tomograms": {**scores_of([*real[2:], real[0]], real[:2], test, options.seed), "classifier_accuracy":
                                classifier_accuracy(real[:2], real[2:3], test, real[3], options.seed)}}
    again = synthetic(options, 1)[-1]
    table["DUAL"]["correlation_of_two_draws"] = float(np.corrcoef(made[-1].ravel(), again.ravel())[0, 1])
    write_json(Path(options.out) / f"synthesis{options.seed}_{options.test}.json", table)
    print(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
