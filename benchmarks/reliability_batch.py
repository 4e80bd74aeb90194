"""Batches under fire: how many jobs are done once, lost or done twice while workers are killed at random.

``python benchmarks/reliability_batch.py --out FOLDER [--jobs 200] [--workers 2] [--kills 10] [--seed 1] [--executors local slurm]
[--engine]`` prints one row of docs/reliability.md for each executor. Jobs are a stand-in that sleeps and writes, or with ``--engine`` the
engine itself, which exports a small particle list. ``slurm`` starts a Slurm of one node on the loopback (root, Debian's slurmctld, slurmd
and slurm-client).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "core" / "batch"))

import batch_jobs
import slurm_cluster

from cryoetseg.core.batch import slurm as slurm_executor
from cryoetseg.core.batch.ledger import DONE, Ledger
from cryoetseg.core.batch.params import SubmitParameters
from cryoetseg.core.batch.plan import PlannedJob, make_plan, read_plan, write_plan
from cryoetseg.core.batch.survey import survey
from cryoetseg.core.batch.worker import PROGRAM
from cryoetseg.core.runtime.job import InputFile, Job, read_result

SECONDS = 0.05  # that a stand-in works
ALREADY = "is already done"  # what the engine says when it finds a result
QUEUE = SubmitParameters(executor="slurm", cpus=1, memory=0.5, minutes=60, workers=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the batches, made anew")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--executors", nargs="+", default=["local", "slurm"], choices=["local", "slurm"])
    parser.add_argument("--engine", action="store_true", help="real jobs in place of the stand-in")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    for executor in options.executors:
        reason = slurm_cluster.lacking() if executor == "slurm" else ""
        if reason:
            sys.stdout.write(f"| {executor} | {reason} |\n")
            continue
        with slurm_cluster.slurm(options.out.absolute() / "cluster") if executor == "slurm" else nullcontext():
            sys.stdout.write(row(executor, options) + "\n")
            sys.stdout.flush()


def row(executor: str, options: argparse.Namespace) -> str:
    """Serve one batch under kills; returns what became of it as a row of a table."""
    folder = options.out.absolute() / executor
    program = PROGRAM if options.engine else batch_jobs.PROGRAM
    make = engine_batch if options.engine else stand_in
    make(folder, options.jobs)
    start = time.monotonic()
    workers = (Local if executor == "local" else Queue)(folder, options.workers, program)
    killed = under_kills(folder, workers, options.kills, random.Random(options.seed))
    times = completions(folder, options.engine)
    once = sum(times[number] == 1 for number in range(1, options.jobs + 1))
    lost = sum(times[number] == 0 for number in range(1, options.jobs + 1))
    case = f"batch, {executor}, {'engine' if options.engine else 'stand-in'}, {options.workers} workers"
    outcome = f"{once} done once, {lost} lost, {options.jobs - once - lost} twice"
    return f"| {case} | {options.jobs} jobs, {killed} workers killed | {outcome} | {time.monotonic() - start:.0f} s |"


def stand_in(folder: Path, count: int) -> None:
    batch_jobs.stand_in_batch(folder, count, wishes={number: {"seconds": SECONDS} for number in range(1, count + 1)})


def engine_batch(folder: Path, count: int) -> None:
    """Small exports: jobs of the engine that take little more than its start."""
    folder.mkdir()
    (folder / "list.csv").write_text("tomogram,x,y,z\n" + "".join(f"TS_1,{n},{n + 1},{n + 2}\n" for n in range(9)))
    source = InputFile(path=str(folder / "list.csv"), role="particles", voxel_size=10.0, tilt_series_id="TS_1")
    write_plan(folder, make_plan([PlannedJob(number=n, name=f"export{n}", job=Job(
        method="export-particles", parameters={"format": "csv"}, inputs=[source], output_folder=str(folder / "out" / str(n))))
        for n in range(1, count + 1)]))  # fmt: skip


def completions(folder: Path, engine: bool) -> Counter[int]:
    """How often each job was completed: by the journal of the stand-in, or by the logs of the engine whose result is sound."""
    if not engine:
        return Counter(batch_jobs.journal(folder))
    times: Counter[int] = Counter()
    for log in (folder / "logs").glob("*.log"):
        text = log.read_text(errors="replace")
        times[int(log.name.split(".")[0])] += "Record: " in text and ALREADY not in text
    for number in list(times):
        result = read_result(folder / "out" / str(number) / "result.json")
        times[number] *= result.metrics["particles"] == 9  # a wrong result counts as none
    return times


def done(folder: Path) -> int:
    return sum(item.state == DONE for item in survey(read_plan(folder), Ledger(folder)))


class Local:
    """Worker processes of this program."""

    def __init__(self, folder: Path, workers: int, program: Sequence[str]) -> None:
        import json

        self._command = [sys.executable, "-c", batch_jobs.SERVE, str(folder), json.dumps(list(program))]
        self._running = [self._start() for _ in range(workers)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def kill(self, rng: random.Random) -> bool:
        """Kill a worker and start another."""
        victim = rng.randrange(len(self._running))
        if self._running[victim].poll() is not None:
            return False
        self._running[victim].kill()
        self._running[victim].wait()
        self._running[victim] = self._start()
        return True

    def tend(self) -> None:
        """Nothing: those that were killed are replaced at once, the others stay to the end."""


class Queue:
    """Tasks of Slurm; submitted again when all are gone and work is left, as a user would."""

    def __init__(self, folder: Path, workers: int, program: Sequence[str]) -> None:
        self._folder, self._program, self._parameters = folder, program, QUEUE.model_copy(update={"workers": workers})
        self.tend()

    def kill(self, rng: random.Random) -> bool:
        """Kill the process of a task, or take the task out of the queue."""
        processes = slurm_cluster.worker_processes(self._folder)
        if not processes:
            return False
        if rng.random() < 0.5:
            os.kill(rng.choice(processes), signal.SIGKILL)
        else:
            subprocess.run(["scancel", rng.choice(slurm_cluster.tasks())], check=False)
        return True

    def tend(self) -> None:
        """Submit what is left when no task is."""
        left = [item for item in survey(read_plan(self._folder), Ledger(self._folder)) if not item.is_final]
        if left and not slurm_cluster.tasks():
            slurm_executor.submit(self._folder, {1: [item.planned.number for item in left]}, self._parameters, self._program)


def under_kills(folder: Path, workers: Local | Queue, kills: int, rng: random.Random) -> int:
    """Kill workers when so many jobs are done that the kills spread over the batch; returns how many were killed."""
    total = len(read_plan(folder).jobs)
    moments = sorted(rng.sample(range(1, total), kills))
    killed = 0
    while (count := done(folder)) < total:
        if killed < kills and count >= moments[killed]:
            killed += _within(workers.kill, rng)
        workers.tend()
        time.sleep(0.2)
    return killed


def _within(kill: Callable[[random.Random], bool], rng: random.Random) -> bool:
    """Kill at a random moment of a job rather than right after one."""
    time.sleep(rng.uniform(0, 0.5))
    return kill(rng)


if __name__ == "__main__":
    main()
