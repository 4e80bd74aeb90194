"""Simulating one tomogram in memory."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..runtime.device import choose_device
from ..runtime.seeds import numpy_generator
from .imaging import bordered, noise_images, optics, signal_images
from .library import Template, build_templates
from .membranes import Surface
from .params import SimulationParameters
from .projection import Geometry, project
from .reconstruction import Reconstructor, noise_scale, odd_and_even, reconstructor
from .sample import build_scene
from .scene import Scene
from .tilt_series import TiltSeries, plan_tilt_series
from .tomogram import SimulatedTomogram, Volume


def simulate(
    parameters: SimulationParameters, seed: int, templates: Sequence[Template] = (), device: str = "cpu",
    surfaces: Sequence[Surface] = (),
) -> SimulatedTomogram:
    """Simulate one tomogram. ``templates`` (user maps, see :mod:`.maps`) are added to the built-in library's selection, ``surfaces``
    (:mod:`.traced`) to the membranes.

    The same parameters, seed and templates give the same tomogram.
    """
    library = build_templates(parameters.particles, parameters.voxel_size, templates)
    scene = build_scene(parameters, library, seed, surfaces)
    return image_scene(scene, seed, choose_device(device))


@dataclass(frozen=True)
class Recording:
    """A recorded tilt series with signal and noise (tilt, y, detector) still apart, and what reconstructs it.

    ``noises`` has one draw, or two for half maps from frames; each has the strength of the whole when they are averaged.
    """

    series: TiltSeries
    signal: torch.Tensor
    noises: list[torch.Tensor]
    reconstruct: Reconstructor

    @property
    def noise(self) -> torch.Tensor:
        """The noise of the whole tilt series."""
        return torch.stack(self.noises).mean(dim=0)


def image_scene(scene: Scene, seed: int, device: torch.device) -> SimulatedTomogram:
    """Record a tilt series of a sample and reconstruct it."""
    return _reconstructed(scene, seed, record(scene, seed, device))


def record(scene: Scene, seed: int, device: torch.device) -> Recording:
    """Record a tilt series of a sample; the strength of its noise is still arbitrary."""
    p = scene.parameters
    first, last = scene.z_range
    series = plan_tilt_series(p, (last - first) * p.voxel_size, numpy_generator(seed, "tilt series"))
    geometry = Geometry(p.size_z, p.size_x)
    projections = project(torch.from_numpy(scene.density).to(device), geometry, series.true_angles)
    transfers = optics(p, series, bordered(projections.shape))
    draws = 2 if p.half_maps == "frames" else 1
    noises = [noise_images(projections, transfers, p, series, numpy_generator(seed, "noise", draw)) for draw in range(draws)]
    return Recording(series, signal_images(projections, transfers, series.shifts), noises, reconstructor(p, series, geometry, device))


def _reconstructed(scene: Scene, seed: int, recording: Recording) -> SimulatedTomogram:
    """Set the ratio of signal and noise on their reconstructions and bring everything onto the scale of the tomogram."""
    p, signal = scene.parameters, recording.signal
    clean, noise = recording.reconstruct(signal), recording.reconstruct(recording.noise)
    strength = noise_scale(clean, noise, p.snr)
    snr = float(clean.var() / noise.mul_(strength).var())
    total = noise.add_(clean)
    mean, deviation = float(total.mean()), max(float(total.std()), 1e-12)

    def bright(volume: torch.Tensor) -> Volume:
        """Particles bright, on the scale on which the tomogram has mean 0 and variance 1."""
        return np.ascontiguousarray(((volume - mean) / -deviation).cpu().numpy())

    images = signal + strength * recording.noise
    middle = (images.shape[2] - p.size_x) // 2
    flat = int(np.argmin(np.abs(recording.series.angles)))
    projection_snr = float(signal[flat].var() / (images[flat] - signal[flat]).var())
    halves = [bright(recording.reconstruct(stack)) for stack in _half_images(recording, strength, p.half_maps)]
    return SimulatedTomogram(
        reconstruction=bright(total), clean=bright(clean), grand_model=scene.density, class_mask=scene.classes,
        instance_mask=scene.instances, membrane_mask=scene.membranes, particles=scene.table(), class_names=scene.class_names,
        parameters=p, seed=seed, tilt_series=recording.series, images=images[:, :, middle : middle + p.size_x].cpu().numpy(), snr=snr,
        projection_snr=projection_snr, half_maps=(halves[0], halves[1]) if halves else None,
    )


def _half_images(recording: Recording, strength: float, kind: str) -> list[torch.Tensor]:
    """The image stacks of the two halves: odd and even tilts, or two recordings of every tilt."""
    if kind == "tilts":
        return list(odd_and_even(recording.signal + strength * recording.noise))
    return [recording.signal + strength * noise for noise in recording.noises] if kind == "frames" else []
