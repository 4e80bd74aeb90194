"""What fills the missing wedge, with how much truth? (spec C10)

    python benchmarks/dual_wedge.py OUT --seed 0 [--iterations 600]

Uses the tomograms and the model that ``dual_restoration.py samples`` and ``train`` left in OUT; trains the published translators and the
same network by rotating and cutting, on the same noisy tomograms and the test tomogram. Energy: mean power inside the wedge of +-60
degrees over that outside. r inside: Pearson correlation of what lies inside the wedge with the grand model's. Second wedge, as published:
a wedge of 60 degrees about x is cut out of the result, which is filled again and compared with itself before (two passes enter, so it
does not measure one).
"""
from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from dual_restoration import NOISY, TEST, density_file, model_file, run, tomogram_file

from cryoetseg.core.metrics.restoration import pearson, restoration_scores
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.volumes.io import read_volume, write_volume
from cryoetseg.core.volumes.wedge import measured_plane, missing_energy

TILTS = (-60.0, 60.0)
RATES = {"translation": {}, "rotate_and_cut": {"learning_rate": 1e-3}}  # it learns from pairs and may be fast, as a denoiser


def inside_wedge(volume: np.ndarray) -> np.ndarray:
    """What of a volume lies inside the missing wedge."""
    depth, _, width = volume.shape
    missing = 1 - measured_plane(depth, width, *TILTS)
    return np.fft.irfft2(np.fft.rfft2(volume, axes=(0, 2)) * missing[:, None], s=(depth, width), axes=(0, 2)).astype(np.float32)


def without_second_wedge(volume: np.ndarray) -> np.ndarray:
    """The volume without the 60 degrees around kx, as if the light had come along x."""
    depth, _, width = volume.shape
    kz, kx = np.fft.fftfreq(depth)[:, None], np.fft.rfftfreq(width)[None]
    kept = np.abs(kz) >= np.tan(np.radians(30)) * np.abs(kx)
    return np.fft.irfft2(np.fft.rfft2(volume, axes=(0, 2)) * kept[:, None], s=(depth, width), axes=(0, 2)).astype(np.float32)


def fill(options: argparse.Namespace, model: InputFile, tomogram: InputFile, folder: str, parameters: dict[str, float]) -> np.ndarray:
    """The filled tomogram, bright."""
    made = run(options, "fill-wedge", f"wedge/{folder}", [model, tomogram], **parameters)
    return -read_volume(made / f"{tomogram.tilt_series_id}_filled.mrc")[0]


def filled_by(options: argparse.Namespace) -> dict[str, tuple[InputFile, dict[str, float]]]:
    """Model and parameters of each way to fill."""
    noisy = [tomogram_file(options, seed, "noisy") for seed in (*NOISY, options.test)]
    trained = {}
    for way in (name for name in RATES if name in options.fillers):
        run(options, "train-dual-wedge", f"wedge/{way}{options.seed}", noisy, iterations=options.iterations, taught_by=way, **RATES[way])
        trained[way.replace("_", " ")] = (model_file(options, f"wedge/{way}{options.seed}"), {})
    sharp = {f"{name}, no soft edge": (model, {"softness_px": 0.0}) for name, (model, _) in trained.items() if name != "translation"}
    dual = model_file(options, f"model{options.seed}")
    densities = {"DUAL": (dual, {}), "DUAL, no soft edge": (dual, {"softness_px": 0.0}), "DUAL and noise": (dual, {"noise": 1.0})}
    return {**trained, **sharp, **(densities if "DUAL" in options.fillers else {})}


def line(name: str, volume: np.ndarray, truth: np.ndarray) -> str:
    inside = pearson(inside_wedge(volume), inside_wedge(truth))
    return f"{name:30s}{missing_energy(volume, *TILTS):8.3f}{inside:10.3f}{pearson(volume, truth):8.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--test", type=int, default=TEST, help="seed of the test tomogram")
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--fillers", nargs="+", default=[*RATES, "DUAL"], choices=[*RATES, "DUAL"])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    test = tomogram_file(options, options.test)
    raw, truth = -read_volume(test.path)[0], read_volume(density_file(options, options.test).path)[0]
    print(f"{'':30s}  energy  r inside   r all   second wedge: r, PSNR, SSIM (paper)")
    print(line("tomogram", raw, truth))
    for name, (model, parameters) in filled_by(options).items():
        place = f"{name.replace(',', '').replace(' ', '_')}{options.seed}_{options.test}"
        once = fill(options, model, test, f"{place}_once", parameters)
        cut = Path(options.out) / "wedge" / f"{place}_cut.mrc"
        write_volume(cut, -without_second_wedge(once), 10.0)
        again = fill(options, model, InputFile(path=str(cut), tilt_series_id="x"), f"{place}_twice", parameters)
        scores = restoration_scores(again, once)
        print(f"{line(name, once, truth)}   {scores.pearson:.3f} {scores.psnr:.2f} {scores.ssim_paper:.3f}")
    if "DUAL" in options.fillers:
        place = f"wedge/denoised{options.seed}_{options.test}"
        denoised = run(options, "denoise-dual", place, [model_file(options, f"model{options.seed}"), test])
        print(line("DUAL, whole spectrum", -read_volume(denoised / f"{Path(test.path).stem}_denoised.mrc")[0], truth))
    print(line("grand model", truth, truth))


if __name__ == "__main__":
    main()
