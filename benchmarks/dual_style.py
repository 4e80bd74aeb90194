"""Does DUAL bring tomograms of one style into another, both ways? Two simulated styles, so that the truth is known (spec C9).

    python benchmarks/dual_style.py OUT --seed 0 --iterations 200

One style is that of the noisy tomograms of ``dual_restoration.py samples``; the other that of the plain ones of ``dual_transfer.py``:
underfocus 6 to 7 um in place of 2 to 5, ramp weighting, SNR 0.5 in place of 0.1. A model learns from samples 0 to 3 in the first style and
4 to 7 in the second, no sample in both. The test sample is imaged in both styles. Scores of its converted images: correlation with its
image in the wanted style and with its density, and the mean absolute natural logarithm of the ratio of radial power to that of the
wanted style.
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from dual_restoration import CLEAN, NOISY, TEST, density_file, model_file, run, tomogram_file
from dual_synthesis import PATCHES, patches
from dual_transfer import PLAIN, imaged

from cryoetseg.core.dual.watch import spectrum_distance
from cryoetseg.core.volumes.io import read_volume


def bright(path: str | Path) -> np.ndarray:
    """A dark tomogram turned bright."""
    return -read_volume(path)[0]


def row(found: np.ndarray, wanted: np.ndarray, density: np.ndarray) -> str:
    """The three scores of a bright volume."""
    with_image, with_density = (float(np.corrcoef(found.ravel(), other.ravel())[0, 1]) for other in (wanted, density))
    distance = spectrum_distance(patches([found], PATCHES, 0), patches([wanted], PATCHES, 0))
    return f"r with its image {with_image:.3f}  r with its density {with_density:.3f}  log ratio of power {distance:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--templates", default="../shared/data/templates")
    parser.add_argument("--taught-by", default="calibrated_simulation", choices=("calibrated_simulation", "dual"))
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    plain = imaged(options, "plain", [PLAIN["snr"]] * len(CLEAN))
    sets = [tomogram_file(options, seed, "noisy") for seed in NOISY] + [item.model_copy(update={"role": "clean"}) for item in plain]
    name = f"style/{options.taught_by}{options.seed}"
    run(options, "train-dual", name, sets, iterations=options.iterations, taught_by=options.taught_by)
    images = {"to_clean": imaged(options, "plain", [PLAIN["snr"]], (TEST,))[0], "to_noisy": tomogram_file(options, TEST)}
    density = read_volume(density_file(options, TEST).path)[0]
    for direction, other in (("to_clean", "to_noisy"), ("to_noisy", "to_clean")):
        folder = run(options, "convert-dual", f"{name}/{direction}", [model_file(options, name), images[other]], direction=direction)
        converted = bright(next(folder.glob("*_converted.mrc")))
        wanted = bright(images[direction].path)
        for label, found in (("as it is", bright(images[other].path)), ("converted", converted), ("wanted style itself", wanted)):
            print(f"{direction}  {label:20s} {row(found, wanted, density)}", flush=True)


if __name__ == "__main__":
    main()
