"""What becomes of runs: copied, renamed, exported as JSON and run again, moved with their project, deleted."""
import os
import shutil
import subprocess
import sys

import mrcfile
import numpy as np
import pytest
import pyworkflow
from pyworkflow.project import Project
from pyworkflow.protocol import MODE_RESUME
from scipion_environment import launch_here, log_of, run_here
from tomo.constants import BOTTOM_LEFT_CORNER

from cryoetseg.core.runtime.job import read_job
from cryoetseg.core.runtime.temporary import remove_parts
from cryoetseg.protocols import ProtCryoEtSegPickDog
from cryoetseg.viewers.slice_stack import entriesOfCoordinates

DOG = {"particleDiameter": 250.0, "count": 15}


@pytest.fixture(scope="module")
def picked(project, simulated):
    run = run_here(project, ProtCryoEtSegPickDog, "picked", inTomos=(simulated, "tomograms"), **DOG)
    assert run.isFinished(), log_of(run)
    return run


def values_of(run):
    """The form's values, and where its inputs come from."""
    names = [name for name, _ in run.iterDefinitionAttributes()]
    return {name: str(getattr(run, name)) for name in names if name not in ("runName", "runMode", "inTomos")}


def numbers_of(run):
    return [(item.getTomoId(), *item.getPosition(BOTTOM_LEFT_CORNER), item.getScore()) for item in run.coordinates.iterCoordinates()]


def test_a_copy_has_the_same_values_and_input_and_nothing_else(project, picked):
    copy = project.copyProtocol(picked)
    assert copy.getObjId() != picked.getObjId()
    assert values_of(copy) == values_of(picked)
    assert copy.inTomos.get().getObjId() == picked.inTomos.get().getObjId()
    assert not hasattr(copy, "coordinates")
    first, *estimate = copy.summary()
    assert first == "Output is not ready yet."
    assert all(line.startswith("About") for line in estimate)  # as earlier runs of the tests tell
    assert copy.validate() == []


def test_a_renamed_run_keeps_its_results(project, picked):
    before = picked.getObjLabel()
    picked.setObjLabel("renamed")
    project._storeProtocol(picked)
    stored = project.getProtocol(picked.getObjId(), fromRuns=False)
    assert stored.getObjLabel() == "renamed"
    assert numbers_of(stored) == numbers_of(picked)
    picked.setObjLabel(before)
    project._storeProtocol(picked)


@pytest.mark.slow
def test_a_workflow_exported_as_json_gives_the_same_numbers_again(project, simulated, picked, tmp_path):
    project.getRunsGraph(refresh=True)  # as the window does now and then
    project.exportProtocols([simulated, picked], str(tmp_path / "workflow.json"))
    assert project.path not in (tmp_path / "workflow.json").read_text()
    again = {run.getClassName(): run for run in project.loadProtocols(filename=str(tmp_path / "workflow.json")).values()}
    simulation, picking = again[simulated.getClassName()], again[picked.getClassName()]
    assert values_of(simulation) == values_of(simulated)
    for run in (simulation, picking):
        run.numberOfThreads.set(1)
        launch_here(project, run)
        assert run.isFinished(), log_of(run)
    assert picking.inTomos.get().getObjId() == simulation.tomograms.getObjId()
    for old, new in zip(simulated.tomograms.iterItems(), [item.clone() for item in simulation.tomograms.iterItems()]):
        np.testing.assert_array_equal(mrcfile.read(old.getFileName()), mrcfile.read(new.getFileName()))
    assert numbers_of(picking) == numbers_of(picked)


def test_a_project_opens_in_another_folder(project, picked, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(project.path, moved, symlinks=True)
    here = os.getcwd()
    try:
        other = Project(pyworkflow.Config.getDomain(), str(moved))
        other.load()
        run = other.getProtocol(picked.getObjId())
        assert run.isFinished()
        assert run.summary() == picked.summary()
        assert len(run.coordinates) == picked.coordinates.getSize()
        name, opened = entriesOfCoordinates(run.coordinates)[0]
        assert opened().volume.shape == (32, 64, 64)
        for tsId, path in run.getResultFiles().items():
            job = read_job(run._getItemFile(tsId, "job.json"))
            assert os.path.isfile(path)
            assert not any(os.path.isabs(word) for word in (job.output_folder, *(item.path for item in job.inputs)))
        assert name == "sim_001"
    finally:
        os.chdir(here)


def test_a_deleted_run_leaves_nothing(project, picked):
    run = project.copyProtocol(picked)
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    folder = run.getWorkingDir()
    assert os.path.isdir(folder)
    project.deleteProtocol(run)
    assert not os.path.exists(folder)
    assert run.getObjId() not in [item.getObjId() for item in project.getRuns(refresh=True)]


def test_outputs_that_scipion_forgot_of_a_killed_run_come_back(project, picked):
    """A window that has not looked since the last tomograms were registered writes its own idea of the run when it continues it."""
    run = project.copyProtocol(picked)
    launch_here(project, run)
    run._steps = run.loadSteps()
    run._steps[-1].setStatus("running")  # killed before the sets were closed
    run._storeSteps()
    run._stepsSet.close()
    run._deleteChild("coordinates", run.coordinates)
    run._store()
    run.runMode.set(MODE_RESUME)
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    assert sorted(numbers_of(run)) == sorted(numbers_of(picked))


def test_half_written_files_of_a_killed_core_go_at_the_next_launch(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = tmp_path / "extra [1]" / "training"
    folder.mkdir(parents=True)
    names = {f".sim.{ended.pid}.part.mrc": False, f".sim.{os.getpid()}.part.mrc": True, "sim.part.mrc": True, ".hidden": True}
    for name in names:
        (folder / name).write_text("half")
    remove_parts(str(tmp_path / "extra [1]"))
    assert {name: (folder / name).exists() for name in names} == names
