"""``cryoetseg run``: a job from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.errors import ParameterError
from ..runtime.job import Job, read_job
from .help import SectionedCommand, command_group
from .options import Settings, with_settings
from .running import run_and_show

app = command_group()


@app.command(cls=SectionedCommand)
@with_settings()
def run(
    job: Annotated[Optional[Path], typer.Argument(metavar="JOB.json", help="Job file.", show_default=False)] = None,
    array: Annotated[Optional[Path], typer.Option("--array", hidden=True)] = None,
    *,
    settings: Settings,
) -> None:
    """Run a job file, as Scipion does. Many jobs: see "cryoetseg batch"."""
    if array is not None:
        advice = f"'cryoetseg batch plan BATCH {array}', then 'batch submit BATCH', or 'batch work BATCH' in each task of an array"
        raise ParameterError(f"--array {array}, which batches have replaced", "one job file", advice)
    if job is None:
        raise ParameterError("nothing to run", "a job file", "'cryoetseg batch' runs many")
    run_and_show(_adapted(read_job(job), settings), settings)


def _adapted(job: Job, settings: Settings) -> Job:
    changes = {"seed": settings.seed, "device": settings.device}
    return job.model_copy(update={name: value for name, value in changes.items() if value is not None})
