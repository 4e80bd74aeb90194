"""Labels by simulation: does DUAL's style make simulated training data more useful for a style unseen in training? (spec C11)

    python benchmarks/dual_transfer.py OUT --seed 0 [--rows dual dual_drawn matched matched_drawn plain oracle]

Target style: the noisy tomograms of ``dual_restoration.py samples``, whose labels only the row *oracle* sees. Training samples: the four
clean grand models with their labels, as tomograms in one of three ways: *dual*, synthetic tomograms of the model that
``dual_restoration.py train`` left in OUT; *plain*, imaged by the simulator with other optics and noise than the target's (underfocus 6 to
7 um in place of 2 to 5, ramp weighting, SNR 0.5 in place of 0.1, white noise of the detector alone); *matched*, the same with the mean
amplitude spectrum of the target's tomograms. *dual drawn* and *matched drawn* are what ``dual transfer`` does by default, and the same of
plain simulation: each tomogram has between 0.3 and all of the target's noise, then its power spectrum is matched. Each trains the same
network, which segments two other tomograms of the target. Classes:
complexes from 250 A on, smaller ones, membranes. Rows that are done are not repeated.
"""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from dual_restoration import CLEAN, NOISY, SAMPLE, TEMPLATES, density_file, model_file, read_templates, run, tomogram_file
from scipy import fft

from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.recipes.dual_chain.matching import match_spectrum, wanted_spectrum
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.runtime.seeds import numpy_generator
from cryoetseg.core.simulation.apply import simulate
from cryoetseg.core.simulation.output import write_tomogram
from cryoetseg.core.simulation.params import SimulationParameters
from cryoetseg.core.volumes.io import read_labels, read_volume, write_volume

TESTS = (9, 10)
PLAIN = {**SAMPLE, "snr": 0.5, "defocus_min": 6.0, "defocus_max": 7.0, "weighting": "ramp", "noise_before_optics": 0.0}
LARGE, SMALL, MEMBRANE = 1, 2, 3
LARGEST_SMALL = 250.0  # A
VOXEL_SIZE = 10.0
LEAST_NOISE = 0.3  # share of the deviation of the target's noise, as the default of ``dual transfer``


def labels_file(options: argparse.Namespace, seed: int) -> InputFile:
    """Merged classes of a sample: complexes by size, and membranes."""
    data = Path(options.out) / "data"
    path = data / f"s{seed}_merged.mrc"
    if not path.exists():
        particles, merged = read_particles(data / f"s{seed}_particles.star", voxel_size=VOXEL_SIZE), np.zeros(256, np.int8)
        merged[particles.class_id] = np.where(particles.diameters >= LARGEST_SMALL, LARGE, SMALL)
        classes, membranes = (read_labels(data / f"s{seed}_{kind}.mrc")[0] for kind in ("classes", "membranes"))
        write_volume(path, np.where(membranes > 0, MEMBRANE, merged[classes]).astype(np.int8), VOXEL_SIZE)
    return InputFile(path=str(path), role="labels", tilt_series_id=f"s{seed}")


def dual_set(options: argparse.Namespace, least_noise: float = 1.0, folder: str = "style") -> list[InputFile]:
    made = run(options, "simulate-dual", f"transfer/{folder}{options.seed}",
               [model_file(options, f"model{options.seed}"), *(density_file(options, seed) for seed in CLEAN)], least_noise=least_noise)
    return [InputFile(path=str(made / f"{Path(density_file(options, seed).path).stem}_synthetic.mrc"), role="tomogram",
                      tilt_series_id=f"s{seed}") for seed in CLEAN]


def drawn_dual_set(options: argparse.Namespace) -> list[InputFile]:
    return spectra_matched(options, dual_set(options, LEAST_NOISE, "drawn_style"), "dual_drawn")


def plain_set(options: argparse.Namespace) -> list[InputFile]:
    return imaged(options, "plain", [PLAIN["snr"] for _ in CLEAN])


def drawn_plain_set(options: argparse.Namespace) -> list[InputFile]:
    shares = numpy_generator(options.seed, "noise share").uniform(LEAST_NOISE, 1.0, len(CLEAN))
    return imaged(options, f"plain_drawn{options.seed}", [SAMPLE["snr"] / share**2 for share in shares])


