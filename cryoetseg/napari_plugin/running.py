"""Running a method on an opened tomogram as a program of its own, told step by step; no Qt in here."""
from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List

from ..core.runtime.errors import JobError
from ..core.runtime.job import JOB_FILE, InputFile, Job, write_job

PERCENT = re.compile(r"(\d{1,3})%\|")
METHODS = ("pick-dog", "segment-slabs")  # methods that need nothing but a tomogram
LINES_KEPT = 20


def job_of(method: str, tomogram: str, voxel_size: float, contrast: str, parameters: str, folder: str) -> Job:
    """The job; ``parameters`` is ``name=value`` separated by commas or new lines. Raises :class:`JobError` for anything else."""
    given: Dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in re.split(r"[,\n]", parameters))):
        name, equals, value = part.partition("=")
        if not equals:
            raise JobError(f"parameter '{part}'", "name=value", "separate several by commas")
        given[name.strip()] = value.strip()
    item = InputFile(path=str(Path(tomogram).absolute()), voxel_size=voxel_size, contrast=contrast, tilt_series_id=Path(tomogram).stem)
    return Job(method=method, parameters=given, inputs=[item], output_folder=str(Path(folder).absolute()))


def run_job(job: Job) -> Iterator[int]:
    """Run the job; yields its progress in percent. Raises :class:`JobError` with the program's last words when it fails."""
    folder = Path(job.output_folder)
    folder.mkdir(parents=True, exist_ok=True)
    request = folder / f"napari_{JOB_FILE}"
    write_job(request, job)
    command = [sys.executable, "-m", "cryoetseg.core", str(request)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    words: List[str] = []
    try:
        # progress bars rewrite their line: text mode takes each return as the end of one
        for line in process.stderr:
            percent = PERCENT.search(line)
            if percent:
                yield min(100, int(percent[1]))
            elif line.strip():
                words = [*words[-LINES_KEPT:], line.strip()]
        code = process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
    if code:
        raise JobError(words[-1] if words else f"{job.method} ended with code {code}")
