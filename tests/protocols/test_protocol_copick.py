"""A copick project made from Scipion's sets, and the same project as Scipion's sets again."""
import json
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import zarr
from pyworkflow.object import Pointer
from scipion_environment import groups, launch_here, log_of, new_run, positions, run_here
from tomo.tests.test_base_centralized_layer import TestBaseCentralizedLayer

from cryoetseg.convert import groupName
from cryoetseg.protocols import ProtCryoEtSegExportCopick, ProtCryoEtSegImportCopick

RUNS, VOXEL_SIZE = ["sim_001", "sim_002"], 13.0


@pytest.fixture(scope="module")
def exported(project, simulated):
    """The simulation as a copick project; its configuration."""
    run = new_run(project, ProtCryoEtSegExportCopick, inTomos=(simulated, "tomograms"), inCoordinates=(simulated, "coordinates"),
                  user="me", session="7", tomogramType="wbp")
    run.inMasks.append(Pointer(simulated, extended="membraneMasks"))
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    return Path(run._getExtraPath("project", "copick.json")).absolute()


@pytest.fixture(scope="module")
def imported(project, exported):
    run = run_here(project, ProtCryoEtSegImportCopick, config=str(exported))
    assert run.isFinished(), log_of(run)
    return run


def test_the_project_holds_the_sets(exported, simulated):
    content = json.loads(exported.read_text())
    runs = exported.parent / "data" / "ExperimentRuns"
    assert sorted(path.name for path in runs.iterdir()) == RUNS
    named = {groupName(item) for item in simulated.coordinates.iterItems()} - {""}
    assert named
    assert {name.replace("_", "-") for name in named} <= {item["name"] for item in content["pickable_objects"]}
    true = positions(simulated.coordinates)
    for name in RUNS:
        lists = [json.loads(path.read_text())["points"] for path in (runs / name / "Picks").glob("me_7_*.json")]
        places = sorted([point["location"][axis] for axis in "xyz"] for points in lists for point in points)
        np.testing.assert_allclose(places, sorted((true[name] * VOXEL_SIZE).tolist()), atol=1e-2)
        (mask,) = (runs / name / "Segmentations").glob("13.000_me_7_*.zarr")
        membranes = next(item.getFileName() for item in simulated.membraneMasks.iterItems() if item.getTsId() == name)
        np.testing.assert_array_equal(zarr.open_group(str(mask), mode="r")["0"][:] > 0, mrcfile.read(membranes) > 0)


def test_it_comes_back_as_typed_sets(imported, simulated):
    checks = TestBaseCentralizedLayer("checkTomograms")
    checks.checkTomograms(imported.tomograms, expectedSetSize=2, expectedSRate=VOXEL_SIZE, expectedDimensions=[64, 64, 32])
    checks.checkCoordinates(imported.coordinates, expectedSetSize=simulated.coordinates.getSize(), expectedSRate=VOXEL_SIZE,
                            expectedBoxSize=imported.coordinates.getBoxSize(), orientedParticles=True)
    volumes = {item.getTsId(): item.getFileName() for item in simulated.tomograms.iterItems()}
    for item in imported.tomograms.iterItems():
        np.testing.assert_array_equal(mrcfile.read(item.getFileName()), mrcfile.read(volumes[item.getTsId()]))


def test_positions_and_names_survive_the_way_there_and_back(imported, simulated):
    before, after = positions(simulated.coordinates), positions(imported.coordinates)
    for name in RUNS:
        np.testing.assert_allclose(sorted(after[name].tolist()), sorted(before[name].tolist()), atol=1e-3)
    assert groups(imported.coordinates) == groups(simulated.coordinates)
    names = {item.getGroupId(): groupName(item).replace("_", "-") for item in simulated.coordinates.iterItems()}
    assert {item.getGroupId(): groupName(item) for item in imported.coordinates.iterItems()} == names


def test_each_segmentation_is_a_set_of_masks(imported, simulated):
    (name,) = [name for name, _ in imported.iterOutputAttributes() if name.startswith("masks_")]
    masks = {item.getTsId(): item.getFileName() for item in getattr(imported, name).iterItems()}
    for item in simulated.membraneMasks.iterItems():
        np.testing.assert_array_equal(mrcfile.read(masks[item.getTsId()]) > 0, mrcfile.read(item.getFileName()) > 0)


@pytest.mark.parametrize(("values", "mentions"), [
    ({"config": "/nowhere.json"}, "nowhere"), ({"tomogram": "wbp@99"}, ""), ({"runNames": "none"}, "")])
def test_what_cannot_be_imported_is_told_before_the_run(project, exported, values, mentions):
    run = new_run(project, ProtCryoEtSegImportCopick, **{"config": str(exported), **values})
    (error,) = run._validateInputs()
    assert mentions in error


def test_a_set_has_one_voxel_size(project, exported):
    folder = exported.parent / "data" / "ExperimentRuns" / "sim_001"
    coarse = folder / "VoxelSpacing9.000" / "wbp.zarr"
    coarse.mkdir(parents=True)
    (error,) = new_run(project, ProtCryoEtSegImportCopick, config=str(exported))._validateInputs()
    coarse.rmdir()
    coarse.parent.rmdir()
    assert "9, 13" in error
