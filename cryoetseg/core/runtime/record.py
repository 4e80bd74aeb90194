"""Running a job with its record: time, memory, versions, checksums. A job that is already done is not repeated."""
from __future__ import annotations

import logging
import resource
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from .errors import InputError, JobError
from .files import sha256
from .job import JOB_FILE, MODEL_CARD, RESULT_FILE, Job, MethodOutcome, Result, model_folder, read_result, write_job, write_result
from .provenance import making

logger = logging.getLogger(__name__)
RECORDED_PACKAGES = ("cryoetseg", "numpy", "scipy", "scikit-image", "torch", "diffusers", "mrcfile", "starfile")


def recorded_run(job: Job, method: Callable[[Job], MethodOutcome]) -> Result:
    """Run ``method`` on ``job`` and write ``job.json`` and ``result.json`` into its output folder.

    When the folder holds the result of the identical job, with all its outputs, that result is returned and nothing runs.
    """
    folder = Path(job.output_folder)
    finished = finished_result(job)
    if finished is not None:
        logger.info("%s is already done in %s", job.method, folder)
        return finished
    inputs = _input_checksums(job)
    write_job(folder / JOB_FILE, job)
    start = time.monotonic()
    with making(job.method, inputs):
        outcome = method(job)
    result = Result(
        method=job.method, job=job.model_dump(), outputs=outcome.outputs, metrics=outcome.metrics, warnings=outcome.warnings,
        seconds=round(time.monotonic() - start, 3), peak_memory_bytes=peak_memory_bytes(), device=job.device,
        versions=versions(), sha256=inputs, command=sys.argv,
    )
    write_result(folder / RESULT_FILE, result)
    return result


def finished_result(job: Job) -> Result | None:
    """The stored result of the identical job, if all its outputs are still there."""
    folder = Path(job.output_folder)
    if not (folder / RESULT_FILE).is_file():
        return None
    try:
        result = read_result(folder / RESULT_FILE)
    except JobError as error:
        logger.warning("%s", error)
        return None
    unchanged = result.job == job.model_dump() and result.sha256 == _input_checksums(job)
    complete = all((folder / output.path).exists() for output in result.outputs)
    return result if unchanged and complete else None


def _input_checksums(job: Job) -> dict[str, str]:
    checksums = {}
    for item in job.inputs:
        path = Path(item.path)
        if not path.exists():
            raise InputError(f"input {item.path} does not exist", "an existing file", "check the path")
        described = model_folder(path) / MODEL_CARD if path.is_dir() else path  # the card tells the weights
        if described.is_file():
            checksums[item.path] = sha256(described)
    return checksums


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
