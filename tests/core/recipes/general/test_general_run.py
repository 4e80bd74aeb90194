"""The recipe from end to end, small: models that can be used at once, made again only where something is missing."""

import json

import numpy as np
import pytest

from cryoetseg.core.models.membrane_unet3d import FILAMENT_OUTPUT, MEMBRANE_OUTPUT
from cryoetseg.core.recipes.general.run import run
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.students.centres.model import load_centres
from cryoetseg.core.students.membranes.network import build_volume_network, load_membrane_model
from cryoetseg.core.training.checkpoint import load_weights
from cryoetseg.core.training.engine import BEST


@pytest.mark.slow
def test_the_recipe_writes_two_models_with_cards(tmp_path, monkeypatch):
    monkeypatch.setattr("cryoetseg.core.recipes.general.particles.VALIDATION_CROPS", 6)
    parameters = {"scenes": 8, "held_out": 2, "scene_px": 48, "scene_seed": 3, "processes": 1, "membrane_iterations": 2,
                  "particle_iterations": 2}
    outcome = run(Job(method="train-general", parameters=parameters, inputs=[], output_folder=str(tmp_path), device="cpu", seed=1))
    assert [output.path for output in outcome.outputs if output.kind == "model"] == ["membranes", "particles"]
    membranes, particles = load_membrane_model(tmp_path / "membranes"), load_centres(tmp_path / "particles")
    assert membranes.card.name == "general"
    assert membranes.card.training["scenes"] == 6
    assert "--scene-seed 3" in membranes.card.made_by
    assert membranes.card.made_by.endswith("--seed 1")
    assert particles.finest < particles.coarsest
    trained = build_volume_network()
    load_weights(next((tmp_path / "training_membranes").rglob(BEST)), {"unet": trained})
    moved = membranes.network.head.bias - trained.head.bias
    border = membranes.card.training["border"]
    assert moved[trained.voxels_of(MEMBRANE_OUTPUT)].detach() == pytest.approx(-np.log(border / (1 - border)), abs=1e-3)
    assert not moved[trained.voxels_of(FILAMENT_OUTPUT)].any()
    held_out = json.loads((tmp_path / "held_out.json").read_text())
    assert set(held_out) == {"membranes", "particles"}
