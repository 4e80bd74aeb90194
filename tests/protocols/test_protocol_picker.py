"""The picker in Scipion: trained on coordinates from anywhere, it picks, and goes on only with what it was trained on."""
import os

import numpy as np
import pytest
from pyworkflow.protocol import MODE_RESTART, MODE_RESUME
from scipion_environment import finished, launch_here
from student_runs import SHORT, check_going_on_from_a_model, check_going_on_from_the_general_model, check_model
from tomo.constants import BOTTOM_LEFT_CORNER

from cryoetseg.convert import readParticles
from cryoetseg.core.runtime.checksums import checksum
from cryoetseg.protocols import (
    ProtCryoEtSegPickParticles,
    ProtCryoEtSegSelectByScore,
    ProtCryoEtSegTrainPicker,
)

SMALL = {"patchPx": 16, "width": 4, "validationCrops": 2}


@pytest.fixture(scope="module")
def chosen(project, simulated):
    """All true coordinates, from a run that can be started anew."""
    return finished(project, ProtCryoEtSegSelectByScore, "chosen", inCoordinates=(simulated, "coordinates"), threshold=-9.0)


@pytest.fixture(scope="module")
def picker(project, imported, chosen):
    """A tomogram imported by another plugin, and coordinates that lie in ours."""
    pointers = {"inTomos": (imported, "Tomograms"), "inCoordinates": (chosen, "selected")}
    return finished(project, ProtCryoEtSegTrainPicker, **SMALL, particleDiameter=250.0, **SHORT, **pointers)


def test_a_training_gives_a_model_described_as_its_card(project, picker):
    check_model(project, picker, "picker")


@pytest.mark.thorough
def test_a_training_goes_on_from_a_model(project, picker):
    check_going_on_from_a_model(project, picker, "inCoordinates", **SMALL)


def test_a_training_goes_on_from_the_general_model(project, picker):
    check_going_on_from_the_general_model(project, picker, "inCoordinates", "centre-unet3d", particleDiameter=250.0)


def test_coordinates_become_a_list_in_the_tomograms_voxels(picker, simulated):
    job = picker._readResult("training").job
    (path,) = [item["path"] for item in job["inputs"] if item["role"] == "particles"]
    tomogram = simulated.tomograms.getFirstItem().clone()
    expected = [item.getPosition(BOTTOM_LEFT_CORNER) for item in simulated.coordinates.iterCoordinates(tomogram)]
    np.testing.assert_allclose([item[:3] for item in readParticles(path)], expected, atol=1e-3)
    assert {item.className for item in readParticles(path)} == set(picker.model.getClasses().values()) == {"ribosome_80s"}


def test_picks_have_scores_and_a_box_of_their_diameter(project, imported, picker):
    pointers = {"inTomos": (imported, "Tomograms"), "inModel": (picker, "model")}
    run = finished(project, ProtCryoEtSegPickParticles, useGpu=False, scoreThreshold=0.0, count=5, tilePx=32, paddingPx=4, **pointers)
    assert run.coordinates.getSize() == 5
    assert run.coordinates.getBoxSize() == 30  # 1.5 x 250 A / 13 A, even
    assert run.coordinates.getSamplingRate() == 13.0
    assert {item.getTomoId() for item in run.coordinates.iterItems()} == {"sim_001"}
    assert all(item.getGroupId() >= 1 for item in run.coordinates.iterItems())


def test_continue_after_other_picks_came_from_the_input_run_is_refused_finished_or_killed(project, chosen, picker):
    """The input run was restarted with other parameters: its set has the same place and name, and other particles in it."""
    before = chosen.selected.getSize()
    chosen.most.set(1)
    chosen.runMode.set(MODE_RESTART)
    launch_here(project, chosen)
    assert 0 < chosen.selected.getSize() < before
    picker.runMode.set(MODE_RESUME)
    picker.iterations.set(6)
    assert any("changed since" in line for line in picker.validate())
    weights = (picker.model.getPath(), checksum(picker.model.getPath()))

    os.remove(picker._getExtraPath("training", "result.json"))  # as if it had been killed after its last checkpoint
    launch_here(project, picker)
    assert picker.isFailed()
    assert "with other settings (items" in picker.getErrorMessage()  # as many others are told by their content: test_data_record.py
    assert checksum(weights[0]) == weights[1]
