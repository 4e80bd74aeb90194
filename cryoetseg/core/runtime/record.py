"""Running a job with its record: time, memory, versions, checksums. A job that is already done is not repeated.

The record of a folder vouches for its files: sizes and checksums of inputs and outputs are in it. It is written last, and set aside before
the first file of another run is written.
"""
from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from .checksums import checksum, total_bytes
from .errors import CryoetsegError, InputError, JobError, OutputError
from .files import writing_by
from .job import JOB_FILE, RESULT_FILE, Job, MethodOutcome, Output, Result, model_folder, read_result, write_job, write_result
from .ledger import Ledger, is_outside
from .lock import folder_lock
from .provenance import making
from .temporary import LOCK, remove_parts

logger = logging.getLogger(__name__)
RECORDED_PACKAGES = ("cryoetseg", "numpy", "scipy", "scikit-image", "torch", "diffusers", "mrcfile", "starfile")
PREVIOUS_FILE = "result.previous.json"  # the record of the run before, while another one writes
PENDING_FILE = "result.pending.json"  # all is computed; figures and lists are not made yet
RECORDS = (JOB_FILE, RESULT_FILE, PREVIOUS_FILE, PENDING_FILE)
SAMPLES = ("tomogram", "grand_model")  # roles of inputs that a run makes results of, each its own
ENDED_BY, TIME_LIMIT = "ended_by", "time limit"


class Inputs(NamedTuple):
    """What a run works on: its job, and the SHA-256 of all inputs by path."""

    job: Job
    sha256: Mapping[str, str]


Method = Callable[[Job], MethodOutcome]
Finish = Callable[[Result], Result]
_inputs: ContextVar[Inputs | None] = ContextVar("inputs", default=None)
_overwrite: ContextVar[bool] = ContextVar("overwrite", default=False)


def recorded_run(job: Job, method: Method, finish: Finish | None = None, *, overwrite: bool = False, files: Iterable[str] = (),
                 published: Iterable[Path] = ()) -> Result:
    """Run ``method`` on ``job`` and write ``job.json`` and ``result.json`` into its output folder.

    When the folder holds the result of the identical job, with all its outputs as they were written, that result is returned and nothing
    runs. ``finish`` makes what belongs to a result (figures, lists) and returns it completed; the record is written after it.
    ``files`` are files and folders that parameters name: they count as inputs. ``published`` are files outside of the output folder that
    ``finish`` may write. Files that no run in this folder made are overwritten only with ``overwrite``. Raises
    :class:`FolderBusyError` when another run is working in the folder.
    """
    inputs = input_checksums(job, files)
    if not _is_first_process():
        return _stored(job, inputs)[0] or _unrecorded(job, method, inputs)
    folder, overwrite = Path(job.output_folder), overwrite or _overwrite.get()
    with writing_by(None), folder_lock(folder):
        remove_parts(folder, alone=True, stop_at=LOCK)
        result, kept_as = _stored(job, inputs)
        ledger = Ledger(folder, _known_outputs(folder), lambda: _set_aside(folder, job), overwrite=overwrite, published=published,
                        samples=[item.path for item in job.inputs if item.role in SAMPLES])
        ledger.check_published({(output.path, output.sha256) for output in _outputs_before(folder)})
        if result is not None:
            logger.info("%s is already done in %s", job.method, folder)
            return _completed(result, kept_as, finish, ledger)
        return _run(job, method, finish, inputs, ledger)


def _run(job: Job, method: Method, finish: Finish | None, inputs: dict[str, str], ledger: Ledger) -> Result:
    tokens = _inputs.set(Inputs(job, inputs)), _overwrite.set(ledger.overwrite)
    start = time.monotonic()
    try:
        with writing_by(ledger), making(job.method, inputs):
            outcome = method(job)
        if not ledger.begun:
            _set_aside(ledger.folder, job)
        result = _result(job, outcome, inputs, start)
        write_result(ledger.folder / PENDING_FILE, _sealed(result, ledger.folder))
    except BaseException:
        _give_back(ledger)
        raise
    finally:
        _inputs.reset(tokens[0])
        _overwrite.reset(tokens[1])
    return _completed(result, PENDING_FILE, finish, ledger, start)


def _unrecorded(job: Job, method: Method, inputs: dict[str, str]) -> Result:
    """The run as a process sees it beside which the first one writes."""
    token, start = _inputs.set(Inputs(job, inputs)), time.monotonic()
    try:
        return _result(job, method(job), inputs, start)
    finally:
        _inputs.reset(token)


def _completed(result: Result, kept_as: str, finish: Finish | None, ledger: Ledger, start: float | None = None) -> Result:
    """Make what belongs to the result, write the record, remove the earlier ones."""
    ledger.begun = True  # what is added to a result does not begin a new one
    with writing_by(ledger):
        completed = finish(result) if finish is not None else result
    if completed == result and kept_as == RESULT_FILE:
        return result
    if start is not None:
        completed = completed.model_copy(update={"seconds": round(time.monotonic() - start, 3), "peak_memory_bytes": peak_memory_bytes()})
    completed = _sealed(completed, ledger.folder)
    write_result(ledger.folder / RESULT_FILE, completed)
    ledger.note_results(output.path for output in completed.outputs)
    for name in (PENDING_FILE, PREVIOUS_FILE):
        (ledger.folder / name).unlink(missing_ok=True)
    return completed


