"""Six classes of the published sizes, learnt from simulated denoised tomograms at 32^3 and judged against fresh ones.

    python benchmarks/generation_six_classes.py data --folder F          simulate, denoise (about a minute)
    python benchmarks/generation_six_classes.py train --folder F --minutes 45      resumable
    python benchmarks/generation_six_classes.py evaluate --folder F --count 40     sample and print the table

Templates (apoferritin 6PXM, beta-galactosidase 1F4A, 80S ribosome 6QZP, thyroglobulin 7N4Y, virus-like particle 8TUX at 10 A) come
from the shared test data; beta-amylase is the simulator's. All eleven tomograms are imaged at one defocus range, as a session is.
"""
from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

from scipy.ndimage import gaussian_filter

from cryoetseg.core.methods import run_job
from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.runtime.job import InputFile, Job, Result
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.library import Template
from cryoetseg.core.simulation.maps import template_from_map
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.volumes.io import write_volume

TEMPLATES = {"apoferritin": "6pxm", "beta_galactosidase": "1f4a", "ribosome": "6qzp", "thyroglobulin": "7n4y",
             "virus_like_particle": "8tux"}
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "templates"
VOXEL_SIZE = 10.0
TRAINING, FRESH = range(8), range(100, 103)  # seeds; fresh tomograms are never trained on
DENOISING_SIGMA_PX = 1.0
SCENE = SimulationParameters(
    size_z=64, size_y=256, size_x=256, particles="beta_amylase", occupancy=0.12, unresolved_density=0.0, vesicle_count=0, ellipsoid_count=0,
    tube_count=0, sheet_count=0, actin_count=0, membrane_proteins=0, snr=0.5, defocus_min=3.0, defocus_max=3.5)


def templates(folder: Path) -> list[Template]:
    """The five maps under the names of their classes."""
    return [replace(template_from_map(folder / f"{code}_10A.mrc", VOXEL_SIZE), name=name) for name, code in TEMPLATES.items()]


def make_data(folder: Path, shared: Path) -> None:
    """Simulate the tomograms, blur them as denoising does, write them dark with their lists."""
    extra = templates(shared)
    for seed in (*TRAINING, *FRESH):
        name = f"six_{seed:03d}"
        tomogram = simulate(SCENE.model_copy(update={"name": name}), seed, extra)
        write_volume(folder / f"{name}.mrc", -gaussian_filter(tomogram.reconstruction, DENOISING_SIGMA_PX), VOXEL_SIZE)
        write_particles(tomogram.particles, folder / f"{name}_particles.csv")


def inputs(folder: Path, seeds: range) -> list[InputFile]:
    """Tomograms and lists of ``seeds``."""
    names = [f"six_{seed:03d}" for seed in seeds]
    volumes = [InputFile(path=str(folder / f"{name}.mrc"), tilt_series_id=name) for name in names]
    return volumes + [InputFile(path=str(folder / f"{name}_particles.csv"), role="particles", tilt_series_id=name) for name in names]


def train(folder: Path, minutes: float, settings: dict[str, object], name: str) -> Result:
    """Train, or go on training, for ``minutes``."""
    return run_job(Job(method="train-generator", parameters={"minutes": minutes, **settings}, inputs=inputs(folder, TRAINING),
                       output_folder=str(folder / name)))


def evaluate(folder: Path, name: str, count: int, sampling: dict[str, object]) -> Result:
    """Sample ``count`` of each class; compare with the fresh tomograms, and look for copies of training particles."""
    model = InputFile(path=str(folder / name / "model"), role="model")
    made = run_job(Job(method="generate-particles", parameters={"count": count, **sampling}, inputs=[model],
                       output_folder=str(folder / f"{name}_samples")))
    known = [item.model_copy(update={"role": f"training_{item.role}"}) for item in inputs(folder, TRAINING)]
    listed = InputFile(path=str(folder / f"{name}_samples" / made.outputs_of("report")[0].path), role="generated")
    return run_job(Job(method="evaluate-generation", inputs=[listed, model, *inputs(folder, FRESH), *known],
                       output_folder=str(folder / f"{name}_scores")))


def settings_of(pairs: list[str]) -> dict[str, object]:
    """``name=value`` pairs; the parameter model turns the texts into its types."""
    return dict(pair.split("=", 1) for pair in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=["data", "train", "evaluate"])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the templates")
    parser.add_argument("--name", default="trained", help="folder of the model below --folder")
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--count", type=int, default=40, help="subtomograms of each class")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of training or of sampling")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = arguments.folder.absolute()
    if arguments.stage == "data":
        make_data(folder, arguments.shared)
    elif arguments.stage == "train":
        result = train(folder, arguments.minutes, settings_of(arguments.set), arguments.name)
        sys.stdout.write(f"{result.seconds:.0f} s, {result.metrics}\n")
    else:
        result = evaluate(folder, arguments.name, arguments.count, settings_of(arguments.set))
        scores = folder / f"{arguments.name}_scores"
        sys.stdout.write((scores / result.outputs_of("table")[0].path).read_text() + f"{result.metrics}\n")


if __name__ == "__main__":
    main()
