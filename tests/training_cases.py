"""Small cases of every training, a few steps on the simulated scene, in which each parameter can be seen to shape what is learned."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from acting import Case, what_was_learned
from small_scene import TRAINED, Scene, as_role, general

from cryoetseg.core.particles.formats import read_particles, write_particles
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.volumes.io import read_volume, write_volume

LOOP = {"iterations": 4, "log_interval": 1, "validation_interval": 2, "step_every": 2}
TRIED: dict[str, Sequence[Any]] = {
    "iterations": [5], "log_interval": [2], "validation_interval": [1], "step_every": [3], "warm_up": [0.6], "ema_decay": [0.0, 0.9],
    "gradient_clip": [1e-3], "checkpoint_interval": [2], "workers": [1]}
MEMBRANE = 3  # in the class labels of the scene
UNSEEN = {"epochs": "an epoch is minutes", "minutes": "the trainings are shorter", "max_skips": "no step fails",
          "compiled": "the first step would take minutes"}


def training(scene: Scene, method: str, values: Mapping[str, Any], inputs: Sequence[InputFile] = (),
             variants: Sequence[tuple[Sequence[InputFile], Mapping[str, Any]]] = (), tried: Mapping[str, Sequence[Any]] | None = None,
             unseen: Mapping[str, str] | None = None) -> Case:
    """A case of ``method`` on ``inputs``, those that it is trained with elsewhere unless some are given."""
    roles, small = TRAINED[method]
    return Case(method, inputs or scene.inputs(*roles), {**small, **LOOP, **values}, variants=[((), {}), *variants],
                tried={**TRIED, **(tried or {})}, unseen={**UNSEEN, **(unseen or {})}, compared=what_was_learned)


def empty(scene: Scene) -> InputFile:
    """A tomogram of noise alone, in which nothing is."""
    def write(path: Path) -> None:
        write_volume(path, np.random.default_rng(0).normal(0, 1, (24, 64, 64)).astype(np.float32), 12.0)

    return InputFile(path=str(scene.made("empty.mrc", write)), role="empty", contrast="dark", tilt_series_id="empty")


def train_picker(scene: Scene) -> Case:
    def write(path: Path) -> None:
        table = read_particles(scene.input("particles").path)
        write_particles(replace(table, score=np.linspace(1, 0, len(table))), path)

    scored = InputFile(path=str(scene.made("scored.star", write)), role="particles", tilt_series_id="scene")
    start = as_role(scene.trained("train-picker"), "start")
    return training(scene, "train-picker", {"held_out": 0.3, "validation_crops": 2}, [scene.input("tomogram"), scored],
                    [((), {"rounds": 2}), ((), {"patch_px": 48}), ([empty(scene)], {}), ([start], {})],
                    tried={"z_start": [10], "z_end": [14], "particle_diameter": [150.0, 400.0], "rounds": [2], "ignored_share": [0.5],
                           "class_diameters": ["120,240"], "patch_px": [32], "validation_crops": [4], "empty_share": [0.7]})


def train_membranes(scene: Scene) -> Case:
    start = as_role(scene.trained("train-membranes"), "start")
    return training(scene, "train-membranes", {"rounds": 1, "smallest_component": 1e4, "held_out": 0.3, "membrane_class": MEMBRANE},
                    scene.inputs("tomogram", "classes"),
                    variants=[([empty(scene)], {}), ([start], {}), ([as_role(general("membranes"), "start")], {})],
                    tried={"z_start": [10], "z_end": [14], "membrane_class": [1], "crop_px": [48], "smallest_component": [1e9],
                           "confidence": [0.45], "slices": [3], "empty_share": [0.7], "tuning_iterations": [2]},
                    unseen={"resample_labels": "the labels have the tomogram's voxels"})


def train_segmenter(scene: Scene) -> Case:
    def write(path: Path) -> None:
        write_volume(path, read_volume(scene.input("classes").path)[0][::2, ::2, ::2], 24.0)

    coarse = scene.input("classes").model_copy(update={"path": str(scene.made("coarse_classes.mrc", write))})
    case = training(scene, "train-segmenter", {"held_out": 0.3, "validation_patches": 2, "patches_per_epoch": 8}, scene.inputs("tomogram"),
                    tried={"class_names": ["one,two"], "class_diameters": ["120,240"], "patch_px": [24], "background_share": [0.9]})
    return replace(case, variants=[(labels, {}) for labels in (scene.inputs("classes"), [scene.many_particles()], [coarse])])


def train_generator(scene: Scene) -> Case:
    other = [as_role(empty(scene), "tomogram"), scene.many_particles("empty")]
    return training(scene, "train-generator", {"held_out": 0.3, "validation_items": 2}, variants=[(other, {})],
                    tried={"split": ["tomogram"], "validation_items": [4], "channels": [16], "box_px": [24], "micro_batch": [1],
                           "position_dropout": [0.9]})


def train_voxuda(scene: Scene) -> Case:
    return training(scene, "train-voxuda", {"pseudo_start": 0.0, "pseudo_threshold": 0.5, "batch_size": 6, "step_every": 1},
                    variants=[((), {"consistency": True, "adversarial": True, "pseudo_labels": True, "consistency_weight": 1.0}),
                              ((), {"common_voxel_size": 25.0})],
                    tried={"common_voxel_size": [25.0], "mask_threshold": [0.05, 0.95], "size": [32], "pseudo_start": [0.9],
                           "feature_weights": ["0.7,0.1,0.1,0.1"], "pseudo_threshold": [0.9, 0.999], "step_every": [2],
                           "domain_sigma": [1.0]})


FINE = {"model_voxel_size": 9.0}  # so many voxels that a larger patch fits
SMALL = {"iterations": 2, "step_every": 1, "filter_radius": 3, "judge_channels": "4,8"}
BESIDE_SMALL = {"iterations": [3], "model_voxel_size": [14.0], "judge_channels": ["4,12"], "patch_px": [32], "step_every": [2],
                "replay_pool": [1, 2]}
NEVER_STUCK = {"stuck_limit": "a training of two steps is not lost yet; test_watch.py loses one"}


def train_dual(scene: Scene) -> Case:
    networks = {"denoiser_channels": "4,8", "generator_channels": "4,8", "noise_channels": "4,8,8"}
    return training(scene, "train-dual", {**SMALL, **networks}, variants=[((), {"taught_by": "dual"}), ((), FINE)],
                    tried={**BESIDE_SMALL, "denoiser_channels": ["4,12"], "generator_channels": ["4,12"], "noise_channels": ["4,8,16"]},
                    unseen=NEVER_STUCK)


def train_dual_wedge(scene: Scene) -> Case:
    return training(scene, "train-dual-wedge", {**SMALL, "fill_channels": "4,8", "cut_channels": "4,8"}, variants=[((), FINE)],
                    tried={**BESIDE_SMALL, "fill_channels": ["4,12"], "cut_channels": ["4,12"], "tilt_min": [-40.0], "tilt_max": [40.0]},
                    unseen=NEVER_STUCK)


TRAINING_CASES = {case.__name__.replace("_", "-"): case for case in (
    train_picker, train_membranes, train_segmenter, train_generator, train_voxuda, train_dual, train_dual_wedge)}
