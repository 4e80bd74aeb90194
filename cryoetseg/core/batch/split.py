"""From what a user asks for to the jobs of a batch: one for each tomogram, seed, part of a chain or job file."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from ..methods import method, stages_of
from ..runtime.errors import InputError, JobError, ParameterError
from ..runtime.job import JOB_FILE, InputFile, Job, read_job
from ..volumes.io import FORMATS
from .plan import PlannedJob

GLOB_CHARACTERS = set("*?[")
ZARR = ".zarr"


def jobs_of(job: Job, seeds: tuple[int, int] | None = None) -> list[PlannedJob]:
    """The jobs that do ``job`` together, in folders below its own: one for each seed of [first, last), each part of a chain, or each
    input that is independent of the others; else the job itself. Raises :class:`ParameterError` or :class:`InputError`."""
    if seeds is not None:
        return _by_seed(job, seeds)
    whole = job.model_copy(update={"inputs": expanded(job.inputs)})
    return _by_input(whole) or _by_part(whole) or [_planned(1, job.method, whole)]


def jobs_in(paths: Sequence[Path]) -> list[PlannedJob]:
    """The jobs of job files and of folders that hold them as ``NAME.json`` or ``NAME/job.json``, each job once, in their order.

    Records that jobs left in their own output folders are no further jobs.
    """
    files = [file for path in paths for file in ([path] if path.is_file() else _job_files(path))]
    jobs: dict[str, tuple[str, Job]] = {}
    for file in files:
        job = read_job(file)
        name = file.parent.name if file.name == JOB_FILE else file.stem
        other = jobs.setdefault(str(Path(job.output_folder).absolute()), (name, job))[1]
        if other != job:
            raise JobError(f"{file} and another job file write into {job.output_folder}", "a folder for each job")
    return [_planned(number, name, job) for number, (name, job) in enumerate(jobs.values(), start=1)]


def _job_files(folder: Path) -> list[Path]:
    found = [path for path in sorted([*folder.glob("*.json"), *folder.glob(f"*/{JOB_FILE}")]) if _is_job(path)]
    if not found:
        raise JobError(f"no job file in {folder}", f"NAME.json or NAME/{JOB_FILE}")
    return found


def _is_job(path: Path) -> bool:
    try:
        read_job(path)
    except JobError:
        return False
    return True


def expanded(inputs: Sequence[InputFile]) -> list[InputFile]:
    """The inputs, with the volumes of each folder and of each pattern such as ``TS_*/rec.mrc`` in place of it."""
    files: list[InputFile] = []
    for item in inputs:
        paths = _volumes(Path(item.path)) if item.role == "tomogram" else None
        if paths is None:
            files.append(item)
        else:
            files += [item.model_copy(update={"path": str(path), "tilt_series_id": name}) for path, name in zip(paths, names_of(paths))]
    return files


def _volumes(path: Path) -> list[Path] | None:
    """The volumes that a folder or pattern stands for, in alphabetic order; None for a file."""
    if path.suffix.lower() == ZARR or path.is_file():
        return None
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in FORMATS and not file.name.startswith("."))
    elif GLOB_CHARACTERS & set(str(path)):
        found = sorted(map(Path, glob.glob(str(path), recursive=True)))
    else:
        return None
    if not found:
        raise InputError(f"no tomogram in {path}", "a folder or a pattern with " + ", ".join(FORMATS), "check the path")
    return found


def names_of(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its stem, or that of its folder where stems repeat, as in ``TS_01/rec.mrc TS_02/rec.mrc``."""
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return stems
    folders = [path.parent.name for path in paths]
    return folders if len(set(folders)) == len(folders) else [f"{folder}_{stem}" for folder, stem in zip(folders, stems)]


def _distinct(inputs: list[InputFile]) -> list[InputFile]:
    names = [item.tilt_series_id for item in inputs]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise InputError(f"several tomograms are called {', '.join(doubled[:5])}", "one name for each, because results are named by it",
                         "give the folder or a pattern such as 'TS_*/rec.mrc' in quotes: then the folders tell the names")  # fmt: skip
    return inputs


def _by_seed(job: Job, seeds: tuple[int, int]) -> list[PlannedJob]:
    if method(job.method).each:
        raise ParameterError(f"seeds for {job.method}", "methods that make something new with each seed, such as simulate")
    width = len(str(seeds[1] - 1))
    return [_planned(number, f"seed{seed:0{width}d}", job, seed=seed, output_folder=_below(job, f"seed{seed:0{width}d}"))
            for number, seed in enumerate(range(*seeds), start=1)]  # fmt: skip


def _by_input(job: Job) -> list[PlannedJob]:
    """One job for each input that only a model joins to the others; none where inputs belong together."""
    known = method(job.method)
    others = [item for item in job.inputs if item.role != known.each]
    if not known.each or any(item.role != "model" for item in others):
        return []
    return [_planned(index + 1, item.tilt_series_id, job, inputs=[*others, item], output_folder=_below(job, item.tilt_series_id),
                     seed=job.seed + index * known.reseeded)
            for index, item in enumerate(_distinct(job.inputs_of(known.each)))]  # fmt: skip


def _by_part(job: Job) -> list[PlannedJob]:
    """The parts of a chain, those of one stage after all of the stage before; none for other methods. All share one job object."""
    planned: list[PlannedJob] = []
    before: list[int] = []
    for stage in stages_of(job):
        numbers = [len(planned) + 1 + index for index in range(len(stage))]
        planned += [PlannedJob(number=number, name=part, job=job, part=part, after=before) for number, part in zip(numbers, stage)]
        before = numbers
    return planned


def _planned(number: int, name: str, job: Job, **changes: object) -> PlannedJob:
    return PlannedJob(number=number, name=name, job=job.model_copy(update=changes))


def _below(job: Job, name: str) -> str:
    return str(Path(job.output_folder) / name)
