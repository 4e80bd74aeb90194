"""A few steps of DUAL and of Vox-UDA, run as a program so that tests can launch it in several processes.

Vox-UDA is computed in float64: in float32 rounding alone, which several processes do in another order, moves its gradients by up to a
twentieth, so that a fault of that size would not be seen.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from cryoetseg.core.dual.data import Domain, StandardisedView
from cryoetseg.core.dual.params import TrainDualParameters
from cryoetseg.core.dual.train import DualTask
from cryoetseg.core.training.engine import train
from cryoetseg.core.training.task import TrainingTask
from cryoetseg.core.voxuda.data import Subtomograms
from cryoetseg.core.voxuda.params import TrainVoxUdaParameters
from cryoetseg.core.voxuda.train import VoxUdaTask

LOOP = {"iterations": 3, "batch_size": 6, "precision": "float32", "log_interval": 1, "gradient_clip": 1.0, "schedule": "constant"}
WIDTHS = {"denoiser_channels": "4,4", "generator_channels": "4,4", "noise_channels": "4,4,4", "judge_channels": "4,4"}


def dual() -> TrainingTask:
    """With a pool that overflows in the second step."""
    parameters = TrainDualParameters(taught_by="dual", start="random", patch_px=16, replay_pool=8, code_covariance="shrinkage",
                                     validation_patches=2, filter_radius=3, **WIDTHS, **LOOP)
    noise = np.random.default_rng(0).normal(size=(2, 24, 48, 24)).astype(np.float32)
    return DualTask(*(Domain([StandardisedView(part, "bright")], 16) for part in (noise[0], gaussian_filter(noise[1], 1))), parameters, 0)


def vox_uda(**parts: object) -> TrainingTask:
    """One step, with three rows a process, so that every second one of the batch is not the same one for both."""
    loop = {**LOOP, "iterations": 1, "gradient_clip": 0.0}
    parameters = TrainVoxUdaParameters(pseudo_start=0.0, size=16, width=4, statistics="all", **loop, **parts)
    volumes = np.random.default_rng(0).normal(size=(2, 8, 16, 16, 16))
    names = [str(number) for number in range(8)]
    masks = gaussian_filter(volumes[0], (0, 2, 2, 2)) > 0
    source, target = (Subtomograms(part, known, names, names, 10.0) for part, known in zip(volumes, (masks, None)))
    return VoxUdaTask(source, target, parameters, 0)


TASKS: dict[str, Callable[[], TrainingTask]] = {
    "dual": dual, "vox-uda-noise": lambda: vox_uda(segmentation_on="both", consistency_weight=1.0),
    "vox-uda-labels": lambda: vox_uda(segmentation_on="clean", pseudo_labels=True, denoiser="none"),
    "vox-uda": lambda: vox_uda(segmentation_on="both", consistency_weight=1.0, adversarial=True, pseudo_labels=True)}


def trained(name: str, folder: Path) -> Path:
    """The folder of a short training."""
    task = TASKS[name]()
    if isinstance(task, DualTask):
        return train(task, task.parameters, folder / name, seed=3, device="cpu").folder
    assert isinstance(task, VoxUdaTask)
    task.networks = {called: network.double() for called, network in task.networks.items()}
    torch.set_default_dtype(torch.float64)
    try:
        with patch.object(Tensor, "float", Tensor.double):  # what is lifted out of lower precision is lifted to float64
            return train(task, task._p, folder / name, seed=3, device="cpu").folder
    finally:
        torch.set_default_dtype(torch.float32)


if __name__ == "__main__":
    for called in TASKS:
        trained(called, Path(sys.argv[1]))
