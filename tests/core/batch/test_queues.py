"""Batches in queues: a real Slurm where there is one, and dask's own stand-in for a queue elsewhere."""

import os
import random
import signal
import subprocess
import time

import pytest
from batch_jobs import PROGRAM, journal
from slurm_cluster import lacking, slurm, tasks, worker_processes

from cryoetseg.core.batch import elastic
from cryoetseg.core.batch import slurm as slurm_executor
from cryoetseg.core.batch.ledger import DONE, FAILED, STOPPED, Ledger
from cryoetseg.core.batch.params import SubmitParameters
from cryoetseg.core.batch.plan import read_plan
from cryoetseg.core.batch.survey import BLOCKED, counts, survey
from cryoetseg.core.runtime.errors import JobError

needs_slurm = pytest.mark.skipif(bool(lacking()), reason=lacking() or "Slurm is here")
SMALL = {"executor": "slurm", "cpus": 1, "memory": 0.5, "minutes": 10}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("submitit", reason="submitit is not installed")
    with slurm(tmp_path_factory.mktemp("slurm")):
        yield


def open_stages(folder):
    stages = {}
    for item in survey(read_plan(folder), Ledger(folder)):
        if not item.is_final:
            stages.setdefault(item.planned.stage, []).append(item.planned.number)
    return stages


def submit(folder, workers=2, **more):
    return slurm_executor.submit(folder, open_stages(folder), SubmitParameters(**{**SMALL, "workers": workers, **more}), PROGRAM)


def wait_until(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen"
        time.sleep(0.2)


def states(folder):
    return counts(survey(read_plan(folder), Ledger(folder)))


@needs_slurm
@pytest.mark.slow
def test_slurm_does_two_hundred_jobs_exactly_once_though_workers_are_killed(cluster, make_batch):
    folder = make_batch(200, wishes={n: {"seconds": 0.05} for n in range(1, 201)}, after={n: [1, 2] for n in range(150, 201)})
    rng = random.Random(1)
    submit(folder)
    for round_number in range(1, 4):
        wait_until(lambda: len(journal(folder)) > 40 * round_number)  # noqa: B023
        for process in worker_processes(folder)[:1] if round_number < 3 else []:
            os.kill(process, signal.SIGKILL)
        if round_number == 3:
            subprocess.run(["scancel", rng.choice(tasks())], check=True)
        if not tasks():
            submit(folder)
    while states(folder)[DONE] < 200:
        wait_until(lambda: not tasks())
        if open_stages(folder):
            submit(folder)
    assert sorted(journal(folder)) == list(range(1, 201))
    assert all(list(job.ended.values()).count(DONE) == 1 for job in Ledger(folder).attempts().values())


@needs_slurm
@pytest.mark.slow
def test_slurm_keeps_stages_in_order_and_what_needs_a_failed_job_does_not_run(cluster, make_batch):
    folder = make_batch(5, after={3: [1], 4: [2], 5: [3]}, wishes={2: {"fails": True}})
    assert len(submit(folder)) == 3
    wait_until(lambda: not tasks())
    assert journal(folder) == [1, 3, 5]
    assert states(folder) == {DONE: 3, "running": 0, "waiting": 0, FAILED: 1, BLOCKED: 1}


@needs_slurm
@pytest.mark.slow
def test_a_task_taken_out_of_slurm_stops_its_job_and_the_batch_goes_on_later(cluster, make_batch):
    folder = make_batch(1, wishes={1: {"seconds": 60}})
    jobs = submit(folder)
    wait_until(lambda: (folder / "journal").exists())
    slurm_executor.cancel(jobs)
    wait_until(lambda: Ledger(folder).attempts()[1].outcome == STOPPED)
    slurm_executor.cancel(jobs)
    assert slurm_executor.states(jobs) == {} or wait_until(lambda: not tasks()) is None
    assert open_stages(folder) == {1: [1]}


@needs_slurm
@pytest.mark.slow
def test_before_the_time_limit_a_task_ends_its_job_and_is_started_again(cluster, make_batch):
    """Slurm's signal is sent by hand here: the limit itself counts in minutes."""
    folder = make_batch(1, wishes={1: {"seconds": 3}})
    jobs = submit(folder, workers=1)
    wait_until(lambda: (folder / "journal").exists())
    subprocess.run(["scancel", "--signal=USR2", f"{jobs[0]}"], check=True)
    wait_until(lambda: Ledger(folder).attempts()[1].latest == 2)
    assert Ledger(folder).attempts()[1].ended[1] == STOPPED
    wait_until(lambda: states(folder)[DONE] == 1)
    assert journal(folder) == [1]


@needs_slurm
@pytest.mark.slow
def test_what_slurm_refuses_is_told_in_its_words(cluster, make_batch):
    with pytest.raises(JobError, match=r"Slurm refused the jobs: .*partition"):
        submit(make_batch(1), partition="nowhere")


@pytest.mark.slow
@pytest.mark.parametrize("queue", ["local", pytest.param("slurm", marks=needs_slurm)])
def test_dask_starts_workers_as_needed_and_goes_through_the_stages(request, make_batch, queue):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    if queue == "slurm":
        request.getfixturevalue("cluster")
    folder = make_batch(8, after={8: [1, 2]}, wishes={3: {"fails": True}})
    elastic.run_elastic(folder, open_stages(folder), SubmitParameters(**{**SMALL, "queue": queue, "workers": 2}), PROGRAM)
    assert (states(folder)[DONE], states(folder)[FAILED]) == (7, 1)
    assert sorted(journal(folder)) == [1, 2, 4, 5, 6, 7, 8]
    assert journal(folder)[-1] == 8
