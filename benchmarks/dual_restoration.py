"""DUAL against other denoisers on simulated tomograms: the paper's tables with a known truth (spec C7, C8, C10).

    python benchmarks/dual_restoration.py samples OUT --templates FOLDER      4 noisy tomograms, 4 other grand models, a test pair
    python benchmarks/dual_restoration.py train OUT --seed 0                  one model a seed
    python benchmarks/dual_restoration.py compare OUT --seed 0 [--topaz FILE] PSNR, SSIM, correlation, picking after each denoiser
    python benchmarks/dual_restoration.py wedge OUT                           energy and truth inside the wedge, a second artificial wedge

Each command uses what the ones before it left in OUT. ``topaz_denoise3d.py`` makes the file for --topaz; ``dual_synthesis.py`` judges
synthetic tomograms.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from cryoetseg.core.methods import run_job
from cryoetseg.core.metrics.restoration import pearson, restoration_scores
from cryoetseg.core.runtime.files import write_json
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.maps import load_templates
from cryoetseg.core.simulation.output import write_tomogram
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.volumes.io import read_volume, write_volume
from cryoetseg.core.volumes.wedge import measured_plane, missing_energy

NOISY, CLEAN, TEST = (0, 1, 2, 3), (4, 5, 6, 7), 9
TEMPLATES = ("6qzp", "4cr2", "1bxn", "3cf3", "1qvr", "2uv8", "6pxm", "7n4y")
SAMPLE = {"size_z": 64, "size_y": 192, "size_x": 192, "particles": "none", "vesicle_count": 2, "ellipsoid_count": 1, "tube_count": 0,
          "sheet_count": 1, "vesicle_radius_max": 400.0, "actin_count": 1, "snr": 0.1}


def samples(options: argparse.Namespace) -> None:
    files = [InputFile(path=str(Path(options.templates) / f"{name}_10A.mrc"), role="template", contrast="bright", voxel_size=10.0,
                       tilt_series_id=name) for name in TEMPLATES]
    templates = load_templates(files, 10.0)
    for seed in (*NOISY, *CLEAN, options.test):
        if Path(tomogram_file(options, seed).path).exists():
            continue
        tomogram = simulate(SimulationParameters(name=f"s{seed}", **{**SAMPLE, "snr": options.snr}), seed, templates)
        write_tomogram(tomogram, Path(options.out) / "data")


def tomogram_file(options: argparse.Namespace, seed: int, role: str = "tomogram") -> InputFile:
    return InputFile(path=str(Path(options.out) / "data" / f"s{seed}.mrc"), role=role, tilt_series_id=f"s{seed}")


def density_file(options: argparse.Namespace, seed: int, role: str = "grand_model") -> InputFile:
    path = Path(options.out) / "data" / f"s{seed}_grand_model.mrc"
    return InputFile(path=str(path), role=role, contrast="bright", tilt_series_id=f"s{seed}")


def run(options: argparse.Namespace, method: str, folder: str, inputs: list[InputFile], **parameters: Any) -> Path:
    target = Path(options.out) / folder
    run_job(Job(method=method, parameters=parameters, inputs=inputs, output_folder=str(target), seed=options.seed, device=options.device))
    return target


def model_file(options: argparse.Namespace, folder: str) -> InputFile:
    return InputFile(path=str(Path(options.out) / folder / "model"), role="model")


def train(options: argparse.Namespace) -> None:
    inputs = [tomogram_file(options, seed, "noisy") for seed in NOISY] + [density_file(options, seed, "clean") for seed in CLEAN]
    run(options, "train-dual", f"model{options.seed}", inputs, iterations=options.iterations)


def compare(options: argparse.Namespace) -> None:
    inputs = [model_file(options, f"model{options.seed}"), tomogram_file(options, options.test), density_file(options, options.test)]
    inputs.append(InputFile(path=str(Path(options.out) / "data" / f"s{options.test}_particles.star"), role="particles"))
    if options.topaz:
        inputs.append(InputFile(path=options.topaz, role="restored", tilt_series_id="Topaz 3D 10 A"))
    folder = run(options, "compare-denoisers", f"compare{options.seed}_{options.test}", inputs)
    print((folder / "denoisers.csv").read_text())


def wedge(options: argparse.Namespace) -> None:
    """Fill the wedge of the test tomogram; against the truth inside it, and after cutting a second wedge about x and filling again."""
    run(options, "train-dual-wedge", "wedge_model", [tomogram_file(options, seed, "noisy") for seed in (*NOISY, options.test)],
        iterations=options.iterations)
    first = run(options, "fill-wedge", "wedge_once", [model_file(options, "wedge_model"), tomogram_file(options, options.test)])
    before, filled = -read_volume(tomogram_file(options, options.test).path)[0], -read_volume(first / f"s{options.test}_filled.mrc")[0]
    truth = read_volume(density_file(options, options.test).path)[0]
    scores: dict[str, Any] = {"energy_before": missing_energy(before, -60, 60), "energy_after": missing_energy(filled, -60, 60),
                              "correlation_inside_wedge": pearson(inside_wedge(filled), inside_wedge(truth)),
                              "correlation_before": pearson(before, truth), "correlation_after": pearson(filled, truth)}
    second = Path(options.out) / "data" / "second_wedge.mrc"
    write_volume(second, -without_second_wedge(filled), 10.0)
    twice = run(options, "fill-wedge", "wedge_twice", [model_file(options, "wedge_model"), InputFile(path=str(second), tilt_series_id="x")])
    scores["second_against_first"] = restoration_scores(-read_volume(twice / "second_wedge_filled.mrc")[0], filled)._asdict()
    report(options, "wedge.json", scores)


def inside_wedge(volume: np.ndarray) -> np.ndarray:
    """What of a volume lies inside the missing wedge of +-60 degrees."""
    depth, _, width = volume.shape
    missing = 1 - measured_plane(depth, width, -60, 60)
    return np.fft.irfft2(np.fft.rfft2(volume, axes=(0, 2)) * missing[:, None], s=(depth, width), axes=(0, 2)).astype(np.float32)


def without_second_wedge(volume: np.ndarray) -> np.ndarray:
    """The volume without the 60 degrees around kx, as if the light had come along x."""
    depth, _, width = volume.shape
    kz, kx = np.fft.fftfreq(depth)[:, None], np.fft.rfftfreq(width)
    kept = np.abs(kz) >= np.tan(np.radians(30)) * np.abs(kx)
    return np.fft.irfft2(np.fft.rfft2(volume, axes=(0, 2)) * kept[:, None], s=(depth, width), axes=(0, 2)).astype(np.float32)


def report(options: argparse.Namespace, name: str, scores: dict[str, Any]) -> None:
    write_json(Path(options.out) / name, scores)
    print(json.dumps(scores, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("samples", "train", "compare", "wedge"))
    parser.add_argument("out")
    parser.add_argument("--templates", default="../shared/data/templates")
    parser.add_argument("--snr", type=float, default=0.1)
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--topaz", default="")
    parser.add_argument("--test", type=int, default=TEST, help="seed of the test tomogram")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    globals()[options.command](options)


if __name__ == "__main__":
    main()
