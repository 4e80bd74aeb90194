"""The hosts.conf of the documentation: Scipion reads it, fills it in, and Slurm takes what comes out."""

import os
import re
import time
from pathlib import Path

import pytest
from slurm_cluster import lacking, slurm

PAGE = Path(__file__).resolve().parents[3] / "docs" / "user" / "batch.md"
# what Scipion knows of a run, with the answers to the questions of QUEUES
RUN = {"JOB_NAME": "12", "JOB_QUEUE": "cpu", "JOB_NODES": 1, "JOB_THREADS": 1, "JOB_CORES": 1, "GPU_COUNT": 0, "SCIPION_PROJECT": "p",
       "SCIPION_PROTOCOL": "pick particles"}  # fmt: skip


@pytest.fixture
def host(tmp_path):
    """The host as Scipion loads it."""
    hosts = pytest.importorskip("pyworkflow.protocol.hosts", reason="Scipion is not installed")
    (tmp_path / "hosts.conf").write_text(re.search(r"```ini\n(.*?)```", PAGE.read_text(), re.S).group(1))
    return hosts.HostConfig.load(str(tmp_path / "hosts.conf"))["localhost"]


def submitted(host, folder, command, **answers):
    """Send a command to the queue as Scipion sends a run; returns the queue's number."""
    from pyworkflow.protocol.launch import _submit

    asked = {name: default for name, default, *_ in host.queueSystem.queues["cpu"]}
    job, error = _submit(host, {**RUN, **asked, "JOB_MEMORY": "100", "JOB_SCRIPT": str(folder / "run.job"), "JOB_LOGS": str(folder / "run"),
                                "JOB_COMMAND": command, **answers}, cwd=str(folder))  # fmt: skip
    assert error is None, error
    return job


def test_scipion_reads_it_and_fills_in_every_value(host, tmp_path):
    host.queueSystem.submitCommand.set("echo job 7 %(JOB_SCRIPT)s")
    assert submitted(host, tmp_path, "the command") == 7
    script = (tmp_path / "run.job").read_text()
    assert script.startswith("#!/bin/bash\n")
    assert {"#SBATCH --job-name=12", "#SBATCH --time=24:00:00", "#SBATCH --mem=100", "the command"} <= set(script.split("\n"))
    assert "%" not in script
    assert not host.isQueueMandatory()


@pytest.mark.slow
@pytest.mark.skipif(bool(lacking()), reason=lacking() or "Slurm is here")
def test_slurm_runs_what_scipion_submits_and_scipion_sees_it_end(host, tmp_path):
    from pyworkflow.protocol.constants import STATUS_FINISHED, STATUS_RUNNING
    from pyworkflow.protocol.launch import _checkJobStatus

    with slurm(tmp_path / "slurm", 16837, 16838):
        job = submitted(host, tmp_path, "pwd; echo threads $SLURM_CPUS_PER_TASK; sleep 3", JOB_THREADS=2)
        assert _checkJobStatus(host, job) == STATUS_RUNNING
        deadline = time.monotonic() + 120
        while _checkJobStatus(host, job) == STATUS_RUNNING and time.monotonic() < deadline:
            time.sleep(0.5)
        assert _checkJobStatus(host, job) == STATUS_FINISHED
        assert (tmp_path / "run.out").read_text().split("\n")[:2] == [os.path.realpath(tmp_path), "threads 2"]

        job = submitted(host, tmp_path, "sleep 600")
        os.system(host.getCancelCommand() % {"JOB_ID": job})
        while _checkJobStatus(host, job) == STATUS_RUNNING and time.monotonic() < deadline:
            time.sleep(0.5)
        assert _checkJobStatus(host, job) == STATUS_FINISHED
