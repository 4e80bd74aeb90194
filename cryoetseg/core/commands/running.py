"""From a command's options to a job, and from a job to what the user reads."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Optional

import typer

from ..methods import parameters_model, run_job
from ..models.shelf import model_folder
from ..runtime.job import RESULT_FILE, InputFile, Job, Result
from ..runtime.params import idle_parameters
from ..volumes.names import volume_stem
from .addresses import Known, known
from .options import Settings, checked_contrast, checked_parameters

logger = logging.getLogger(__name__)
_planning: ContextVar[bool] = ContextVar("planning", default=False)


def input_file(path: Path, role: str = "tomogram", voxel_size: Optional[float] = None, contrast: str = "dark") -> InputFile:
    """One input of a job by its absolute path, so that the job file can be run from anywhere; an address's project tells the rest."""
    what = known(path) or Known(volume_stem(path))
    return InputFile(path=str(path.absolute()), role=role, voxel_size=voxel_size or what.voxel_size, tilt_series_id=what.tilt_series_id,
                     contrast=checked_contrast(contrast))


def model_file(model: Path, method: str, role: str = "model") -> InputFile:
    """A model of ``method`` (as in its card) as an input: a shipped one by name, or its folder, or that of its training."""
    return input_file(model_folder(model, method), role)


def build_job(method: str, inputs: list[InputFile], folder: Path, settings: Settings, **parameters: Any) -> Job:
    """The job of a command; ``parameters`` are those that the command spells in its own way. Raises ParameterError."""
    checked = checked_parameters(method, {**settings.parameters, **parameters})
    for line in idle_parameters(parameters_model(method), checked):
        logger.warning("warning: %s", line)
    return Job(
        method=method,
        parameters=checked,
        inputs=inputs,
        output_folder=str(folder.absolute()),
        seed=settings.seed or 0,
        device=settings.device or "auto",
    )


class Planned(Exception):  # noqa: N818, not an error
    """Carries a command's job out of the command in place of running it."""

    def __init__(self, job: Job) -> None:
        self.job = job


@contextmanager
def planning() -> Iterator[None]:
    """Within this block commands raise :class:`Planned` instead of running their job."""
    token = _planning.set(True)
    try:
        yield
    finally:
        _planning.reset(token)


def run_and_show(job: Job, settings: Settings) -> Result:
    """Run a job (or find it done), draw its figures, print what it made."""
    if _planning.get():
        raise Planned(job)
    result = run_illustrated(job)
    show(result, settings.as_json)
    return result


def run_illustrated(job: Job) -> Result:
    """Run a job (or find it done) and draw the figures that belong to its kind of result."""
    from ..report.illustrate import illustrate

    return illustrate(run_job(job))


def show(result: Result, as_json: bool) -> None:
    """Print a result: all of it as JSON, or the files, numbers and warnings for a reader."""
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    folder = Path(result.job["output_folder"])
    for output in result.outputs:
        typer.echo(f"{output.kind:16} {folder / output.path}")
    typer.echo("\n".join(metric_lines(result.metrics)), nl=bool(result.metrics))
    for warning in result.warnings:
        logger.warning("warning: %s", warning)
    memory = result.peak_memory_bytes / 2**30
    typer.echo(f"{result.method}: {result.seconds:.1f} s, at most {memory:.2f} GiB of memory. Record: {folder / RESULT_FILE}")


def metric_lines(metrics: dict[str, Any]) -> list[str]:
    """The numbers and words of ``metrics``, one name per line; lists and deeper tables are left to the JSON."""
    return [f"{name:28} {_readable(value)}" for name, value in metrics.items() if not isinstance(value, list)]


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_readable(item)}" for name, item in value.items() if not isinstance(item, (dict, list)))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def print_json(content: object) -> None:
    """Print a JSON document on standard output."""
    typer.echo(json.dumps(content, indent=2, default=str))
