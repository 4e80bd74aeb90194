"""The steps that all protocols share, where something goes wrong: with one item of several, and inside pyworkflow's executor."""
import pytest
from pwem.protocols import EMProtocol
from pyworkflow.protocol import MODE_RESUME
from scipion_environment import launch, launch_here, log_of, run_here

from cryoetseg.protocols import ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegSimulateTomograms
from cryoetseg.protocols.protocol_base import evenBox


def test_one_bad_item_does_not_stop_the_others_and_is_tried_again(project, simulated, monkeypatch):
    inputs = ProtCryoEtSegEvaluateSegmentation._getInputs

    def broken(self, tsId):
        return [item.model_copy(update={"path": "missing.mrc"} if tsId == "sim_002" else {}) for item in inputs(self, tsId)]

    monkeypatch.setattr(ProtCryoEtSegEvaluateSegmentation, "_getInputs", broken)
    pointers = {"predicted": (simulated, "classMasks"), "truth": (simulated, "membraneMasks")}
    run = run_here(project, ProtCryoEtSegEvaluateSegmentation, "half broken", **pointers)
    assert run.isFinished()
    assert sorted(run.getScores()) == ["sim_001"]
    (line,) = [line for line in run.summary() if "*Not finished*: sim_002" in line]
    assert "missing.mrc" in line  # what the program said, not "non-zero exit status"
    monkeypatch.undo()
    first = next(str(step.endTime) for step in run.loadSteps())
    run.runMode.set(MODE_RESUME)
    assert run.validate() == []
    launch_here(project, run)
    assert run.isFinished(), log_of(run)
    assert sorted(run.getScores()) == ["sim_001", "sim_002"]
    assert not any("Not finished" in line for line in run.summary())
    assert next(str(step.endTime) for step in run.loadSteps()) == first


@pytest.mark.slow
def test_several_threads_give_the_same(project, simulated):
    pointers = {"predicted": (simulated, "classMasks"), "truth": (simulated, "membraneMasks")}
    run = launch(project, ProtCryoEtSegEvaluateSegmentation, "threads", threads=3, **pointers)
    assert run.isFinished(), log_of(run)
    assert 0 < run.scoreDice.get() < 1
    assert sorted(run.getScores()) == ["sim_001", "sim_002"]


class Step:
    """A step as the executor leaves it."""

    def __init__(self, failed):
        self.failed = failed

    def isFailed(self):
        return self.failed

    def getErrorMessage(self):
        return "the last step failed"


@pytest.mark.parametrize("failed", [True, False])
def test_a_failure_that_the_executor_lost_fails_the_run(monkeypatch, failed):
    run = ProtCryoEtSegSimulateTomograms()
    run._steps = [Step(False), Step(failed)]
    monkeypatch.setattr(EMProtocol, "_runSteps", lambda self, doneSteps: self.setFinished())
    monkeypatch.setattr(run, "_store", lambda *attributes: None)
    run._runSteps(0)
    assert run.isFailed() == failed
    assert run.isFinished() != failed
    if failed:
        assert run.getErrorMessage() == "the last step failed"


@pytest.mark.parametrize(("length", "samplingRate", "box"), [(400.0, 13.48, 30), (400.0, 10.0, 40), (10.0, 100.0, 2), (391.0, 10.0, 40)])
def test_boxes_are_even_and_hold_the_length(length, samplingRate, box):
    assert evenBox(length, samplingRate) == box
    assert box % 2 == 0
    assert box * samplingRate >= length
