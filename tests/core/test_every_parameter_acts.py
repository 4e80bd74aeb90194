"""Each parameter of each method changes what a method finds on a small scene, or its model says when and why it does not."""
from __future__ import annotations

from pathlib import Path

import pytest
from acting import Acting, Case

from cryoetseg.core.methods import METHODS, run_job
from cryoetseg.core.models.shelf import model_folder
from cryoetseg.core.runtime.job import InputFile, Job

SCENE = {"name": "scene", "voxel_size": 12.0, "size_z": 20, "size_y": 64, "size_x": 64, "snr": 1.0, "occupancy": 0.2, "actin_count": 1,
         "particles": "ribosome_80s, proteasome_20s", "vesicle_count": 2, "vesicle_radius_min": 100.0, "vesicle_radius_max": 160.0,
         "ellipsoid_count": 0, "tube_count": 0, "sheet_count": 1}


class Scene:
    """A simulated tomogram and what is known of it, as inputs by role."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        run_job(Job(method="simulate", parameters=SCENE, output_folder=str(folder), seed=3))

    def file(self, role: str, suffix: str = "", contrast: str = "dark") -> InputFile:
        return InputFile(path=str(self.folder / f"scene{suffix}"), role=role, contrast=contrast, tilt_series_id="scene")

    def tomogram(self) -> InputFile:
        return self.file("tomogram", ".mrc")

    def mask(self, role: str = "mask") -> InputFile:
        return self.file(role, "_membranes.mrc")

    def particles(self, role: str = "particles") -> InputFile:
        return self.file(role, "_particles.star")


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


def general(name: str) -> InputFile:
    return InputFile(path=str(model_folder("general", name)), role="model")


def simulate(scene: Scene) -> Case:
    small = {**SCENE, "size_z": 12, "size_y": 48, "size_x": 48, "voxel_size": 16.0, "tube_count": 1, "tilt_step": 6.0}
    return Case("simulate", values=small, tried={"name": ["other"], "particles": ["tric"]})


def pick_dog(scene: Scene) -> Case:
    return Case("pick-dog", [scene.tomogram()], {"particle_diameter": 200.0, "count": 5})


def measure_membranes(scene: Scene) -> Case:
    return Case("measure-membranes", [scene.mask()], {"smallest_component": 1e5})


def membrane_points(scene: Scene) -> Case:
    return Case("membrane-points", [scene.mask()], {"smallest_component": 1e5})


def membrane_distance(scene: Scene) -> Case:
    return Case("membrane-distance", [scene.mask(), scene.particles()], {"smallest_component": 1e5})


CASES = {case.__name__.replace("_", "-"): case for case in (simulate, pick_dog, measure_membranes, membrane_points, membrane_distance)}


@pytest.mark.parametrize("method", CASES)
def test_every_parameter_changes_what_is_found_or_says_why_not(method, scene, tmp_path):
    case = CASES[method](scene)
    acting = Acting(case, tmp_path)
    assert set(case.unseen) <= set(acting.fields)
    wrong = [acting.verdict(name) for name in acting.fields if name not in case.unseen]
    assert [text for text in wrong if text] == []
    assert method in METHODS
