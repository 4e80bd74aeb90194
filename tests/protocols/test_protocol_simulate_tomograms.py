"""Simulating in Scipion: outputs are typed, carry id, origin and voxel size, and hold what the core wrote."""
import mrcfile
import numpy as np
import pytest
from scipion_environment import SMALL_SAMPLE, new_run
from scipy.spatial.transform import Rotation
from tomo.constants import BOTTOM_LEFT_CORNER, TR_RELION
from tomo.tests.test_base_centralized_layer import TestBaseCentralizedLayer

from cryoetseg.convert import readParticles
from cryoetseg.core.runtime.files import read_json
from cryoetseg.protocols import ProtCryoEtSegSimulateTomograms

IDS = ["sim_001", "sim_002"]
DIMENSIONS = [64, 64, 32]
VOXEL_SIZE = 13.0


@pytest.fixture(scope="module")
def scipion_checks():
    """Scipion's own checks of tomography objects."""
    return TestBaseCentralizedLayer("checkTomograms")


@pytest.mark.parametrize("name", ["tomograms", "grandModels"])
def test_tomograms_pass_scipions_checks(simulated, scipion_checks, name):
    scipion_checks.checkTomograms(getattr(simulated, name), expectedSetSize=2, expectedSRate=VOXEL_SIZE, expectedDimensions=DIMENSIONS,
                                  expectedOriginShifts=[-416.0, -416.0, -208.0])
    assert sorted(getattr(simulated, name).getTSIds()) == IDS


@pytest.mark.parametrize("name", ["classMasks", "membraneMasks"])
def test_masks_pass_scipions_checks_and_name_their_tomogram(simulated, scipion_checks, name):
    masks = getattr(simulated, name)
    scipion_checks.checkTomoMasks(masks, expectedSetSize=2, expectedSRate=VOXEL_SIZE, expectedDimensions=DIMENSIONS)
    tomograms = {item.getTsId(): item.getFileName() for item in simulated.tomograms.iterItems()}
    assert {item.getTsId(): item.getVolName() for item in masks.iterItems()} == tomograms


def test_outputs_are_different_files(simulated):
    names = ["tomograms", "grandModels", "classMasks", "membraneMasks"]
    files = [item.getFileName() for name in names for item in getattr(simulated, name).iterItems()]
    assert len(set(files)) == 8


def test_coordinates_are_those_of_the_core(simulated, scipion_checks):
    coordinates = simulated.coordinates
    scipion_checks.checkCoordinates(coordinates, expectedSetSize=coordinates.getSize(), expectedBoxSize=32, expectedSRate=VOXEL_SIZE,
                                    orientedParticles=True)
    for tomogram in [item.clone() for item in simulated.tomograms.iterItems()]:
        truth = readParticles(simulated._getOutputFile(tomogram.getTsId(), simulated._readResult(tomogram.getTsId()), "particles"))
        # not a list of them: Scipion hands out one and the same object at every step
        found = [(*item.getPosition(BOTTOM_LEFT_CORNER), item.getGroupId()) for item in coordinates.iterCoordinates(tomogram)]
        assert len(found) == len(truth) > 0
        np.testing.assert_allclose(found, [(*item[:3], item.classId) for item in truth], atol=1e-3)


def test_coordinates_lie_on_the_density_that_they_name(simulated):
    """Position and axis order against the volumes themselves: a particle's voxel belongs to its class."""
    masks = {item.getTsId(): item.getFileName() for item in simulated.classMasks.iterItems()}
    hits = []
    for tomogram in [item.clone() for item in simulated.tomograms.iterItems()]:
        classes = mrcfile.read(masks[tomogram.getTsId()])
        for coordinate in simulated.coordinates.iterCoordinates(tomogram):
            x, y, z = (round(value) for value in coordinate.getPosition(BOTTOM_LEFT_CORNER))
            hits.append(classes[z, y, x] == coordinate.getGroupId())
    assert np.mean(hits) > 0.8


def test_orientations_survive_as_relion_angles(simulated):
    (tomogram,) = [item.clone() for item in simulated.tomograms.iterItems() if item.getTsId() == IDS[0]]
    rows = read_json(simulated._getExtraPath(IDS[0], "sim_001_particles.json"))["particles"]
    for coordinate, row in zip(simulated.coordinates.iterCoordinates(tomogram), rows):
        relion = Rotation.from_matrix(coordinate.getMatrix(convention=TR_RELION)[:3, :3])
        # RELION's angles turn the tomogram into the reference: the inverse of the particle's rotation
        assert (relion * Rotation.from_quat(row["quaternion_xyzw"])).magnitude() < 1e-3


def test_acquisition_and_record(simulated):
    acquisition = simulated.tomograms.getAcquisition()
    assert (acquisition.getAngleMin(), acquisition.getAngleMax(), acquisition.getStep()) == (-60.0, 60.0, 6.0)
    assert acquisition.getVoltage() == 300.0
    result = simulated._readResult(IDS[1])
    assert result.job["parameters"]["name"] == IDS[1]
    assert result.job["seed"] == 6
    assert result.job["output_folder"] == simulated._getExtraPath(IDS[1])


def test_information_for_the_user(simulated):
    summary = "\n".join(simulated.summary())
    assert "*2* tomograms of 64 x 64 x 32 voxels of 13 Å" in summary
    assert "1 ribosome_80s" in summary
    assert "seed was 5" in "\n".join(simulated.methods())
    assert any("10.1109/TMI.2024.3398401" in line for line in simulated.citations())


@pytest.mark.parametrize(("values", "message"), [
    ({"vesicleRadiusMin": 500.0, "vesicleRadiusMax": 200.0}, "vesicle_radius_min is larger than vesicle_radius_max"),
    ({"boxSize": 31}, "odd box has no middle voxel"),
    ({"name": " "}, "Name* is empty"),
    ({"voxelSize": 1.0}, "Allowed: 2 to 64"),
])
def test_bad_values_give_one_helpful_message(project, values, message):
    run = new_run(project, ProtCryoEtSegSimulateTomograms, **{**SMALL_SAMPLE, **values})
    assert any(message in line for line in run.validate())


def test_good_values_pass(project):
    assert new_run(project, ProtCryoEtSegSimulateTomograms, **SMALL_SAMPLE).validate() == []


def test_names_follow_scipions_rule(project):
    run = new_run(project, ProtCryoEtSegSimulateTomograms, **{**SMALL_SAMPLE, "name": "2-b", "count": 1})
    assert run._getItemIds() == ["TS_2_b"]
