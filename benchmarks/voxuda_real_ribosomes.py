"""Vox-UDA on 20 real 70S ribosomes (EMPIAR-10499, 32^3 voxels of 12 A), adapted from simulated Rubisco, beta-galactosidase and Hsp70.

The truth is the density template of the 70S ribosome (4v4r). Each subtomogram is aligned to it by cross-correlation over random rotations
and all shifts, with the missing wedge of +-60 degrees laid on the template; no network takes part in that. Scored are the masks of the
single subtomograms against the template turned onto each, and against the template itself the aligned average of these masks, cut at
Otsu's threshold, and the mask of the aligned average of the subtomograms: as the model gives it, and with the border of foreground
found anew in the average, which has far less noise than what the model was calibrated on.
"""
from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import affine_transform, shift
from scipy.spatial.transform import Rotation
from skimage.filters import threshold_otsu
from voxuda_ablation import NOISY, SETTINGS, write_source

from cryoetseg.core.models.card import load_model
from cryoetseg.core.report.figures import new_figure, save_figure
from cryoetseg.core.report.voxuda_figures import COLUMNS, draw_montage
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.simulation.fourier import wedge
from cryoetseg.core.simulation.library import MASK_THRESHOLD
from cryoetseg.core.simulation.maps import template_from_map
from cryoetseg.core.volumes.normalisation import standardise
from cryoetseg.core.volumes.resampling import resample
from cryoetseg.core.voxuda.ablation import row_parameters
from cryoetseg.core.voxuda.calibration import border, calibrate
from cryoetseg.core.voxuda.data import Subtomograms, boxed, read_domains
from cryoetseg.core.voxuda.evaluate import logits, predict, sample_scores
from cryoetseg.core.voxuda.network import VoxResNet
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.train import fit, save