def imaged(options: argparse.Namespace, name: str, snrs: list[float], seeds: tuple[int, ...] = CLEAN) -> list[InputFile]:
    """Samples as the simulator images them with other optics, each at its SNR."""
    folder, files = Path(options.out) / "transfer" / name, []
    for seed, snr in zip(seeds, snrs):
        path = folder / f"s{seed}.mrc"
        if not path.exists():
            made = simulate(SimulationParameters(name=f"s{seed}", **{**PLAIN, "snr": snr}), seed,
                            read_templates(Path(options.templates), TEMPLATES, VOXEL_SIZE))
            write_tomogram(made, folder)
            same = read_volume(folder / f"s{seed}_grand_model.mrc")[0] == read_volume(density_file(options, seed).path)[0]
            if not same.all():
                raise RuntimeError(f"sample {seed} is not the one that the labels belong to")
        files.append(InputFile(path=str(path), role="tomogram", tilt_series_id=f"s{seed}"))
    return files


def matched_set(options: argparse.Namespace) -> list[InputFile]:
    """The plain tomograms, every Fourier coefficient scaled by the ratio of the two sets' mean amplitudes."""
    plain = [standardised(item) for item in plain_set(options)]
    target = [standardised(tomogram_file(options, seed)) for seed in NOISY]
    amplitudes = [np.sqrt(np.mean([np.abs(fft.rfftn(volume)) ** 2 for volume in volumes], axis=0)) for volumes in (target, plain)]
    gain, files = amplitudes[0] / np.maximum(amplitudes[1], 1e-6 * amplitudes[1].max()), []
    folder = Path(options.out) / "transfer" / "matched"
    folder.mkdir(parents=True, exist_ok=True)
    for seed, volume in zip(CLEAN, plain):
        path = folder / f"s{seed}.mrc"
        write_volume(path, fft.irfftn(fft.rfftn(volume) * gain, s=volume.shape).astype(np.float32), VOXEL_SIZE)
        files.append(InputFile(path=str(path), role="tomogram", tilt_series_id=f"s{seed}"))
    return files


def drawn_matched_set(options: argparse.Namespace) -> list[InputFile]:
    return spectra_matched(options, drawn_plain_set(options), "matched_drawn")


def spectra_matched(options: argparse.Namespace, files: list[InputFile], name: str) -> list[InputFile]:
    """Dark tomograms with the mean power spectrum of the target's, one by one, as ``dual transfer`` does it."""
    folder = Path(options.out) / "transfer" / f"{name}{options.seed}_spectra"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = wanted_spectrum([tomogram_file(options, seed) for seed in NOISY], VOXEL_SIZE, folder, options.seed)
    matched = []
    for item in files:
        path = folder / f"{item.tilt_series_id}.mrc"
        match_spectrum(Path(item.path), wanted, path, options.seed)
        matched.append(item.model_copy(update={"path": str(path)}))
    return matched


def standardised(item: InputFile) -> np.ndarray:
    volume = read_volume(item.path)[0]
    return (volume - volume.mean()) / volume.std()


def oracle_set(options: argparse.Namespace) -> list[InputFile]:
    return [tomogram_file(options, seed) for seed in NOISY]


SETS: dict[str, Callable[[argparse.Namespace], list[InputFile]]] = {
    "dual": dual_set, "dual_drawn": drawn_dual_set, "matched": matched_set, "matched_drawn": drawn_matched_set, "plain": plain_set,
    "oracle": oracle_set}


def scores(options: argparse.Namespace, row: str) -> dict[str, float]:
    """Dice of each class over both test tomograms."""
    name = f"transfer/{row}{options.seed}"
    labels = [labels_file(options, seed) for seed in (NOISY if row == "oracle" else CLEAN)]
    run(options, "train-segmenter", f"{name}/trained", [*SETS[row](options), *labels], iterations=options.iterations, held_out=0.0,
        validation_interval=0)
    network = InputFile(path=str(Path(options.out) / name / "trained" / "model"), role="model")
    folder = run(options, "segment-classes", f"{name}/segmented", [network, *(tomogram_file(options, seed) for seed in TESTS)])
    found = np.concatenate([read_labels(next(folder.glob(f"s{seed}*classes.mrc")))[0] for seed in TESTS])
    truth = np.concatenate([read_labels(labels_file(options, seed).path)[0] for seed in TESTS])
    return {kind: dice(found == value, truth == value) for kind, value in (("large", LARGE), ("small", SMALL), ("membrane", MEMBRANE))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--templates", default="../shared/data/templates")
    parser.add_argument("--rows", nargs="+", default=[*SETS], choices=[*SETS])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    for row in options.rows:
        found = scores(options, row)
        print(f"{row:14s}" + "".join(f"{kind} {value:.3f}  " for kind, value in found.items()) + f"mean {np.mean([*found.values()]):.3f}")


if __name__ == "__main__":
    main()
