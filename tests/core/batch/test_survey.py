"""States of jobs, and that a look at a thousand of them reads no more than it must."""

import os
from pathlib import Path

import pytest

from cryoetseg.core.batch.ledger import DIED, DONE, FAILED, STOPPED, Ledger
from cryoetseg.core.batch.plan import PlannedJob, make_plan, read_plan, write_plan
from cryoetseg.core.batch.survey import BLOCKED, MOST_DEATHS, RUNNING, WAITING, counts, message, survey, without_result
from cryoetseg.core.runtime.job import InputFile, Job


def states(folder):
    return [item.state for item in survey(read_plan(folder), Ledger(folder))]


def ready(folder):
    return [item.planned.number for item in survey(read_plan(folder), Ledger(folder)) if item.ready]


def attempt(folder, number, attempt, outcome=None, **details):
    """Let an attempt end, or die without a word."""
    claim = Ledger(folder).claim(number, attempt)
    if outcome:
        claim.end(outcome, **details)
    else:
        os.close(claim.descriptor)


def test_a_job_waits_runs_and_is_done_and_then_the_next_is_ready(make_batch):
    folder = make_batch(2, after={2: [1]})
    assert (states(folder), ready(folder)) == ([WAITING, WAITING], [1])
    claim = Ledger(folder).claim(1, 1)
    assert (states(folder), ready(folder)) == ([RUNNING, WAITING], [])
    claim.end(DONE)
    assert (states(folder), ready(folder)) == ([DONE, WAITING], [2])


def test_what_needs_a_failed_job_is_blocked_until_that_is_tried_again(make_batch):
    folder = make_batch(4, after={2: [1], 3: [2], 4: []})
    attempt(folder, 1, 1, FAILED, message="no such file")
    assert states(folder) == [FAILED, BLOCKED, BLOCKED, WAITING]
    standings = survey(read_plan(folder), Ledger(folder))
    assert message(standings[0], Ledger(folder)) == "no such file"
    assert message(standings[1], Ledger(folder)) == "needs 1"
    Ledger(folder).forgive(1, 1)
    assert (states(folder), ready(folder)) == ([WAITING] * 4, [1, 4])


def test_a_stopped_or_lost_job_waits_again_however_often_it_was_stopped(make_batch):
    folder = make_batch(1)
    for number in range(1, 2 * MOST_DEATHS):
        attempt(folder, 1, number, STOPPED)
    assert ready(folder) == [1]
    attempt(folder, 1, 2 * MOST_DEATHS)
    assert ready(folder) == [1]


@pytest.mark.parametrize("outcome", [DIED, None])
def test_a_job_that_kills_everybody_is_given_up_and_says_so(make_batch, outcome):
    folder = make_batch(1)
    for number in range(1, MOST_DEATHS):
        attempt(folder, 1, number, outcome, message="killed by SIGKILL")
        assert states(folder) == [WAITING]
    attempt(folder, 1, MOST_DEATHS, outcome, message="killed by SIGKILL")
    assert states(folder) == [FAILED]
    told = message(survey(read_plan(folder), Ledger(folder))[0], Ledger(folder))
    assert "3 times in a row" in told
    assert ("SIGKILL" in told) == (outcome is not None)


def test_a_done_job_whose_record_is_gone_is_noticed(make_batch):
    folder = make_batch(2)
    for number in (1, 2):
        attempt(folder, number, 1, DONE)
    (folder / "out" / "1").mkdir(parents=True)
    (folder / "out" / "1" / "result.json").touch()
    assert [item.planned.number for item in without_result(survey(read_plan(folder), Ledger(folder)))] == [2]


def test_a_thousand_jobs_are_planned_listed_and_checked_with_one_look_at_each_file(tmp_path, monkeypatch):
    tomograms = [tmp_path / f"{n}.mrc" for n in range(1000)]
    for path in tomograms:
        path.touch()
    looks, followed, scans, opened = [], [], [], []
    exists, realpath, scandir, open_file = Path.exists, os.path.realpath, os.scandir, os.open
    monkeypatch.setattr(os.path, "realpath", lambda path, **options: followed.append(path) or realpath(path, **options))
    monkeypatch.setattr(Path, "exists", lambda path, **options: looks.append(path) or exists(path, **options))
    jobs = [PlannedJob(number=n + 1, name=str(n), job=Job(method="count", output_folder=str(tmp_path / "out" / str(n)), inputs=[
        InputFile(path=str(tmp_path)), InputFile(path=str(tomogram))])) for n, tomogram in enumerate(tomograms)]  # fmt: skip
    plan = make_plan(jobs)
    assert (len(looks), len(followed)) == (1001, 2001)
    write_plan(tmp_path, plan)
    (tmp_path / "state").mkdir()
    for number in range(1, 901):
        for kind in ("claim", f"{DONE}.json"):
            Ledger(tmp_path).path(number, 1, kind).touch()
    running = [Ledger(tmp_path).claim(number, 1) for number in (901, 902)]
    monkeypatch.setattr(os, "scandir", lambda path: scans.append(path) or scandir(path))
    monkeypatch.setattr(os, "open", lambda path, *options: opened.append(path) or open_file(path, *options))
    assert counts(survey(plan, Ledger(tmp_path))) == {DONE: 900, RUNNING: 2, WAITING: 98, FAILED: 0, BLOCKED: 0}
    assert (len(scans), len(opened)) == (1, len(running))
