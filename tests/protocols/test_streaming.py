"""Following a set that grows: a tomogram is worked on when it arrives, and the run ends when the set is closed."""
import shutil
import time

import pytest
from pyworkflow.object import Set
from scipion_environment import inside, log_of, new_run
from tomo.objects import SetOfTomoMasks
from tomo.protocols import ProtImportTomograms

from cryoetseg import protocols
from cryoetseg.convert import newTomogram, tsIdsOf
from cryoetseg.protocols import ProtCryoEtSegPickDog, ProtCryoEtSegSegmentMembranes

DEADLINE = 240  # seconds
FOLLOWERS = {"ConvertDual", "DenoiseDual", "FillWedge", "PickDog", "PickParticles", "SegmentClasses", "SegmentFilaments",
             "SegmentMembranes", "SegmentSlabs", "SegmentVoxUda", "SimulateDual"}


@pytest.fixture
def growing(project, simulated, tmp_path):
    """A finished import of one tomogram, whose output is opened again, as that of a session at the microscope is."""
    shutil.copy(simulated.tomograms.getFirstItem().getFileName(), tmp_path / "sim_001.mrc")
    run = new_run(project, ProtImportTomograms, filesPath=str(tmp_path), filesPattern="{TS}.mrc", samplingRate=13.0)
    with inside(project):
        project.launchProtocol(run, wait=True)
        run.Tomograms.enableAppend()
    store(run, Set.STREAM_OPEN)
    return run


def store(run, state):
    run.Tomograms.setStreamState(state)
    run.Tomograms.write()
    run._store(run.Tomograms)


def wait_for(condition, project, run):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        project._updateProtocol(run)
        if condition():
            return
        assert not run.isFailed(), log_of(run)
        time.sleep(0.5)
    pytest.fail(f"nothing happened in {DEADLINE} s\n{log_of(run)}")


def found(run):
    return tsIdsOf(run.coordinates) if hasattr(run, "coordinates") else []


@pytest.mark.slow
def test_tomograms_are_worked_on_as_they_arrive(project, simulated, growing, tmp_path):
    run = new_run(project, ProtCryoEtSegPickDog, "following", inTomos=(growing, "Tomograms"), particleDiameter=250.0, count=20)
    assert "still grows" in run.validate()[0]
    run.numberOfThreads.set(3)
    assert run.validate() == []
    project.launchProtocol(run, wait=False)
    wait_for(lambda: found(run) == ["sim_001"], project, run)
    assert run.isActive()
    assert run.coordinates.isStreamOpen()
    second = [item.clone() for item in simulated.tomograms.iterItems()][1].getFileName()
    growing.Tomograms.append(newTomogram(second, "sim_002", 13.0))
    store(growing, Set.STREAM_OPEN)
    wait_for(lambda: found(run) == ["sim_001", "sim_002"], project, run)
    assert run.isActive()
    store(growing, Set.STREAM_CLOSED)
    wait_for(run.isFinished, project, run)
    assert not run.coordinates.isStreamOpen()
    assert run.coordinates.getSize() == 40  # twenty of each, none twice
    assert any("*40* picks" in line for line in run.summary())


def test_those_that_work_tomogram_by_tomogram_follow_and_others_do_not():
    classes = [getattr(protocols, name) for name in protocols.__all__]
    assert {made.__name__.replace("ProtCryoEtSeg", "") for made in classes if made.worksInStreaming()} == FOLLOWERS


def test_a_closed_set_needs_one_thread(project, simulated):
    assert not isinstance(simulated.tomograms, SetOfTomoMasks)
    assert new_run(project, ProtCryoEtSegSegmentMembranes, inTomos=(simulated, "tomograms"), useGpu=False).validate() == []
