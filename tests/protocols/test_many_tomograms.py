"""Many small tomograms in one set: what a person opens opens at once; threads, a kill and Continue give each of them once."""
import os
import signal
import sys
import time

import numpy as np
import pytest
from pyworkflow.protocol import MODE_RESUME
from scipion_environment import log_of, new_run, run_here
from tomo.protocols import ProtImportTomograms

from cryoetseg.convert import Particle, coordinatesOf
from cryoetseg.core.runtime.job import Result, write_result
from cryoetseg.core.volumes.io import write_volume
from cryoetseg.protocols import ProtCryoEtSegPickDog, ProtCryoEtSegSegmentSlabs
from cryoetseg.viewers import CryoEtSegPicksViewer
from cryoetseg.viewers.slice_browser import SliceBrowser
from cryoetseg.viewers.slice_stack import entriesOfCoordinates

MANY, SOME = 200, 8
CALLS = 1_000_000  # of Python functions: some seconds on a slow machine, whatever else runs there
PICKS = 3
DEADLINE = 900  # seconds, for a busy machine


def imported(project, folder, count):
    """Links to one tomogram of 16 x 32 x 32 voxels under many names, imported by tomo's protocol."""
    write_volume(folder / "noise.mrc", np.random.default_rng(0).normal(size=(16, 32, 32)).astype(np.float32), 13.0)
    for number in range(count):
        os.link(folder / "noise.mrc", folder / f"TS_{number:03d}.mrc")
    run = run_here(project, ProtImportTomograms, filesPath=str(folder), filesPattern="TS_*.mrc", samplingRate=13.0)
    assert run.isFinished(), log_of(run)
    assert run.Tomograms.getSize() == count
    return run


@pytest.fixture(scope="module")
def many(project, tmp_path_factory):
    return imported(project, tmp_path_factory.mktemp("many"), MANY)


def at_once(action):
    """What an action gives; fails where it takes too many calls."""
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        result = action()
    finally:
        sys.setprofile(None)
    assert calls < CALLS
    return result


def test_a_form_on_many_tomograms_is_checked_at_once(project, many):
    run = new_run(project, ProtCryoEtSegSegmentSlabs, inTomos=(many, "Tomograms"), zStart=4, zLast=7)
    assert at_once(run.validate) == []
    assert len(at_once(run._getItemIds)) == MANY


@pytest.fixture(scope="module")
def picked(project, many):
    """A run as it looks when all tomograms are picked, with results written here instead of by the core."""
    run = new_run(project, ProtCryoEtSegPickDog, inTomos=(many, "Tomograms"))
    project.saveProtocol(run)
    run.makePathsAndClean()
    coordinates = run._createCoordinates("coordinates", 100.0)
    for tsId, tomogram in run._tomograms().items():
        result = Result(method="pick-dog", job=run._makeJob(tsId).model_dump(), outputs=[], metrics={"particles": PICKS}, seconds=1.0,
                        peak_memory_bytes=0, device="cpu", versions={}, sha256={}, command=[])
        write_result(run._getItemFile(tsId, "result.json"), result)
        for item in coordinatesOf([Particle(16.0, 16.0, float(z), score=z) for z in range(PICKS)], tomogram):
            coordinates.append(item)
    coordinates.write()
    run._defineOutputs(coordinates=coordinates)
    run.setFinished()
    return run


def test_summary_and_viewers_of_many_tomograms_open_at_once(project, picked):
    assert f"in *{MANY}* tomograms" in at_once(picked.summary)[0]
    viewer = CryoEtSegPicksViewer(project=project)
    viewer.setProtocol(picked)
    for name, action in viewer._getVisualizeDict().items():
        (view,) = at_once(lambda: action(name))  # noqa: B023 - called at once
        view.close()
    browser = SliceBrowser(entriesOfCoordinates(picked.coordinates))
    at_once(lambda: browser.open(MANY - 1))
    assert browser.stack.name == f"TS_{MANY - 1:03d}"
    assert len(browser.stack.points) == PICKS
    browser.close()


def steps_of(run):
    """(name, argument, begin, end) of every finished step."""
    if not os.path.exists(run.getStepsFile()):
        return []
    steps = [step for step in run.loadSteps() if step.isFinished()]
    return [(step.funcName.get(), step.argsStr.get(), str(step.initTime), str(step.endTime)) for step in steps]


@pytest.mark.thorough
def test_three_at_a_time_with_a_kill_in_between_give_each_once(project, tmp_path):
    tomograms = imported(project, tmp_path, SOME)
    run = new_run(project, ProtCryoEtSegPickDog, inTomos=(tomograms, "Tomograms"), particleDiameter=100.0, count=PICKS)
    run.numberOfThreads.set(4)  # one of them only watches
    project.launchProtocol(run, wait=False)
    end = time.monotonic() + DEADLINE
    while len(steps_of(run)) < SOME and time.monotonic() < end:  # two steps a tomogram, so half of them
        time.sleep(0.2)
    os.kill(run.getPid(), signal.SIGKILL)
    time.sleep(0.5)
    project.checkPid(run)
    done = steps_of(run)
    assert SOME <= len(done) < 2 * SOME, log_of(run)
    run.runMode.set(MODE_RESUME)
    project.launchProtocol(run, wait=True)
    assert run.isFinished(), log_of(run)
    assert set(done) <= set(steps_of(run))  # the same end times: not run again
    ids = sorted(item.getTomoId() for item in run.coordinates.iterItems())
    assert ids == sorted(f"TS_{number:03d}" for number in range(SOME) for _ in range(PICKS))
    assert most_at_once([step[2:] for step in done if step[0] == "runCoreStep"]) >= 2


def most_at_once(spans):
    """Most of the spans (begin, end) that lie over one moment."""
    return max(sum(other[0] <= begin < other[1] for other in spans) for begin, _ in spans)
