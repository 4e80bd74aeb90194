"""Giving a batch to workers, and what can be done with it while they work."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime.errors import CryoetsegError, JobError
from ..runtime.files import read_json, write_json
from . import elastic, local, slurm
from .ledger import Ledger
from .params import SubmitParameters
from .plan import read_plan
from .survey import BLOCKED, FAILED, RUNNING, Standing, counts, message, survey, without_result

SUBMISSIONS = "submissions.json"



def submit(folder: Path, p: SubmitParameters) -> list[str]:
    """Have the jobs done that are not: by workers that this call starts and waits for (local, dask), or by tasks of Slurm, whose
    numbers are returned at once. Raises :class:`JobError` when nothing is left to do."""
    folder = folder.absolute()  # workers elsewhere start in other folders
    plan, ledger = read_plan(folder), Ledger(folder)
    stages = _open_stages(survey(plan, ledger))
    if not stages:
        raise JobError("nothing is left to do in this batch", "jobs that wait",
                       "'cryoetseg batch status' tells what failed, 'batch retry' tries it again")  # fmt: skip
    ledger.resume()
    if p.executor == "local":
        local.run_workers(folder, p.workers)
    elif p.executor == "dask":
        elastic.run_elastic(folder, stages, p)
    else:
        jobs = slurm.submit(folder, stages, p)
        _note(folder, {"executor": p.executor, "jobs": jobs, "time": time.time()})
        return jobs
    return []


def _open_stages(standings: Sequence[Standing]) -> dict[int, list[int]]:
    """The numbers of the jobs that can still be done, by stage."""
    stages: dict[int, list[int]] = {}
    for item in standings:
        if not item.is_final:
            stages.setdefault(item.planned.stage, []).append(item.planned.number)
    return stages


def retry(folder: Path, numbers: Sequence[int] = ()) -> list[int]:
    """Let failed jobs, and done ones whose record is gone, be tried again: all, or only ``numbers``. Returns which; the next
    :func:`submit` runs them, and so do workers that are still there. Raises :class:`JobError` for a number that needs no retry."""
    plan, ledger = read_plan(folder), Ledger(folder)
    standings = survey(plan, ledger)
    gone = {item.planned.number for item in without_result(standings)}
    again = {item.planned.number: item for item in standings if item.state == FAILED or item.planned.number in gone}
    other = [number for number in numbers if number not in again]
    if other:
        state = standings[plan.job(other[0]).number - 1].state
        raise JobError(f"job {other[0]} is {state}", "failed jobs, or done ones whose record is gone")
    for number in numbers or again:
        ledger.forgive(number, again[number].attempt)
    return sorted(numbers or again)


def cancel(folder: Path) -> list[str]:
    """Stop the running jobs and let no other begin, until the next :func:`submit`; returns the tasks taken out of a queue."""
    read_plan(folder)
    Ledger(folder).cancel()
    jobs = [job for entry in _submissions(folder) for job in entry["jobs"]]
    if jobs:
        slurm.cancel(jobs)
    return jobs


def status(folder: Path) -> dict[str, Any]:
    """The batch in numbers, by stage and kind of job; every job that runs, failed or is blocked, with its last message."""
    plan, ledger = read_plan(folder), Ledger(folder)
    standings = survey(plan, ledger)
    groups: dict[tuple[int, str], list[Standing]] = {}
    for item in standings:
        groups.setdefault((item.planned.stage, item.planned.kind), []).append(item)
    told = [item for item in standings if item.state in (RUNNING, FAILED, BLOCKED)]
    return {
        "folder": str(folder), "jobs": len(standings), "cancelled": ledger.is_cancelled(), **counts(standings),
        "stages": [{"stage": stage, "kind": kind, **counts(group)} for (stage, kind), group in sorted(groups.items())],
        "told": [{"number": item.planned.number, "name": item.planned.name, "state": item.state, "attempt": item.attempt,
                  "message": message(item, ledger)} for item in told],
        "without_result": [item.planned.number for item in without_result(standings)],
        "queue": _queue_states(folder),
    }  # fmt: skip


def listed(folder: Path) -> list[dict[str, Any]]:
    """Every job in a row: number, stage, name, method, state, attempts, folder."""
    plan, ledger = read_plan(folder), Ledger(folder)
    return [{"number": item.planned.number, "stage": item.planned.stage, "name": item.planned.name, "method": item.planned.job.method,
             "state": item.state, "attempt": item.attempt, "folder": item.planned.job.output_folder} for item in survey(plan, ledger)]


def _submissions(folder: Path) -> list[dict[str, Any]]:
    path = folder / SUBMISSIONS
    return list(read_json(path)["submissions"]) if path.is_file() else []


def _note(folder: Path, entry: dict[str, Any]) -> None:
    write_json(folder / SUBMISSIONS, {"submissions": [*_submissions(folder), entry]})


def _queue_states(folder: Path) -> dict[str, int]:
    """The tasks in the queue, or nothing where there are none or the queue is not to be reached from here."""
    jobs = [job for entry in _submissions(folder) for job in entry["jobs"]]
    try:
        return slurm.states(jobs) if jobs else {}
    except CryoetsegError:
        return {}
