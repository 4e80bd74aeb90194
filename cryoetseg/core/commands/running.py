"""From a command's options to a job, and from a job to what the user reads."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple, Optional

import typer

from ..methods import parameters_model, run_job
from ..models.shelf import model_folder
from ..runtime.errors import ParameterError
from ..runtime.job import RESULT_FILE, InputFile, Job, Output, Result
from ..runtime.names import distinct
from ..runtime.params import idle_parameters
from ..volumes.names import volume_stem
from .addresses import Known, known
from .options import Settings, checked_contrast, checked_parameters

logger = logging.getLogger(__name__)
_planning: ContextVar[bool] = ContextVar("planning", default=False)
PUBLISHED = "published"  # kind of an output that lies where the user said, outside of the folder of the record


def input_file(path: Path, role: str = "tomogram", voxel_size: Optional[float] = None, contrast: str = "dark") -> InputFile:
    """One input of a job by its absolute path, so that the job file can be run from anywhere; an address's project tells the rest."""
    what = known(path) or Known(volume_stem(path))
    return InputFile(path=str(path.absolute()), role=role, voxel_size=voxel_size or what.voxel_size, tilt_series_id=what.tilt_series_id,
                     contrast=checked_contrast(contrast))


def input_files(paths: Sequence[Path], role: str = "tomogram", voxel_size: Optional[float] = None, contrast: str = "dark",
                ids: Optional[Sequence[str]] = None) -> list[InputFile]:  # fmt: skip
    """Several inputs of one role, whose names differ: by ``ids``, else by their files' names, with folders where these are equal."""
    items = [input_file(path, role, voxel_size, contrast) for path in paths]
    if ids and len(ids) != len(items):
        raise ParameterError(f"{len(ids)} times --tilt-series-id for {len(items)} files", "one for each, in their order, or none")
    return distinct([item.model_copy(update={"tilt_series_id": name}) for item, name in zip(items, ids)] if ids else items)


def destination(out: Path, formats: Container[str]) -> tuple[Path, Optional[Path]]:
    """Folder of the results, and the file that ``--out`` names: one with a suffix among ``formats``; any other name is a folder's."""
    return (out.with_suffix(""), out) if out.suffix.lower() in formats else (out, None)


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


class Published(NamedTuple):
    """A result under a name that the user gave: the first output of ``kind``, written to ``target`` by ``write(source, target)``, which
    may write the file ``beside`` too."""

    target: Path
    kind: str
    write: Callable[[Path, Path], None]
    beside: Optional[Path] = None

    def paths(self) -> list[Path]:
        """All that may be written."""
        return [self.target] if self.beside is None else [self.target, self.beside]

    def added_to(self, result: Result) -> Result:
        """Write the files unless they are there already, and note them in the result."""
        folder = Path(result.job["output_folder"])
        known = [output.path for output in result.outputs_of(PUBLISHED)]
        names = {path: os.path.relpath(path.absolute(), folder) for path in self.paths()}
        if names[self.target] not in known or not all(path.exists() for path, name in names.items() if name in known):
            self.write(folder / result.outputs_of(self.kind)[0].path, self.target)
        made = [Output(kind=PUBLISHED, path=name) for path, name in names.items() if name not in known and path.exists()]
        return result.model_copy(update={"outputs": [*result.outputs, *made]}) if made else result


def run_and_show(job: Job, settings: Settings, published: Optional[Published] = None) -> Result:
    """Run a job (or find it done), draw its figures, print what it made."""
    if _planning.get():
        raise Planned(job)
    result = run_illustrated(job, settings.overwrite, published)
    show(result, settings.as_json)
    return result


def run_illustrated(job: Job, overwrite: bool = False, published: Optional[Published] = None) -> Result:
    """Run a job (or find it done) and draw the figures that belong to its kind of result; the record is written after all of it."""
    from ..report.illustrate import illustrate

    def finish(result: Result) -> Result:
        illustrated = illustrate(result)
        return illustrated if published is None else published.added_to(illustrated)

    return run_job(job, finish, overwrite=overwrite, published=[] if published is None else published.paths())


def show(result: Result, as_json: bool) -> None:
    """Print a result: all of it as JSON, or the files, numbers and warnings for a reader."""
    if as_json:
        typer.echo(result.model_dump_json(indent=2))
        return
    folder = Path(result.job["output_folder"])
    for output in result.outputs:
        typer.echo(f"{output.kind:16} {folder / output.path}")
    show_findings(result)
    memory = result.peak_memory_bytes / 2**30
    typer.echo(f"{result.method}: {result.seconds:.1f} s, at most {memory:.2f} GiB of memory. Record: {folder / RESULT_FILE}")


def show_findings(result: Result) -> None:
    """Print the numbers of a result, and warn of what it is doubtful of."""
    typer.echo("\n".join(metric_lines(result.metrics)), nl=bool(result.metrics))
    for warning in result.warnings:
        logger.warning("warning: %s", warning)


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
