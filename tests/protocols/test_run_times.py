"""How long a run will take, told from earlier ones, and how far the running one is."""
import json
import os

import pytest
from scipion_environment import new_run, run_here
from tqdm import tqdm

from cryoetseg._plugin import Plugin
from cryoetseg.protocols import ProtCryoEtSegPickDog, ProtCryoEtSegSegmentSlabs, ProtCryoEtSegTrainPicker, run_times
from cryoetseg.protocols.run_times import LONG, expectedSeconds, inWords, lastProgress, remember

VOXELS = 2 * 32 * 64 * 64  # of both simulated tomograms


@pytest.fixture(autouse=True)
def no_earlier_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("text", "told"), [
    ("", ""),
    ("device: cpu\n", ""),
    ("pick TS_1, 13.5 A:  40%|####      | 4/10 [00:12<00:20,  3.0s/it]", "pick TS_1, 13.5 A 40 %, 00:20 left"),
    ("a:  10%|#   | 1/10 [00:01<00:09, 1.0s/it]\rb:  50%|##  | 5/10 [00:05<00:05, 1.0it/s]\nloaded\n", "b 50 %, 00:05 left"),
    ("a:  90%|### | 9/10 [00:09<00:01, 1.0s/it]\ra: 100%|####| 10/10 [00:10<00:00, 1.0s/it]\n", ""),
])
def test_the_latest_progress_is_read_from_the_log(tmp_path, text, told):
    log = tmp_path / "run.stderr"
    log.write_text("x" * 10000 + "\n" + text)
    assert lastProgress(str(log)) == told
    assert lastProgress(str(tmp_path / "none")) == ""


def test_what_the_core_writes_is_understood(tmp_path, monkeypatch):
    """The program's own progress, as a log file gets it."""
    from cryoetseg.core.runtime import progress

    with open(tmp_path / "run.stderr", "w") as log:
        monkeypatch.setattr("sys.stderr", log)
        monkeypatch.setattr(progress, "tqdm", lambda *args, **options: tqdm(*args, **{**options, "delay": 0, "mininterval": 0}))
        for number in progress.track(range(8), "pick TS_1"):
            log.flush()
            if number == 4:
                assert lastProgress(log.name).startswith("pick TS_1 50 %, 0")


def test_the_latest_runs_of_a_kind_are_what_counts():
    for seconds in [1000.0, 10.0, 30.0, 20.0, 500.0, 20.0]:  # the first is too old
        remember("pick", 10.0, seconds)
    remember("other", 1.0, 7.0)
    with open(run_times._file(), "a") as stream:
        stream.write('{"kind": "pick", "wor\n')
    found = expectedSeconds("pick", 100.0)
    assert (found.seconds, found.runs) == (200.0, 5)
    assert expectedSeconds("unknown", 1.0) is None


@pytest.mark.parametrize(("seconds", "words"), [(3, "10 seconds"), (44, "40 seconds"), (600, "10 minutes"), (9000, "2.5 hours")])
def test_estimates_are_told_as_exactly_as_they_are(seconds, words):
    assert inWords(seconds) == words


def test_a_form_tells_before_it_is_launched_how_long_it_will_take(project, simulated):
    run = new_run(project, ProtCryoEtSegPickDog, "timed", inTomos=(simulated, "tomograms"))
    assert run.getEstimate() is None
    remember(run._kind(), VOXELS / 4, LONG / 8)
    assert run.getEstimate().seconds == pytest.approx(LONG / 2)
    assert "About *5 minutes* in all on this machine, as the last run of this kind tells." in run.summary()
    assert run.warnings() == []  # too short to ask
    remember(run._kind(), VOXELS, 10 * LONG)
    remember(run._kind(), VOXELS, 10 * LONG)
    assert "About *1.7 hours* in all on this machine, as the last 3 runs of this kind tell." in run.warnings()


def test_slices_threads_and_backbone_count(project, simulated):
    run = new_run(project, ProtCryoEtSegSegmentSlabs, "timed slabs", inTomos=(simulated, "tomograms"), zStart=8, zLast=15)
    remember(run._kind(), VOXELS, 100.0)
    assert run.getEstimate().seconds == pytest.approx(25.0)  # 8 of 32 slices
    run.numberOfThreads.set(3)
    assert run.getEstimate().seconds == pytest.approx(12.5)  # two tomograms beside each other
    run.backbone.set(1)
    assert run.getEstimate() is None


def test_a_training_is_judged_by_its_steps(project):
    run = new_run(project, ProtCryoEtSegTrainPicker, "timed training", iterations=100, batchSize=4)
    remember(run._kind(), 800.0, 60.0)
    assert run.getEstimate().seconds == pytest.approx(30.0)
    run.width.set(24)
    assert run.getEstimate() is None  # another network


def test_a_finished_run_is_remembered_and_a_repeated_one_is_not(project, simulated):
    run = run_here(project, ProtCryoEtSegPickDog, "remembered", inTomos=(simulated, "tomograms"), count=5)
    rows = [json.loads(line) for line in run_times._file().read_text().splitlines()]
    assert [row["work"] for row in rows] == [VOXELS / 2, VOXELS / 2]
    assert all(row["kind"] == "pick-dog on 1 cores" and row["seconds"] > 0 for row in rows)
    run._rememberRun("sim_001", 0.0)  # as when the program finds its result
    assert len(run_times._file().read_text().splitlines()) == 2


def test_the_status_tells_how_far_the_program_is(project, simulated):
    run = new_run(project, ProtCryoEtSegPickDog, "running", inTomos=(simulated, "tomograms"))
    project.saveProtocol(run)
    os.makedirs(os.path.dirname(run.getStderrLog()), exist_ok=True)
    with open(run.getStderrLog(), "w") as log:
        log.write("pick sim_001:  25%|##    | 1/4 [00:10<00:30, 10.0s/it]")
    assert "pick sim_001" not in run.getStatusMessage()
    run.setRunning()
    assert run.getStatusMessage().endswith("), pick sim_001 25 %, 00:30 left")
    assert "pick sim_001 25 %, 00:30 left" in run.summary()


def test_a_probe_tells_where_no_earlier_run_does(project, simulated, monkeypatch):
    """The real program on a piece of the first tomogram; from the first run on that one counts."""
    run = new_run(project, ProtCryoEtSegPickDog, "probed", inTomos=(simulated, "tomograms"))
    monkeypatch.setattr(run_times, "LONG", 0.0)
    (line,) = run.warnings()
    assert line.endswith("in all on this machine, as a probe of some seconds tells.")
    rows = [json.loads(row) for row in run_times._file().read_text().splitlines()]
    assert [(row["kind"], row["work"], row["probe"]) for row in rows] == [(run._kind(), VOXELS / 2, True)]
    assert run.summary()[1] == line
    assert run.warnings() == [line]  # it is not tried again
    assert len(run_times._file().read_text().splitlines()) == 1
    remember(run._kind(), VOXELS, 120.0)
    remember(run._kind(), 1.0, 1e9, isProbe=True)
    assert "About *2 minutes* in all on this machine, as the last run of this kind tells." in run.summary()


def test_what_cannot_be_probed_is_launched_without_an_estimate(project, simulated, monkeypatch):
    run = new_run(project, ProtCryoEtSegPickDog, "unprobed", inTomos=(simulated, "tomograms"))
    monkeypatch.setattr(Plugin, "getCorePython", classmethod(lambda cls: "/bin/false"))
    assert run.warnings() == []
    assert new_run(project, ProtCryoEtSegTrainPicker, "training").warnings() == []
