"""``cryoetseg batch`` from plan to collect, as a user types it; the engine runs for real, jobs are tiny."""

import csv
import json
import sys

import numpy as np
import pytest
from batch_jobs import PROGRAM, stand_in_batch

from cryoetseg.core import cli
from cryoetseg.core.batch.ledger import FAILED, Ledger
from cryoetseg.core.batch.plan import read_plan
from cryoetseg.core.batch.worker import Worker
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.job import Job, read_result, write_job
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture
def call(capsys):
    """Run the command line in this process: exit code, standard output, standard error."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return run


@pytest.fixture
def tomograms(tmp_path):
    """A folder with two tomograms, the second of another voxel size."""
    folder = tmp_path / "tomograms"
    folder.mkdir()
    for seed, size in ((1, 10.0), (2, 12.0)):
        write_volume(folder / f"TS_{seed}.mrc", np.random.default_rng(seed).normal(size=(8, 16, 16)).astype(np.float32), size)
    return folder


def states(call, batch):
    code, out, _ = call("batch", "status", batch, "--json")
    assert code == 0
    return json.loads(out)


def test_from_a_folder_of_tomograms_to_one_table(call, tmp_path, tomograms):
    batch = tmp_path / "batch"
    command = ("batch", "plan", batch, "pick", "dog", tomograms, "--particle-diameter", "60", "--seed", "5")
    code, out, _ = call(*command)
    assert (code, "jobs: 2, stages: 1" in out) == (0, True)
    assert "already planned" in call(*command)[1]
    assert call(*command[:-1], "6")[0] == 8

    Worker(batch, [1]).serve()
    assert (states(call, batch)["done"], states(call, batch)["waiting"]) == (1, 1)
    code, _, err = call("batch", "collect", batch)
    assert (code, "1 of 2 jobs have no result yet" in err) == (8, True)

    code, out, err = call("batch", "submit", batch, "--workers", "1")
    assert (code, states(call, batch)["done"]) == (0, 2)
    results = [read_result(batch / "results" / name / "result.json") for name in ("TS_1", "TS_2")]
    assert [result.job["seed"] for result in results] == [5, 5]

    assert call("batch", "collect", batch, "--out", tmp_path / "all")[0] == 0
    with open(tmp_path / "all" / "table.csv") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["name"], row["state"], int(row["particles"])) for row in rows] == [
        (name, "done", result.metrics["particles"]) for name, result in zip(("TS_1", "TS_2"), results)]  # fmt: skip
    # coordinates count voxels of one size, so that two sizes are two lists
    for size, name, result in zip((10.0, 12.0), ("TS_1", "TS_2"), results):
        table = read_particles(tmp_path / "all" / f"particles_{size:.3f}A.star")
        assert (len(table), table.voxel_size, table.tilt_series_ids()) == (result.metrics["particles"], size, [name])


def test_seeds_and_job_files_are_planned_too(call, tmp_path):
    assert call("batch", "plan", "--seeds", "3:5", tmp_path / "b1", "simulate", tmp_path / "scenes", "--size-z", "16")[0] == 0
    jobs = [job.job for job in read_plan(tmp_path / "b1").jobs]
    assert [(job.method, job.seed, job.parameters["size_z"]) for job in jobs] == [("simulate", 3, 16), ("simulate", 4, 16)]

    for number in range(3):
        write_job(tmp_path / "jobs" / f"{number}.json", Job(method="simulate", output_folder=str(tmp_path / f"out{number}")))
    assert call("batch", "plan", tmp_path / "b2", tmp_path / "jobs")[0] == 0
    _, out, _ = call("batch", "status", tmp_path / "b2", "--jobs", "--json")
    assert [(row["number"], row["name"], row["state"]) for row in json.loads(out)] == [(n + 1, str(n), "waiting") for n in range(3)]


@pytest.mark.parametrize(("words", "code", "said"), [
    (["pick", "dog", "nowhere.mrc"], 2, "do not exist"),
    (["pick", "dog", "nowhere*.mrc"], 2, "no tomogram in"),
    (["pick", "dog"], 2, "TOMOGRAM"),
    (["weights", "list"], 3, "is no job"),
    (["pick", "dog", "x.mrc", "--no-such-option"], 2, "--no-such-option"),
])  # fmt: skip
def test_what_cannot_be_planned_is_told_and_leaves_nothing(call, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    got, _, err = call("batch", "plan", "batch", *words)
    assert (got, said in err) == (code, True), err
    assert not (tmp_path / "batch").exists()


def test_a_failure_is_told_with_its_message_and_tried_again_on_request(call, tmp_path):
    batch = stand_in_batch(tmp_path / "batch", 3, wishes={2: {"fails": True}}, after={3: [2]})
    Worker(batch, program=PROGRAM).serve()
    _, out, _ = call("batch", "status", batch)
    assert "job2: it is broken" in out
    assert "blocked" in out
    assert "needs 2" in out
    assert call("batch", "submit", batch)[0] == 8
    code, _, err = call("batch", "retry", batch, "1")
    assert (code, "job 1 is done" in err) == (8, True)
    code, out, _ = call("batch", "retry", batch, "--json")
    assert json.loads(out) == {"retried": [2]}
    assert states(call, batch)["waiting"] == 2
    Worker(batch, program=(sys.executable, "-I", "-S", "-c", PROGRAM[-1].replace('wish.get("fails")', "False"))).serve()
    assert states(call, batch)["done"] == 3


def test_a_result_that_somebody_removed_is_noticed_and_made_again(call, tmp_path):
    batch = stand_in_batch(tmp_path / "batch", 2)
    Worker(batch, program=PROGRAM).serve()
    (batch / "out" / "2" / "result.json").unlink()
    assert states(call, batch)["without_result"] == [2]
    call("batch", "retry", batch)
    assert Worker(batch, program=PROGRAM).serve() == 1
    assert states(call, batch)["without_result"] == []


def test_a_cancelled_batch_rests_until_it_is_submitted(call, tmp_path, monkeypatch):
    batch = stand_in_batch(tmp_path / "batch", 1)
    assert call("batch", "cancel", batch)[0] == 0
    assert states(call, batch)["cancelled"]
    assert Worker(batch, program=PROGRAM).serve() == 0
    monkeypatch.setattr("cryoetseg.core.batch.local.WORK", (sys.executable, "-c", ""))
    call("batch", "submit", batch)
    assert not Ledger(batch).is_cancelled()
    assert Worker(batch, program=PROGRAM).serve() == 1


def test_submit_says_when_nothing_is_left(call, tmp_path):
    batch = stand_in_batch(tmp_path / "batch", 1)
    Ledger(batch).claim(1, 1).end(FAILED, message="no")
    code, _, err = call("batch", "submit", batch)
    assert (code, "nothing is left" in err) == (8, True)


@pytest.mark.parametrize("executor", ["slurm", "dask"])
def test_an_executor_that_is_not_installed_says_how_to_get_it(call, tmp_path, monkeypatch, executor):
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    batch = stand_in_batch(tmp_path / "batch", 1)
    code, _, err = call("batch", "submit", batch, "--executor", executor)
    assert (code, "pip install 'cryoetseg[batch]'" in err) == (3, True)
