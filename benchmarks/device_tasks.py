"""The trainings that ``device.py`` measures, on small volumes made from a seed: no file, no network."""
from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.params import TrainDualParameters
from cryoetseg.core.dual.train import DualTask
from cryoetseg.core.foundation.train import BackboneTask
from cryoetseg.core.foundation.training_data import STRETCH_PERCENTILES, Pair
from cryoetseg.core.foundation.training_params import TrainBackboneParameters
from cryoetseg.core.generation.data import Particles, Source
from cryoetseg.core.generation.params import TrainGeneratorParameters
from cryoetseg.core.generation.train import GeneratorTask
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.students.membranes.data import open_labelled
from cryoetseg.core.students.membranes.params import TrainMembranesParameters
from cryoetseg.core.students.membranes.task import MembraneTask
from cryoetseg.core.students.picker.data import Crops, labelled_volume, particle_classes
from cryoetseg.core.students.picker.params import TrainPickerParameters
from cryoetseg.core.students.picker.train import PickerTask
from cryoetseg.core.students.volumes import StudentVolume, volume_from_array
from cryoetseg.core.training.params import TrainingParameters
from cryoetseg.core.training.task import TrainingTask
from cryoetseg.core.volumes.cleaned import cleaned
from cryoetseg.core.voxuda.data import Subtomograms
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.train import VoxUdaTask

SHAPE, VOXEL_SIZE, PARTICLES = (48, 128, 128), 10.0, 60
Made = tuple[TrainingTask, TrainingParameters]
# networks of a few feature maps, whose arithmetic takes next to no time: what is left is the time of the host
THIN: Mapping[str, Mapping[str, object]] = {
    "membranes": {"crop_px": 16}, "picker": {"width": 4, "patch_px": 16, "particle_diameter": 80.0},
    "backbone": {"channels": "32", "tile_px": 32},
    "dual": {"patch_px": 16, "denoiser_channels": "4,4", "generator_channels": "4,4", "noise_channels": "4,4,4", "judge_channels": "4,4"},
    "vox-uda": {"width": 4, "size": 16}, "ddpm": {"channels": 8, "box_px": 16}}
# so few items in a step that a whole table takes two minutes on two cores
FEW: Mapping[str, Mapping[str, object]] = {
    "membranes": {"batch_size": 4}, "picker": {"batch_size": 1}, "backbone": {"batch_size": 2}, "dual": {"batch_size": 2},
    "vox-uda": {"batch_size": 2, "width": 16}, "ddpm": {"batch_size": 2}}
PUBLISHED_PARTS = {"adversarial": True, "pseudo_labels": True, "consistency_weight": 1.0}  # of Vox-UDA


def volume_of(seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """A tomogram (z, y, x) of bright balls in noise, and the balls' centres (n, 3)."""
    generator = np.random.default_rng(seed)
    volume = np.zeros(SHAPE, np.float32)
    centres = generator.integers(8, np.array(SHAPE) - 8, (PARTICLES, 3))
    volume[tuple(centres.T)] = generator.uniform(1, 3, PARTICLES)
    return (gaussian_filter(volume, 2) * 100 + noise * generator.standard_normal(SHAPE)).astype(np.float32), centres


def _student() -> StudentVolume:
    volume, centres = volume_of(0)
    labels = (gaussian_filter(volume, 2) > 1).astype(np.int8)
    table = ParticleTable.from_points(centres, voxel_size=VOXEL_SIZE)
    return volume_from_array("balls", volume, VOXEL_SIZE, labels, particles=table)


def membranes(**settings: object) -> Made:
    """The membrane student."""
    p = TrainMembranesParameters(**settings)
    return MembraneTask(open_labelled([_student()], p), p, 0), p


def picker(**settings: object) -> Made:
    """DeepETPicker."""
    p, volume = TrainPickerParameters(**{"particle_diameter": 80.0, **settings}), _student()
    assert volume.particles is not None
    classes = particle_classes([volume.particles], VOXEL_SIZE, p)
    return PickerTask(Crops([labelled_volume(volume, classes, p)], classes, p), classes.outputs, p, 0), p


def backbone(**settings: object) -> Made:
    """The small diffusion backbone."""
    pairs = []
    for seed in (0, 1):
        volume = volume_of(seed)[0]
        limits = np.stack([np.percentile(plane, STRETCH_PERCENTILES) for plane in volume]).astype(np.float32)
        pairs.append(Pair(str(seed), volume, None, limits))
    p = TrainBackboneParameters(**settings)
    torch.manual_seed(0)
    return BackboneTask(pairs, p), p


def dual(**settings: object) -> Made:
    """The cycle of DUAL."""
    p = TrainDualParameters(**{"taught_by": "dual", **settings})
    noisy, clean = (Domain([StandardisedView(volume_of(seed, noise)[0], "bright")], p.patch_px) for seed, noise in ((0, 1.0), (1, 0.0)))
    return DualTask(noisy, clean, p, 0), p


def vox_uda(**settings: object) -> Made:
    """Vox-UDA with all its parts, as published."""
    p = TrainVoxUdaParameters(**{**PUBLISHED_PARTS, **settings})
    generator = np.random.default_rng(0)
    volumes = generator.standard_normal((2, 32, p.size, p.size, p.size)).astype(np.float32)
    masks = gaussian_filter(volumes[0], (0, 2, 2, 2)) > 0
    names = [str(number) for number in range(32)]
    source = Subtomograms(volumes[0], masks, names, [""] * 32, VOXEL_SIZE)
    return VoxUdaTask(source, Subtomograms(volumes[1], None, names, [""] * 32, VOXEL_SIZE), p, 0), p


def ddpm(**settings: object) -> Made:
    """The particle generator."""
    volume, centres = volume_of(0)
    source = Source("balls", volume, cleaned(volume, "bright"), "bright", VOXEL_SIZE)
    particles = Particles([source], np.zeros(PARTICLES, np.int64), centres.astype(float), np.arange(PARTICLES) % 2, ["a", "b"])
    p = TrainGeneratorParameters(**settings)
    torch.manual_seed(0)
    return GeneratorTask(particles, particles, p), p


TRAININGS: Mapping[str, Callable[..., Made]] = {
    "membranes": membranes, "picker": picker, "backbone": backbone, "dual": dual, "vox-uda": vox_uda, "ddpm": ddpm}
