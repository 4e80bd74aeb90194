"""Workers on this machine: what each may use, and that a killed one is replaced."""

import json
import os
import sys

import pytest
from batch_jobs import PROGRAM, SERVE, journal

from cryoetseg.core.batch import local

KILLED_ONCE = """
import os, sys
if not os.path.exists(sys.argv[2] + "/killed"):
    open(sys.argv[2] + "/killed", "w")
    os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize(("visible", "workers", "expected"), [
    ("0,2", 0, ["0", "2"]), ("GPU-a,GPU-b", 3, ["GPU-a", "GPU-b", "GPU-a"]), ("", 2, [None, None]), ("-1", 1, [None]),
])  # fmt: skip
def test_each_worker_has_a_gpu_of_its_own(monkeypatch, visible, workers, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [environment.get("CUDA_VISIBLE_DEVICES") for environment in local.environments_of(workers)] == expected


@pytest.mark.parametrize(("cores", "workers", "count", "threads"), [(16, 0, 4, "4"), (2, 0, 1, "2"), (8, 3, 3, "2"), (2, 5, 5, "1")])
def test_cores_are_shared(monkeypatch, cores, workers, count, threads):
    for name in local.THREADS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    found = local.environments_of(workers)
    assert [environment["OMP_NUM_THREADS"] for environment in found] == [threads] * count


def test_a_worker_that_was_killed_is_replaced_and_all_is_done(make_batch, monkeypatch):
    folder = make_batch(6)
    serve = SERVE.replace("sys.argv[2]", "sys.argv[0]").replace("sys.argv[1]", "sys.argv[2]").replace("sys.argv[0]", "sys.argv[1]")
    monkeypatch.setattr(local, "WORK", (sys.executable, "-c", KILLED_ONCE + serve, json.dumps(PROGRAM)))
    local.run_workers(folder, 1)
    assert sorted(journal(folder)) == [1, 2, 3, 4, 5, 6]
