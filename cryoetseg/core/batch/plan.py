"""The plan of a batch: its jobs, numbered and frozen, and which must be done before which."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..runtime.errors import CryoetsegError, InputError, JobError
from ..runtime.files import read_json, write_json
from ..runtime.job import Job

PLAN_FILE = "plan.json"
VERSION = 1
LAST_PART = "report"


class PlannedJob(BaseModel):
    """One job of a batch. ``part`` names what of a chain it does; ``after`` the numbers of the jobs that must be done before."""

    model_config = ConfigDict(extra="forbid")

    number: int
    name: str
    job: Job
    part: str = ""
    after: list[int] = Field(default_factory=list)
    stage: int = 1

    @property
    def is_last_part(self) -> bool:
        """Whether this part of a chain writes the record of the whole."""
        return self.part == LAST_PART

    @property
    def kind(self) -> str:
        """What the job does, in a word for tables."""
        return self.part.partition("/")[0] or self.job.method


class Plan(BaseModel):
    """The jobs of a batch, numbered from 1 in their order, and the command they were made by."""

    model_config = ConfigDict(extra="forbid")

    version: int = VERSION
    command: list[str] = Field(default_factory=list)
    jobs: list[PlannedJob]
    fingerprint: str = ""

    @property
    def stages(self) -> int:
        """The number of stages: jobs of one stage need none of each other."""
        return max(job.stage for job in self.jobs)

    def job(self, number: int) -> PlannedJob:
        """The job with a number; raises :class:`JobError`."""
        if not 1 <= number <= len(self.jobs):
            raise JobError(f"job {number}", f"1 to {len(self.jobs)}")
        return self.jobs[number - 1]


def make_plan(jobs: Sequence[PlannedJob], command: Sequence[str] = ()) -> Plan:
    """Check and complete the jobs: inputs exist or are made by a job before, every job has a folder of its own, stages follow.

    Raises :class:`JobError` or :class:`InputError` that name every offender.
    """
    if not jobs:
        raise JobError("no job", "at least one", "give tomograms or job files")
    folders = {job.number: Path(os.path.realpath(job.job.output_folder)) for job in jobs}
    _check_folders(jobs, folders)
    makers = {folders[job.number]: job.number for job in jobs if not job.part}
    makers_of = _found_makers(jobs, makers)
    _check_inputs(makers_of)
    linked = _staged([_after_makers(job, makers_of) for job in jobs])
    return Plan(command=list(command), jobs=linked, fingerprint=_fingerprint(linked))


def write_plan(folder: Path, plan: Plan) -> bool:
    """Freeze the plan in ``folder``: True when it is new, False when the same one is there already; raises :class:`JobError` when
    there is another, whose results and numbers would be mixed with these."""
    if (folder / PLAN_FILE).exists():
        if read_plan(folder).fingerprint == plan.fingerprint:
            return False
        raise JobError(f"{folder} holds the plan of another batch", "the same jobs, or a folder without a plan",
                       "choose another folder; what is done already in the output folders is not repeated")  # fmt: skip
    write_json(folder / PLAN_FILE, {**plan.model_dump(mode="json", exclude={"jobs"}), "jobs": _rows(plan.jobs)})
    return True


def read_plan(folder: Path) -> Plan:
    """The plan of a batch; raises :class:`JobError` when there is none or it was changed by hand."""
    path = folder / PLAN_FILE
    if not path.is_file():
        raise JobError(f"no {PLAN_FILE} in {folder}", "the folder of a batch", "make one with 'cryoetseg batch plan'")
    try:
        content = read_json(path)
        plan = Plan(**{**content, "jobs": _with_whole(content.get("jobs", []))})
    except ValidationError as error:
        raise JobError(f"{path} is not a plan: {error.errors()[0]['msg']}", "a file of 'cryoetseg batch plan'") from error
    except (LookupError, TypeError, AttributeError) as error:
        raise JobError(f"{path} is not a plan", "a file of 'cryoetseg batch plan'") from error
    except CryoetsegError as error:
        raise JobError(f"cannot use {path} as a plan: {error.got}", error.allowed) from error
    if plan.version != VERSION or plan.fingerprint != _fingerprint(plan.jobs):
        raise JobError(f"{path} was changed after it was made", "the plan as it was made", "plan the batch again in another folder")
    return plan


def _fingerprint(jobs: Sequence[PlannedJob]) -> str:
    return hashlib.sha256(json.dumps(_rows(jobs), sort_keys=True).encode()).hexdigest()


def _rows(jobs: Sequence[PlannedJob]) -> list[dict[str, Any]]:
    """The jobs as they are written: of a chain only the last part holds the job with all tomograms, the others name it."""
    wholes = {id(job.job): job.number for job in jobs if job.is_last_part}
    rows = []
    for job in jobs:
        whole = None if job.is_last_part else wholes.get(id(job.job))
        rows.append({**job.model_dump(mode="json", exclude={"job"}), "job": whole or job.job.model_dump(mode="json")})
    return rows


def _with_whole(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    wholes: dict[int, Job] = {}
    for row in rows:
        if isinstance(number := row.get("job"), int) and number not in wholes:
            wholes[number] = Job(**rows[number - 1]["job"])
    return [{**row, "job": wholes.get(row["job"], row["job"]) if isinstance(row.get("job"), int) else wholes.get(row["number"], row["job"])}
            for row in rows]  # fmt: skip


def _check_folders(jobs: Sequence[PlannedJob], folders: Mapping[int, Path]) -> None:
    """Parts of one chain share a folder and take turns in it; any other two jobs would overwrite each other."""
    owners: dict[Path, PlannedJob] = {}
    for job in jobs:
        folder = folders[job.number]
        other = owners.setdefault(folder, job)
        if other is not job and not (job.part and other.part and job.job is other.job):
            raise JobError(f"jobs {other.number} ({other.name}) and {job.number} ({job.name}) write into {folder}", "a folder for each job")


def _found_makers(jobs: Sequence[PlannedJob], makers: Mapping[Path, int]) -> dict[str, Optional[int]]:
    """For each input path the number of the job into whose folder it belongs, or None; looked up once however many jobs share it."""
    found: dict[str, Optional[int]] = {}
    for path in {item.path for job in jobs for item in job.job.inputs}:
        real = Path(os.path.realpath(path))
        found[path] = next((makers[folder] for folder in (real, *real.parents) if folder in makers), None)
    return found


def _after_makers(job: PlannedJob, makers_of: Mapping[str, Optional[int]]) -> PlannedJob:
    """The job after all those in whose folders its inputs lie."""
    made = {number for item in job.job.inputs if (number := makers_of[item.path]) not in (None, job.number)}
    return job.model_copy(update={"after": sorted({*job.after, *made})})


def _staged(jobs: list[PlannedJob]) -> list[PlannedJob]:
    """Each job one stage later than the last of those it needs; raises :class:`JobError` when jobs wait for each other."""
    stages: dict[int, int] = {}
    waiting = jobs
    while waiting:
        ready = [job for job in waiting if all(number in stages for number in job.after)]
        if not ready:
            names = ", ".join(f"{job.number} ({job.name})" for job in waiting[:5])
            raise JobError(f"jobs that wait for each other: {names}", "jobs that can be done one after the other")
        stages.update({job.number: 1 + max((stages[number] for number in job.after), default=0) for job in ready})
        waiting = [job for job in waiting if job.number not in stages]
    return [job.model_copy(update={"stage": stages[job.number]}) for job in jobs]


def _check_inputs(makers_of: Mapping[str, Optional[int]]) -> None:
    """Inputs that no job of the plan makes are there."""
    missing = sorted(path for path, maker in makers_of.items() if maker is None and not Path(path).exists())
    if missing:
        others = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(f"inputs that do not exist: {', '.join(missing[:3])}{others}", "existing files", "check the paths")
