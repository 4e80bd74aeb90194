"""DUAL against other denoisers on simulated tomograms: the paper's tables with a known truth (spec C7, C8, C10).

    python benchmarks/dual_restoration.py samples OUT --templates FOLDER      4 noisy tomograms, 4 other grand models, a test pair
    python benchmarks/dual_restoration.py train OUT --seed 0                  one model a seed
    python benchmarks/dual_restoration.py compare OUT --seed 0 [--topaz FILE] PSNR, SSIM, correlation, picking after each denoiser

Each command uses what the ones before it left in OUT. ``topaz_denoise3d.py`` makes the file for --topaz; ``dual_synthesis.py`` judges
synthetic tomograms, ``dual_wedge.py`` the missing wedge, ``dual_picking.py`` picking, ``dual_transfer.py`` labels by simulation.
"""
from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cryoetseg.core.methods import run_job
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.maps import Template, load_templates
from cryoetseg.core.simulation.output import write_tomogram
from cryoetseg.core.simulation.params import SimulationParameters

NOISY, CLEAN, TEST = (0, 1, 2, 3), (4, 5, 6, 7), 9
TEMPLATES = ("6qzp", "4cr2", "1bxn", "3cf3", "1qvr", "2uv8", "6pxm", "7n4y")
SAMPLE = {"size_z": 64, "size_y": 192, "size_x": 192, "particles": "none", "vesicle_count": 2, "ellipsoid_count": 1, "tube_count": 0,
          "sheet_count": 1, "vesicle_radius_max": 400.0, "actin_count": 1, "snr": 0.1}


def read_templates(folder: Path, names: tuple[str, ...], voxel_size: float) -> list[Template]:
    """Templates of 10 A by name, resampled to ``voxel_size``."""
    files = [InputFile(path=str(folder / f"{name}_10A.mrc"), role="template", contrast="bright", voxel_size=10.0, tilt_series_id=name)
             for name in names]
    return load_templates(files, voxel_size)


def samples(options: argparse.Namespace) -> None:
    templates = read_templates(Path(options.templates), TEMPLATES, 10.0)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("samples", "train", "compare"))
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