def _result(job: Job, outcome: MethodOutcome, inputs: dict[str, str], start: float) -> Result:
    return Result(
        method=job.method, job=job.model_dump(), outputs=outcome.outputs, metrics=outcome.metrics, warnings=outcome.warnings,
        seconds=round(time.monotonic() - start, 3), peak_memory_bytes=peak_memory_bytes(), device=job.device,
        versions=versions(), sha256=inputs, command=[sys.executable, *sys.orig_argv[1:]], working_folder=os.getcwd(),
    )


def _sealed(result: Result, folder: Path) -> Result:
    """The result with size and checksum of every output."""
    outputs = [output.model_copy(update={"size": total_bytes(folder / output.path), "sha256": checksum(folder / output.path)})
               for output in result.outputs]
    return result.model_copy(update={"outputs": outputs})


# --------------------------- records of before -----------------------------
def _set_aside(folder: Path, job: Job) -> None:
    """From now on files of ``folder`` change: what vouched for them must not do so any longer."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in RECORDS:
        if (folder / name).is_dir():
            raise OutputError(f"{folder / name} is a folder, and the record of this run is to have that name",
                              "an output folder without it", "choose another output folder")
    (folder / PENDING_FILE).unlink(missing_ok=True)
    if (folder / RESULT_FILE).exists():
        os.replace(folder / RESULT_FILE, folder / PREVIOUS_FILE)
    write_job(folder / JOB_FILE, job)


def _give_back(ledger: Ledger) -> None:
    """After a failure the earlier record counts again, unless this run wrote one of its files."""
    previous = _read(ledger.folder / PREVIOUS_FILE)
    if previous is None or (ledger.folder / RESULT_FILE).exists():
        return
    if not ledger.touched & {os.path.normpath(output.path) for output in previous.outputs}:
        os.replace(ledger.folder / PREVIOUS_FILE, ledger.folder / RESULT_FILE)
        write_job(ledger.folder / JOB_FILE, Job(**previous.job))


def _known_outputs(folder: Path) -> list[str]:
    return [*RECORDS, *(output.path for output in _outputs_before(folder))]


def _outputs_before(folder: Path) -> list[Output]:
    records = (_read(folder / name) for name in (RESULT_FILE, PREVIOUS_FILE, PENDING_FILE))
    return [output for record in records if record is not None for output in record.outputs]


def finished_result(job: Job, files: Iterable[str] = ()) -> Result | None:
    """The stored result of the identical job, if inputs and outputs are as they were and no time limit ended it."""
    result, kept_as = _stored(job, input_checksums(job, files))
    return result if kept_as == RESULT_FILE else None


def _stored(job: Job, inputs: dict[str, str]) -> tuple[Result | None, str]:
    """The record that vouches for the identical job, and its file; none where there is none."""
    folder = Path(job.output_folder)
    for name in (RESULT_FILE, PENDING_FILE, PREVIOUS_FILE):
        result = _read(folder / name)
        if result is not None and result.job == job.model_dump() and result.sha256 == inputs and _is_whole(result, folder):
            return (None, "") if result.metrics.get(ENDED_BY) == TIME_LIMIT else (result, name)
    return None, ""


def _read(path: Path) -> Result | None:
    if not path.is_file():
        return None
    try:
        return read_result(path)
    except JobError as error:
        logger.warning("%s", error)
        return None


def _is_whole(result: Result, folder: Path) -> bool:
    inside = (output for output in result.outputs if not is_outside(output.path))  # what was published elsewhere is its owner's
    for output in inside:
        if not _is_unchanged(output, folder / output.path):
            logger.info("%s is not what %s made any longer", folder / output.path, result.method)
            return False
    return True


def _is_unchanged(output: Output, path: Path) -> bool:
    """Whether a file is the one of the record; records of earlier versions know no sizes."""
    try:
        return path.exists() and (output.size is None or (total_bytes(path) == output.size and checksum(path) == output.sha256))
    except (OSError, CryoetsegError):
        return False


# --------------------------- inputs ----------------------------------------
def input_checksums(job: Job, files: Iterable[str] = ()) -> dict[str, str]:
    """SHA-256 of all inputs, files and folders, by path; raises :class:`InputError` for one that does not exist."""
    checksums = {}
    for name in [*(item.path for item in job.inputs), *files]:
        path = Path(name)
        if not path.exists():
            raise InputError(f"input {name} does not exist", "an existing file", "check the path")
        checksums[name] = checksum(model_folder(path) if path.is_dir() else path)
    return checksums


def current_inputs() -> Inputs | None:
    """Job and checksums of the run that is going on; None outside of a recorded run."""
    return _inputs.get()


def _is_first_process() -> bool:
    """Whether this is the process that writes; ``accelerate launch`` starts several on one job."""
    return int(os.environ.get("WORLD_SIZE") or 1) <= 1 or int(os.environ.get("RANK") or 0) == 0


def peak_memory_bytes() -> int:
    """Largest resident memory of this program so far."""
    try:
        # getrusage would also count what the process that started this program held: Linux carries it over
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):  # no Linux
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak if sys.platform == "darwin" else peak * 1024)


def versions() -> dict[str, str]:
    """Versions of the interpreter and of the packages that shape results."""
    found = {"python": sys.version.split()[0]}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
