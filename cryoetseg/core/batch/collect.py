"""What all jobs of a batch made, in one table, and their particles in one list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ..runtime.errors import JobError
from ..runtime.files import atomic_path
from ..runtime.job import Result, read_result
from .ledger import DONE, Ledger
from .plan import read_plan
from .survey import Standing, counts, result_path, survey

TABLE_FILE, PARTICLES_FILE = "table.csv", "particles.star"
OWN_COLUMNS = ("number", "name", "method", "state", "seconds", "memory_gb", "device", "seed", "folder")


class Collected(NamedTuple):
    """The files written, and how many jobs and particles they hold; several lists where voxel sizes differ, none where nobody picked."""

    table: Path
    lists: list[Path]
    jobs: int
    particles: int


def collect(folder: Path, out: Path, partial: bool = False) -> Collected:
    """Write ``table.csv``, a row a job, and ``particles.star``, all particles of all tomograms, into ``out``;
    one list for each voxel size where these differ.

    Raises :class:`JobError` unless every job is done, or with ``partial`` at least one.
    """
    standings = survey(read_plan(folder), Ledger(folder))
    results = [(item, _result(item)) for item in standings]
    done = [result for _, result in results if result is not None]
    missing = [item.planned for item, result in results if result is None and result_path(item.planned) is not None]
    if not done or (missing and not partial):
        states = ", ".join(f"{count} {state}" for state, count in counts(standings).items() if count)
        raise JobError(f"{len(missing)} of {len(standings)} jobs have no result yet ({states}), the first is {missing[0].number}",
                       "a batch whose jobs are all done", "wait, or mend and retry, or give --partial for those that are done")  # fmt: skip
    table = _write_table(out / TABLE_FILE, results)
    lists, count = _write_particles(out, done)
    return Collected(table, lists, len(done), count)


def _result(item: Standing) -> Optional[Result]:
    path = result_path(item.planned)
    return read_result(path) if item.state == DONE and path is not None and path.is_file() else None


def _write_table(path: Path, results: Sequence[tuple[Standing, Optional[Result]]]) -> Path:
    import pandas

    rows = [_row(item, result) for item, result in results]
    columns = [*OWN_COLUMNS, *dict.fromkeys(name for row in rows for name in row if name not in OWN_COLUMNS)]
    with atomic_path(path) as part:
        pandas.DataFrame(rows, columns=columns).to_csv(part, index=False)
    return path


def _row(item: Standing, result: Optional[Result]) -> dict[str, Any]:
    job = item.planned.job
    row: dict[str, Any] = {"number": item.planned.number, "name": item.planned.name, "method": job.method, "state": item.state,
                           "seed": job.seed, "folder": job.output_folder}  # fmt: skip
    if result is None:
        return row
    measured = {name: value for name, value in result.metrics.items() if isinstance(value, (bool, int, float, str))}
    files = {f"file_{output.kind}": str(Path(job.output_folder) / output.path) for output in result.outputs if output.kind != "figure"}
    return {**measured, **files, **row, "seconds": result.seconds, "memory_gb": round(result.peak_memory_bytes / 1e9, 3),
            "device": result.device}  # fmt: skip


def _write_particles(out: Path, results: Sequence[Result]) -> tuple[list[Path], int]:
    """One list, or one for each voxel size: the coordinates of a list count voxels of one size."""
    from ..particles.formats import read_particles, write_particles
    from ..particles.table import ParticleTable, concatenate

    groups: dict[str, list[ParticleTable]] = {}
    for result in results:
        for output in result.outputs_of("particles"):
            table = read_particles(Path(result.job["output_folder"]) / output.path, tilt_series_id=output.tilt_series_id)
            size = f"{table.voxel_size:.3f}" if table.voxel_size_is_known else ""
            groups.setdefault(size, []).append(table)
    found = {size: tables for size, tables in groups.items() if any(map(len, tables))} or groups
    paths = []
    for size, tables in found.items():
        path = out / (f"particles_{size}A.star" if len(found) > 1 else PARTICLES_FILE)
        write_particles(concatenate([table for table in tables if len(table)] or tables[:1]), path)
        paths.append(path)
    return paths, sum(len(table) for tables in found.values() for table in tables)