VOXEL_SIZE, SIDE, ROWS = 12.0, 32, ("source_only", "vox_uda")
ROTATIONS = 800
LARGEST_SHIFT = 4  # voxels: the subtomograms are centred, what is farther away is a neighbour
NEAR = slice(SIDE // 2 - LARGEST_SHIFT, SIDE // 2 + LARGEST_SHIFT + 1)


class Pose(NamedTuple):
    """How the template lies in a subtomogram."""

    rotation: np.ndarray
    shift: np.ndarray
    correlation: float


def template(data: Path) -> np.ndarray:
    """Density of the 70S ribosome on the subtomograms' grid, protein 1, its centre in voxel 16."""
    made = template_from_map(data / "templates" / "4v4r_10A.mrc", VOXEL_SIZE)
    coarse = resample(made.density, made.spacing, VOXEL_SIZE)
    # an odd number of fine voxels about the centre: the middle of the coarse box moves by less than half a voxel
    return boxed(coarse, SIDE, fill=0.0)


def turned(volume: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """``volume`` (z, y, x) turned about its middle by a matrix on (z, y, x)."""
    middle = (np.array(volume.shape) - 1) / 2
    return affine_transform(volume, rotation.T, middle - rotation.T @ middle, order=1)


def poses(subtomograms: np.ndarray, density: np.ndarray, seed: int = 0) -> list[Pose]:
    """The best rotation and shift of the template in each subtomogram."""
    spectra = np.fft.rfftn(subtomograms, axes=(1, 2, 3))
    measured = wedge(density.shape, -60.0, 60.0)
    best = [Pose(np.eye(3), np.zeros(3), -np.inf)] * len(subtomograms)
    for matrix in Rotation.random(ROTATIONS, random_state=seed).as_matrix():
        spectrum = np.fft.rfftn(turned(density, matrix)) * measured
        spectrum[0, 0, 0] = 0
        spectrum /= np.linalg.norm(spectrum)
        for number, own in enumerate(spectra):
            correlation = np.fft.fftshift(np.fft.irfftn(own * spectrum.conj(), s=density.shape))[NEAR, NEAR, NEAR]
            place = np.unravel_index(np.argmax(correlation), correlation.shape)
            if correlation[place] > best[number].correlation:
                best[number] = Pose(matrix, np.array(place) - LARGEST_SHIFT, float(correlation[place]))
    return best


def model_of(row: str, source: Subtomograms, target: Subtomograms, folder: Path, settings: TrainVoxUdaParameters, seed: int) -> VoxResNet:
    """The trained network of a row, made or read."""
    place = folder / f"{row}_{seed}"
    if not (place / "model").exists():
        parameters = row_parameters(row, settings)
        network, outcome, _ = fit(source, target, parameters, place / "training", seed)
        calibrate(network, target.volumes, parameters.calibration)
        save(network, place / "model", parameters, VOXEL_SIZE, outcome.record())
    return load_model(place / "model", lambda card: VoxResNet(card.network_parameters["width"]))[0]


def scores_of(network: VoxResNet, target: Subtomograms, found: list[Pose], truths: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    """Mean Dice of the single masks; Dice with the template's ``mask`` of their average and of the average's mask; shares of foreground."""
    average = standardise(aligned_average(target.volumes, found))[None]
    single, of_average = predict(network, target.volumes) > 0.5, predict(network, average) > 0.5
    of_masks = aligned_average(single.astype(np.float32), found)
    again = logits(network, average) > border(network, average, "otsu").logit
    pairs = {"average_of_masks": (of_masks > threshold_otsu(of_masks))[None], "average": of_average, "average_own_border": again}
    return {"dice_single": float(sample_scores(single, truths)[1].mean()), "foreground_single": float(single.mean()),
            **{f"dice_{name}": float(sample_scores(made, mask[None])[1][0]) for name, made in pairs.items()},
            **{f"foreground_{name}": float(made.mean()) for name, made in pairs.items()}, "foreground_template": float(mask.mean())}


def aligned_average(volumes: np.ndarray, found: list[Pose]) -> np.ndarray:
    """Mean of volumes (n, z, y, x), each turned back into the template's orientation."""
    turned_back = [turned(shift(volume, -pose.shift, order=1), pose.rotation.T) for volume, pose in zip(volumes, found)]
    return np.asarray(np.mean(turned_back, axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the shared test data")
    parser.add_argument("--out", type=Path, required=True, help="folder of results; models in it are not trained again")
    parser.add_argument("--count", type=int, default=300, help="simulated source subtomograms")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if not (arguments.out / "source").exists():
        write_source(arguments.data, arguments.out / "source", VOXEL_SIZE, arguments.count)
    inputs = [InputFile(path=str(arguments.out / "source"), role="source", contrast="bright"),
              InputFile(path=str(arguments.data / "subtomograms" / "ribosome70S_empiar10499.star"), role="target", contrast="bright")]
    source, target = read_domains(Job(method="train-voxuda", inputs=inputs, output_folder=str(arguments.out)), SIDE, VOXEL_SIZE, 0.5)
    density = template(arguments.data)
    found = poses(target.volumes, density)
    truths = np.stack([shift(turned(density, pose.rotation), pose.shift, order=1) > MASK_THRESHOLD for pose in found])
    average, settings = standardise(aligned_average(target.volumes, found)), TrainVoxUdaParameters(**SETTINGS, **NOISY)
    for seed in range(arguments.seeds):
        networks = {row: model_of(row, source, target, arguments.out, settings, seed) for row in ROWS}
        table = {row: scores_of(network, target, found, truths, density > MASK_THRESHOLD) for row, network in networks.items()}
        (arguments.out / f"scores_{seed}.json").write_text(json.dumps(table, indent=2))
        sys.stdout.write(f"seed {seed}: {json.dumps(table)}\n")
        for row, network in networks.items():
            shown = np.concatenate([target.volumes[::2], average[None]])
            masks = predict(network, shown) > 0.5
            figure = new_figure(1.8 * COLUMNS, 4.2)
            titles = [*target.names[::2], "aligned average"]
            draw_montage(figure, list(shown), list(masks), titles, [*truths[::2], density > MASK_THRESHOLD])
            save_figure(arguments.out / f"montage_{row}_{seed}.png", figure)


if __name__ == "__main__":
    main()
