"""One small simulated scene, the files that methods read of it, and models that were hardly trained on it."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cryoetseg.core.methods import run_job
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile, Job

SCENE = {"name": "scene", "voxel_size": 12.0, "size_z": 24, "size_y": 64, "size_x": 64, "snr": 1.0, "occupancy": 0.35, "actin_count": 1,
         "particles": "tric, proteasome_20s", "vesicle_count": 1, "vesicle_radius_min": 100.0, "vesicle_radius_max": 160.0,
         "ellipsoid_count": 0, "tube_count": 0, "sheet_count": 1}
TRAINED: dict[str, tuple[Sequence[str], dict[str, Any]]] = {  # inputs and settings of models that few steps train
    "train-picker": (("tomogram", "particles"), {"iterations": 2, "batch_size": 1, "patch_px": 16, "width": 4}),
    "train-membranes": (("tomogram", "labels"), {"iterations": 2, "batch_size": 1, "crop_px": 32, "rounds": 0}),
    "train-segmenter": (("tomogram", "classes"), {"iterations": 2, "batch_size": 1, "patch_px": 16, "held_out": 0.0}),
    "train-dual": (("noisy", "clean"), {"iterations": 1, "batch_size": 2, "patch_px": 16, "model_voxel_size": 12.0,
                                        "validation_patches": 1}),
    "train-dual-wedge": (("noisy", "clean"), {"iterations": 1, "batch_size": 2, "patch_px": 16, "model_voxel_size": 12.0}),
    "train-generator": (("tomogram", "many"), {"iterations": 1, "batch_size": 2, "box_px": 16, "channels": 8, "split": "particle"}),
    "train-voxuda": (("source", "target"), {"iterations": 2, "batch_size": 2, "size": 16, "width": 4}),
}


class Scene:
    """A simulated tomogram, what is known of it, and models that were hardly trained on it, as inputs by role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run("simulate", [], "scene", SCENE, seed=3)

    def _run(self, method: str, inputs: Sequence[InputFile], name: str, parameters: dict[str, Any], seed: int = 0) -> Path:
        folder = self.folder / name
        run_job(Job(method=method, parameters=parameters, inputs=list(inputs), output_folder=str(folder), seed=seed, device="cpu"))
        return folder

    def input(self, role: str) -> InputFile:
        """The scene's file for a role."""
        suffix = {"tomogram": "", "noisy": "", "clean": "_grand_model", "grand_model": "_grand_model", "restored": "_clean",
                  "labels": "_membranes", "mask": "_membranes", "classes": "_classes"}
        if role in ("source", "target"):
            return self.boxes(role)
        if role == "many":
            return self.many_particles()
        if role in ("particles", "like"):
            return InputFile(path=str(self.folder / "scene" / "scene_particles.star"), role=role, tilt_series_id="scene")
        contrast = "bright" if role in ("clean", "grand_model") else "dark"
        return InputFile(path=str(self.folder / "scene" / f"scene{suffix[role]}.mrc"), role="labels" if role == "classes" else role,
                         contrast=contrast, tilt_series_id="scene")

    def inputs(self, *roles: str) -> list[InputFile]:
        return [self.input(role) for role in roles]

    def many_particles(self, name: str = "scene") -> InputFile:
        """Twelve particles of each of two classes in the tomogram ``name``, at places where something may lie or not."""
        def write(path: Path) -> None:
            zyx = np.random.default_rng(1).uniform([6, 10, 10], [18, 54, 54], (24, 3))
            write_particles(ParticleTable.from_points(zyx, voxel_size=12.0, tilt_series_id=name, class_id=np.arange(24) % 2 + 1,
                                                      class_names={1: "tric", 2: "proteasome_20s"}), path)

        return InputFile(path=str(self.made(f"labelled_{name}.star", write)), role="particles", tilt_series_id=name)

    def boxes(self, role: str) -> InputFile:
        """A folder of simulated subtomograms with masks."""
        imaging = {"count": 12, "size": 16, "particles": "ribosome_80s, tric", "voxel_size": 20.0, "snr": 1.0, "max_shift": 2}
        folder = self._run("simulate-subtomograms", [], role, imaging, seed=1 + (role == "target"))
        return InputFile(path=str(folder), role=role, contrast="dark")

    def trained(self, method: str) -> InputFile:
        """A model that ``method`` trained for a step or two."""
        roles, parameters = TRAINED[method]
        self._run(method, self.inputs(*roles), method, parameters)
        return InputFile(path=str(self.folder / method / "model"), role="model")

    def made(self, name: str, write: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            write(path)
        return path


def as_role(item: InputFile, role: str) -> InputFile:
    return item.model_copy(update={"role": role})


def general(name: str) -> InputFile:
    return InputFile(path=str(model_folder("general", name)), role="model")
