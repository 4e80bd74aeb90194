"""DUAL on a real tomogram: EMPIAR-11658 tomogram 171, denoised with a model trained on it alone.

    python benchmarks/dual_real_tomogram.py --data FOLDER --out OUT [--seed 0] [--iterations 400]

The clean set are four simulated grand models at the tomogram's voxel size. Prints the recall of its 268 ribosome picks by a difference of
Gaussians among the best 268, 500 and 800, raw, after Gaussians and after DUAL; draws before and after. The picks are not exhaustive, so
precision says little. What is done is not repeated.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from dual_restoration import read_templates
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from cryoetseg.core.methods import run_job
from cryoetseg.core.metrics.picking import hits_by_rank
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.report.comparison import blobs
from cryoetseg.core.report.restoration import draw_before_after
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.output import write_tomogram
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.volumes.io import read_volume

VOXEL_SIZE, NAME = 31.36, "empiar11658_tomo171_31A"
TEMPLATES = ("6qzp", "4cr2", "2uv8")  # smaller complexes have a few voxels here; with eight of all sizes DUAL breaks ribosomes into them
GRAND_MODELS = (4, 5, 6, 7)
SAMPLE = {"voxel_size": VOXEL_SIZE, "size_z": 64, "size_y": 128, "size_x": 128, "particles": "none", "vesicle_radius_max": 1500.0,
          "vesicle_count": 4, "ellipsoid_count": 2, "sheet_count": 2, "tube_count": 1, "actin_count": 0}
DIAMETER, HIT_PX, COUNTS = 250.0, 4.0, (268, 500, 800)
SIGMAS = (1.0, 2.0)


def clean_set(options: argparse.Namespace) -> list[InputFile]:
    """Grand models at the voxel size of the tomogram, simulated where they are missing."""
    folder = Path(options.out) / "data"
    templates = read_templates(Path(options.data) / "templates", TEMPLATES, VOXEL_SIZE)
    paths = [folder / f"s{seed}_grand_model.mrc" for seed in GRAND_MODELS]
    for seed, path in zip(GRAND_MODELS, paths):
        if not path.exists():
            write_tomogram(simulate(SimulationParameters(name=f"s{seed}", **SAMPLE), seed, templates), folder)
    return [InputFile(path=str(path), role="clean", contrast="bright") for path in paths]


def denoised(options: argparse.Namespace) -> np.ndarray:
    """The tomogram after DUAL, as its file has it."""
    out = Path(options.out)
    tomogram = InputFile(path=str(Path(options.data) / "tomograms" / f"{NAME}.mrc"), role="noisy", voxel_size=VOXEL_SIZE)
    run_job(Job(method="train-dual", inputs=[tomogram, *clean_set(options)], output_folder=str(out / f"model{options.seed}"),
                parameters={"iterations": options.iterations, "model_voxel_size": 0.0}, seed=options.seed, device=options.device))
    model = InputFile(path=str(out / f"model{options.seed}" / "model"), role="model")
    run_job(Job(method="denoise-dual", inputs=[model, tomogram.model_copy(update={"role": "tomogram"})],
                output_folder=str(out / f"denoised{options.seed}"), seed=options.seed, device=options.device))
    return read_volume(out / f"denoised{options.seed}" / f"{NAME}_denoised.mrc")[0]


def recalls(volume: np.ndarray, truth: np.ndarray) -> list[float]:
    """Shares of the true centres found among the best picks of a volume with dark particles."""
    hits = hits_by_rank(blobs(-volume, DIAMETER / VOXEL_SIZE), truth, HIT_PX)
    return [float(hits[:count].sum() / len(truth)) for count in COUNTS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, default=400)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    raw = read_volume(Path(options.data) / "tomograms" / f"{NAME}.mrc")[0].astype(np.float32)
    after = denoised(options)
    truth = read_particles(Path(options.data) / "annotations" / "empiar11658_tomo171_ribosomes.star", voxel_size=VOXEL_SIZE).zyx
    shown = {"none": raw, **{f"Gaussian, {sigma:g} voxels": gaussian_filter(raw, sigma) for sigma in SIGMAS}, "DUAL": after}
    print(f"recall of {len(truth)} picks among the best {COUNTS}")
    for name, volume in shown.items():
        print(f"{name:24s}" + "".join(f"{value:8.3f}" for value in recalls(volume, truth)))
    figure = Figure(figsize=(16, 10), layout="constrained")
    draw_before_after(figure, {"tomogram 171": raw, "Gaussian, 1 voxel": shown["Gaussian, 1 voxels"], "DUAL": after}, VOXEL_SIZE)
    figure.savefig(Path(options.out) / f"before_after{options.seed}.png", dpi=80)


if __name__ == "__main__":
    main()
