"""Synthetic tomograms with the mean power spectrum of real ones, direction by direction: what a spectrum tells of optics, wedge and noise.

Less noise makes classes easier to learn, but leaves another spectrum; the matching takes that difference away again.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...dual.data import Domain, StandardisedView, open_domain
from ...dual.networks import LinearFilter
from ...dual.start import SPECTRUM_SIDE, kernel_of, power_spectrum
from ...inference.tiled import apply_tiled
from ...runtime.job import InputFile
from ...runtime.seeds import numpy_generator
from ...volumes.io import create_volume, open_volume

RADIUS, TILE = 15, 96
LEAST = 1e-4  # of the mean power: where neither has any (the missing wedge) nothing is amplified


def wanted_spectrum(tomograms: Sequence[InputFile], voxel_size: float, folder: Path, seed: int, side: int = SPECTRUM_SIDE) -> np.ndarray:
    """Mean power spectrum (side, side, side) of real tomograms at ``voxel_size`` (Angstrom), each of mean 0 and deviation 1."""
    domain = open_domain(tomograms, side, voxel_size, folder)
    return power_spectrum(domain, side, numpy_generator(seed, "spectrum of the target"))


def largest_side(shapes: Sequence[tuple[int, ...]]) -> int:
    """Side of the cubes whose spectra are taken: even, and no longer than the shortest side of any volume."""
    return min(SPECTRUM_SIDE, *(length // 2 * 2 for shape in shapes for length in shape))


def match_spectrum(source: Path, wanted: np.ndarray, target: Path, seed: int) -> None:
    """Write the dark tomogram ``source`` with the power spectrum ``wanted`` (n, n, n), of mean 0 and deviation about 1, to ``target``."""
    volume = open_volume(source)
    view = StandardisedView(volume.data, "dark")
    own = power_spectrum(Domain([view], len(wanted)), len(wanted), numpy_generator(seed, "spectrum"))
    gain = np.sqrt((wanted + LEAST * wanted.mean()) / (own + LEAST * own.mean()))
    linear = LinearFilter(min(RADIUS, len(wanted) // 2 - 1))
    linear.kernel.copy_(torch.from_numpy(kernel_of(gain, linear.radius)))
    with create_volume(target, tuple(volume.header.shape), "float32", volume.header.voxel_size, volume.header.origin) as matched:
        apply_tiled(_filtered_by(linear), view, matched, [min(TILE, side) + 2 * linear.radius for side in view.shape], 2 * linear.radius,
                    blending="crop", border="reflect", finish=np.negative, description="match spectra")


def _filtered_by(linear: LinearFilter) -> Any:
    def function(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return linear(torch.from_numpy(tiles)[:, None])[:, 0].numpy()

    return function
