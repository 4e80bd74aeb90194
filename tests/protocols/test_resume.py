"""Continue after a kill repeats no finished step and stores no item twice."""
import os
import signal
import time

import pytest
from pyworkflow.object import Set
from pyworkflow.protocol import MODE_RESUME
from scipion_environment import SMALL_SAMPLE, launch, log_of, new_run

from cryoetseg.core.runtime.job import JOB_FILE
from cryoetseg.protocols import ProtCryoEtSegSimulateTomograms

DEADLINE = 180  # seconds
OUTPUTS = {"tomograms": 2, "grandModels": 2, "classMasks": 2, "membraneMasks": 2}


def steps_of(run):
    """(name, first argument, status, end) of every stored step."""
    if not os.path.exists(run.getStepsFile()):
        return []
    return [(step.funcName.get(), step.argsStr.get(), step.getStatus(), str(step.endTime)) for step in run.loadSteps()]


def wait_for(condition, project, run):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        project._updateProtocol(run)
        if condition(steps_of(run)):
            return
        time.sleep(0.2)
    pytest.fail(f"nothing happened in {DEADLINE} s: {steps_of(run)}\n{log_of(run)}")


def first_is_registered(steps):
    return any(name == "createOutputStep" and status == "finished" for name, _, status, _ in steps)


@pytest.fixture(scope="module")
def killed(project):
    """A run that was killed (kill -9) after its first tomogram was registered, with the steps done until then."""
    run = new_run(project, ProtCryoEtSegSimulateTomograms, "killed", count=2, seed=5, **SMALL_SAMPLE)
    project.launchProtocol(run, wait=False)
    wait_for(first_is_registered, project, run)
    os.kill(run.getPid(), signal.SIGKILL)
    time.sleep(0.5)
    project.checkPid(run)  # what the window does at every refresh
    return run, [step for step in steps_of(run) if step[2] == "finished"]


def test_continue_after_a_kill_repeats_nothing(project, killed):
    run, done = killed
    assert not run.isFinished()
    assert [name for name, *_ in done] == ["runCoreStep", "createOutputStep"]
    run.runMode.set(MODE_RESUME)
    assert run.validate() == []
    project.launchProtocol(run, wait=True)
    assert run.isFinished(), log_of(run)
    assert steps_of(run)[:2] == done  # same end times: not run again
    assert {name: getattr(run, name).getSize() for name in OUTPUTS} == OUTPUTS
    assert sorted(run.tomograms.getTSIds()) == ["sim_001", "sim_002"]


def forget_steps(run, names):
    """Make steps look as if the run had been killed before it noted that they were finished."""
    steps = run.loadSteps()
    run._steps = steps
    for step in steps:
        if step.funcName.get() in names:
            step.setStatus("running")
    run._storeSteps()
    run._stepsSet.close()


def test_items_stored_by_a_step_that_was_not_noted_are_not_stored_twice(project, killed):
    run, _ = killed
    coordinates = run.coordinates.getSize()
    forget_steps(run, {"createOutputStep", "closeOutputSetsStep"})
    run.runMode.set(MODE_RESUME)
    project.launchProtocol(run, wait=True)
    assert run.isFinished(), log_of(run)
    assert {name: getattr(run, name).getSize() for name in OUTPUTS} == OUTPUTS
    assert run.coordinates.getSize() == coordinates
    assert all(getattr(run, name).getStreamState() == Set.STREAM_CLOSED for name in [*OUTPUTS, "coordinates"])


def test_continue_refuses_other_parameters(killed):
    run, _ = killed
    run.runMode.set(MODE_RESUME)
    run.snr.set(0.5)
    try:
        assert any("changed since sim_001, sim_002 was done" in line for line in run.validate())
    finally:
        run.snr.set(SMALL_SAMPLE["snr"])


def test_what_failed_is_tried_again(project, killed):
    """A job file without result is removed before the steps are compared, so that its steps count as not done."""
    run, _ = killed
    os.remove(run._getExtraPath("sim_002", "result.json"))
    run._forgetFailures()
    assert os.path.exists(run._getExtraPath("sim_001", JOB_FILE))
    assert not os.path.exists(run._getExtraPath("sim_002", JOB_FILE))
    assert any("*Not finished*: sim_002" in line for line in run.summary())
    project.launchProtocol(run, wait=True)
    assert run.isFinished(), log_of(run)
    assert os.path.exists(run._getExtraPath("sim_002", "result.json"))
    assert {name: getattr(run, name).getSize() for name in OUTPUTS} == OUTPUTS


def test_a_run_of_which_nothing_works_fails_with_one_line(project):
    run = launch(project, ProtCryoEtSegSimulateTomograms, "fails", **{**SMALL_SAMPLE, "particles": "no_such_molecule"})
    assert run.isFailed()
    assert "none of 1 items was finished" in run.getErrorMessage()
    assert "no_such_molecule" in log_of(run)
