"""The unsupervised chain against its bounds on simulated tomograms: seeds x signal-to-noise ratios.

    python benchmarks/students_grid.py --out FOLDER [--seeds 1 2 3] [--snr 0.3 0.1 0.05]

Each cell: two tomograms of the built-in simulator (64 x 256 x 256 voxels of 13.48 A; vesicles, a sheet, actin, ribosomes,
proteasomes, TRiC), one that gives the pseudo-labels in its middle 32 slices and one that nothing was learned from. The table is
about the second: student, oracle (the same network, settings, seed and slices with true labels) and the baselines anyone could have;
pseudo-labels beside them on the first, in their own slices. Particles count within a radius of 140 A, one to one; all particles but
the actin count. A cell that is done is kept in FOLDER; an interrupted run goes on.
"""
from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from cryoetseg.core.methods import run_job
from cryoetseg.core.recipes.pipeline.bounds import ORACLE, RATIO, STUDENT
from cryoetseg.core.report.comparison import Scores, mean_scores
from cryoetseg.core.runtime.job import InputFile, Job, Result

SCENE = {"size_z": 64, "size_y": 256, "size_x": 256, "voxel_size": 13.48, "particles": "ribosome_80s:3, proteasome_26s, tric",
         "vesicle_count": 4, "sheet_count": 1, "actin_count": 1}
DIAMETER = 280.0
HEADLINES = ("membrane Dice", "particle F1")
UNSEEN = 500  # added to a cell's seed for the tomogram that nothing is learned from


def simulated(folder: Path, seed: int, snr: float) -> Result:
    return run_job(Job(method="simulate", parameters={**SCENE, "snr": snr}, output_folder=str(folder), seed=seed))


def inputs_of(result: Result, name: str) -> list[InputFile]:
    folder = Path(result.job["output_folder"])
    roles = {"tomogram": "tomogram", "membrane_mask": "truth_mask", "particles": "truth_particles"}
    return [InputFile(path=str(folder / result.outputs_of(kind)[0].path), role=role, tilt_series_id=name) for kind, role in roles.items()]


def cell(folder: Path, seed: int, snr: float, steps: dict[str, dict[str, object]]) -> tuple[Scores, Scores, float]:
    """Scores on the unseen tomogram, scores on the training tomogram's labelled slices, seconds of the chain."""
    training = inputs_of(simulated(folder / "training", seed, snr), "training")
    unseen = inputs_of(simulated(folder / "unseen", seed + UNSEEN, snr), "unseen")
    parameters = {"start": "pseudo-labels", "particle_diameter": DIAMETER, "steps": steps}
    job = Job(method="pipeline", parameters=parameters, inputs=[*training, *unseen], output_folder=str(folder / "chain"), seed=seed)
    result = run_job(job)
    scores = json.loads((folder / "chain" / "scores.json").read_text())
    return scores["unseen"]["scores"], scores["training"]["labelled_scores"], result.seconds


def show(title: str, tables: dict[float, list[Scores]]) -> None:
    snrs = list(tables)
    print(f"\n{title}\n{'membrane Dice / particle F1':28}" + "".join(f"SNR {snr:<12g}" for snr in snrs))
    means = {snr: mean_scores(cells) for snr, cells in tables.items()}
    for row in means[snrs[0]]:
        print(f"{row:28}" + "".join(f"{' / '.join(_shown(means[snr][row].get(name)) for name in HEADLINES):16}" for snr in snrs))
    if STUDENT in means[snrs[0]] and ORACLE in means[snrs[0]]:
        ratios = {name: np.mean([table[STUDENT][name] / table[ORACLE][name] for cells in tables.values() for table in cells])
                  for name in HEADLINES}
        print(f"{RATIO}, mean over all cells: " + ", ".join(f"{name} {value:.3f}" for name, value in ratios.items()))


def _shown(value: float | None) -> str:
    return "  -  " if value is None or np.isnan(value) else f"{value:.3f}"


def below_a_baseline(tables: dict[float, list[Scores]]) -> list[str]:
    """Cells in which a baseline scores at least as high as the student."""
    found = []
    for snr, cells in tables.items():
        for number, table in enumerate(cells):
            for name in HEADLINES:
                rivals = {row: values[name] for row, values in table.items() if row not in (STUDENT, ORACLE, RATIO) and name in values}
                found += [f"SNR {snr:g}, cell {number}: {row} {value:.3f} >= student {table[STUDENT][name]:.3f} ({name})"
                          for row, value in rivals.items() if value >= table[STUDENT][name]]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that keeps every cell")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--snr", type=float, nargs="+", default=[0.3, 0.1, 0.05])
    parser.add_argument("--steps", type=Path, help="JSON file with parameters of single steps")
    arguments = parser.parse_args()
    steps = json.loads(arguments.steps.read_text()) if arguments.steps else {}
    unseen: dict[float, list[Scores]] = {}
    labelled: dict[float, list[Scores]] = {}
    start = time.monotonic()
    for seed in arguments.seeds:
        for snr in arguments.snr:
            on_unseen, on_labelled, seconds = cell(arguments.out / f"seed{seed}_snr{snr:g}", seed, snr, steps)
            unseen.setdefault(snr, []).append(on_unseen)
            labelled.setdefault(snr, []).append(on_labelled)
            print(f"seed {seed}, SNR {snr:g}: {seconds:.0f} s", flush=True)
    show("A tomogram that nothing was learned from", unseen)
    show("The training tomogram, in the slices that gave the pseudo-labels", labelled)
    print("\n".join(["", *(below_a_baseline(unseen) or ["the student is above every baseline in every cell"])]))
    print(f"{len(arguments.seeds)} tomogram(s) a cell, {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
