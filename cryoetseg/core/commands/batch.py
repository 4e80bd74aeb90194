"""``cryoetseg batch``: many jobs, planned once, worked on by any number of machines, collected into one table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..batch.params import SubmitParameters
from ..runtime.errors import JobError, ParameterError
from ..runtime.params import parameters_from
from .help import SectionedCommand, command_group
from .options import Settings, with_settings
from .running import Planned, planning, print_json, run_and_show

app = command_group("Many jobs: plan them once, give them to workers here or on a cluster, collect what they made.")
RESULTS = "results"
BatchArgument = Annotated[Path, typer.Argument(metavar="BATCH", help="Folder of the batch.", show_default=False)]


@app.command(cls=SectionedCommand, context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})
@with_settings()
def plan(
    batch: Annotated[Path, typer.Argument(metavar="BATCH", help="Folder of the batch; made when missing.", show_default=False)],
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...",
            help="A command as cryoetseg takes it, where a folder or a quoted pattern of tomograms may stand for a tomogram; or job files, "
            "or folders of them.",
            show_default=False,
        ),
    ],
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="A:B", help="One job for each seed, B not included; before BATCH.", show_default="one job")
    ] = "",
    *,
    settings: Settings,
) -> None:
    """Write down the jobs of a batch, numbered and frozen: one for each tomogram, seed or job file, the parts of "pipeline" in stages.

    Results lie below --out of the command, else in BATCH/results. Nothing runs yet.
    """
    from ..batch.plan import make_plan, write_plan
    from ..batch.split import jobs_in, jobs_of

    files = [Path(word) for word in command if word.endswith(".json") or Path(word).is_dir()]
    if len(files) == len(command) and not seeds:
        jobs = jobs_in(files)
    else:
        jobs = jobs_of(job_of(command, batch / RESULTS), _seeds(seeds))
    made = make_plan(jobs, command)
    is_new = write_plan(batch, made)
    if settings.as_json:
        print_json({"folder": str(batch), "jobs": len(made.jobs), "stages": made.stages, "new": is_new})
    else:
        typer.echo(f"{'planned' if is_new else 'already planned'} in {batch}, jobs: {len(made.jobs)}, stages: {made.stages}")


def job_of(words: list[str], folder: Path) -> Any:
    """The job that a command would run, with ``folder`` for its results where it names none."""
    from ..cli import app as whole

    command = typer.main.get_command(whole)
    if _takes_out(command, words) and not any(word == "--out" or word.startswith("--out=") for word in words):
        words = [*words, "--out", str(folder)]
    try:
        with planning():
            command.main(args=words, prog_name="cryoetseg", standalone_mode=False)
    except Planned as planned:
        return planned.job
    if {"--help", "-h"} & set(words):  # the command's own help was asked for and shown
        raise typer.Exit
    raise ParameterError(f"'cryoetseg {' '.join(words)}', which is no job", "a command that writes results, such as 'pick dog'")


def _takes_out(command: Any, words: list[str]) -> bool:
    """Whether the command that the first words name has the option ``--out``."""
    with command.make_context("cryoetseg", [], resilient_parsing=True) as context:
        for word in words:
            inner = command.get_command(context, word) if hasattr(command, "get_command") else None
            if inner is None:
                break
            command = inner
    return any("--out" in parameter.opts for parameter in command.params)


def _seeds(text: str) -> Optional[tuple[int, int]]:
    if not text:
        return None
    first, colon, end = text.partition(":")
    if not (colon and first.isdigit() and end.isdigit() and int(first) < int(end)):
        raise ParameterError(f"seeds '{text}'", "A:B with 0 <= A < B, B not included", "for example --seeds 0:100")
    return int(first), int(end)


@app.command(cls=SectionedCommand)
@with_settings(SubmitParameters)
def submit(batch: BatchArgument, *, settings: Settings) -> None:
    """Have the jobs done that are not: by workers on this machine, which are waited for, or by a cluster's queue.

    The same command again goes on with what is left.
    """
    from ..batch.control import status as status_of
    from ..batch.control import submit as submit_batch

    queued = submit_batch(batch, parameters_from(SubmitParameters, settings.parameters))
    content = status_of(batch)
    _show_status({**content, "submitted": queued}, settings)
    if content["failed"]:
        raise JobError(f"{content['failed']} of {content['jobs']} jobs failed, {content['blocked']} wait for them",
                       advice="mend what their messages say, then 'cryoetseg batch retry' and 'batch submit'")  # fmt: skip


@app.command(cls=SectionedCommand)
@with_settings()
def status(
    batch: BatchArgument,
    jobs: Annotated[bool, typer.Option("--jobs", help="List every job.")] = False,
    *,
    settings: Settings,
) -> None:
    """How many jobs are done, run, wait or failed, and the last message of each that failed."""
    from ..batch.control import listed
    from ..batch.control import status as status_of

    if not jobs:
        _show_status(status_of(batch), settings)
    elif settings.as_json:
        print_json(listed(batch))
    else:
        for row in listed(batch):
            typer.echo(f"{row['number']:>6}  {row['state']:8} {row['name']:30} {row['folder']}")


@app.command(cls=SectionedCommand)
@with_settings()
def retry(
    batch: BatchArgument,
    number: Annotated[Optional[list[int]], typer.Argument(metavar="NUMBER", help="Jobs to try again.", show_default="all failed")] = None,
    *,
    settings: Settings,
) -> None:
    """Let failed jobs be tried again, at the next "submit" or by workers that are still there."""
    from ..batch.control import retry as retry_jobs

    again = retry_jobs(batch, number or [])
    if settings.as_json:
        print_json({"retried": again})
    else:
        typer.echo(f"{len(again)} jobs will be tried again" + (f": {', '.join(map(str, again))}" if again else ""))


@app.command(cls=SectionedCommand)
@with_settings()
def cancel(batch: BatchArgument, *, settings: Settings) -> None:
    """Stop running jobs and let none begin, on every machine; "submit" goes on where they were."""
    from ..batch.control import cancel as cancel_batch

    queued = cancel_batch(batch)
    if settings.as_json:
        print_json({"cancelled": str(batch), "queue": queued})
    else:
        tasks = f", tasks {', '.join(queued)} left the queue" if queued else ""
        typer.echo(f"cancelled; running jobs of {batch} end within seconds{tasks}")


@app.command(cls=SectionedCommand)
@with_settings()
def collect(
    batch: BatchArgument,
    out: Annotated[Optional[Path], typer.Option("--out", metavar="FOLDER", help="Where to write.", show_default="BATCH/collected")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Take what is done already.")] = False,
    *,
    settings: Settings,
) -> None:
    """Write one table of all jobs (table.csv) and one list of all their particles (particles.star)."""
    from ..batch.collect import collect as collect_batch

    found = collect_batch(batch, out or batch / "collected", partial)
    if settings.as_json:
        print_json({**found._asdict(), "table": str(found.table), "lists": list(map(str, found.lists))})
        return
    typer.echo(f"{'table':16} {found.table}  ({found.jobs} jobs)")
    for path in found.lists:
        typer.echo(f"{'particles':16} {path}")
    if found.lists:
        typer.echo(f"{'particles':16} {found.particles}")


@app.command(cls=SectionedCommand)
@with_settings()
def work(
    batch: BatchArgument,
    leave: Annotated[bool, typer.Option("--leave", help="End rather than wait while the jobs that are left need running ones.")] = False,
    *,
    settings: Settings,
) -> None:
    """Be a worker: do one job after the other until none is left. Any number of these, anywhere, share a batch; for queues of any kind."""
    from ..batch.worker import Worker

    worker = Worker(batch, wait=not leave)
    worker.stop_on_signals()
    typer.echo(f"{worker.serve()} jobs served")


@app.command("job", cls=SectionedCommand, hidden=True)
@with_settings()
def run_one(
    batch: BatchArgument,
    number: Annotated[int, typer.Argument(metavar="NUMBER", show_default=False)],
    owned: Annotated[bool, typer.Option("--owned", hidden=True)] = False,
    *,
    settings: Settings,
) -> None:
    """Do one job of a batch, as a worker has it done."""
    from ..batch.plan import read_plan
    from ..batch.worker import end_with_parent
    from ..methods import run_part

    if owned:
        end_with_parent()
    planned = read_plan(batch).job(number)
    if planned.part and not planned.is_last_part:
        run_part(planned.job, planned.part)
    else:
        run_and_show(planned.job, settings)


def _show_status(content: dict[str, Any], settings: Settings) -> None:
    from ..batch.survey import STATES

    if settings.as_json:
        print_json(content)
        return
    typer.echo("".join(f"{title:>10}" for title in ("stage", *STATES)) + "  jobs")
    for row in content["stages"]:
        typer.echo(f"{row['stage']:>10}" + "".join(f"{row[state]:>10}" for state in STATES) + f"  {row['kind']}")
    for job in content["told"]:
        typer.echo(f"{job['state']:8} {job['number']:>5} {job['name']}: {job['message']}")
    for number in content["without_result"]:
        typer.echo(f"the record of job {number} is gone: 'cryoetseg batch retry' makes it again")
    if content["cancelled"]:
        typer.echo("cancelled: 'cryoetseg batch submit' goes on")
    for state, count in content["queue"].items():
        typer.echo(f"{count} tasks {state} in the queue")
    if content.get("submitted"):
        typer.echo(f"submitted: {', '.join(content['submitted'])}")
