"""``cryoetseg run``: jobs from files, one by one or as an array of a batch queue."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.errors import CryoetsegError, JobError, ParameterError
from ..runtime.job import JOB_FILE, Job, read_job
from .help import SectionedCommand, command_group
from .options import Settings, with_settings
from .running import run_and_show

app = command_group()
logger = logging.getLogger(__name__)
TASK_VARIABLES = ("SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "PBS_ARRAYID")


@app.command(cls=SectionedCommand)
@with_settings()
def run(
    job: Annotated[Optional[Path], typer.Argument(metavar="JOB.json", help="Job file.", show_default=False)] = None,
    array: Annotated[
        Optional[Path],
        typer.Option(
            "--array",
            metavar="FOLDER",
            help="Folder of job files (NAME.json or NAME/job.json): inside a job array run the one of this task, counted from 0 in "
            "alphabetic order; outside run all that are not done.",
            show_default=False,
        ),
    ] = None,
    *,
    settings: Settings,
) -> None:
    """Run a job file, as Scipion does, or the jobs of a folder on a cluster."""
    if (job is None) == (array is None):
        raise ParameterError("a job file and --array FOLDER" if job else "nothing to run", "either a job file or --array FOLDER")
    if job is not None:
        run_and_show(_adapted(read_job(job), settings), settings)
    elif array is not None:
        _run_array(job_files(array), settings)


def job_files(folder: Path) -> list[Path]:
    """The job files of a folder, ``NAME.json`` and ``NAME/job.json``, in alphabetic order; raises JobError when there are none."""
    found = sorted(path for path in [*folder.glob("*.json"), *folder.glob(f"*/{JOB_FILE}")] if _is_job(path))
    if not found:
        raise JobError(f"no job file in {folder}", f"NAME.json or NAME/{JOB_FILE}")
    return found


def _is_job(path: Path) -> bool:
    try:
        read_job(path)
    except JobError as error:
        logger.debug("skipped: %s", error)
        return False
    return True


def task_number() -> Optional[int]:
    """The number of this task in a SLURM or PBS job array, or None outside of one."""
    return next((int(os.environ[name]) for name in TASK_VARIABLES if os.environ.get(name, "").isdigit()), None)


def _run_array(files: list[Path], settings: Settings) -> None:
    number = task_number()
    if number is None:
        _run_all(files, settings)
        return
    if number >= len(files):
        raise JobError(f"array task {number}", f"0 to {len(files) - 1} for {len(files)} jobs", f"submit with --array=0-{len(files) - 1}")
    run_and_show(_adapted(read_job(files[number]), settings), settings)


def _run_all(files: list[Path], settings: Settings) -> None:
    """Run every job; one that fails does not keep the others from running."""
    failed = []
    for number, path in enumerate(files, start=1):
        logger.info("job %d of %d: %s", number, len(files), path)
        try:
            run_and_show(_adapted(read_job(path), settings), settings)
        except CryoetsegError as error:
            logger.error("error: %s", error)
            failed.append(path.name if path.name != JOB_FILE else path.parent.name)
    if failed:
        raise JobError(f"{len(failed)} of {len(files)} jobs failed: {', '.join(failed)}", advice="see the messages above")


def _adapted(job: Job, settings: Settings) -> Job:
    changes = {"seed": settings.seed, "device": settings.device}
    return job.model_copy(update={name: value for name, value in changes.items() if value is not None})
