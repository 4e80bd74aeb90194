"""Simulating tomograms as a job: several at once, each with its files; those that the folder holds already are kept."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..runtime.checksums import checksum
from ..runtime.device import choose_device
from ..runtime.files import check_permit, read_json
from ..runtime.job import InputFile, Job, MethodOutcome
from ..runtime.params import parameters_from
from ..runtime.progress import track
from ..runtime.provenance import making
from ..runtime.workers import in_processes, processes_that_fit
from .apply import simulate
from .maps import load_templates
from .output import Description, files_of, outputs_of, write_tomogram, written_record
from .params import SimulateParameters, SimulationParameters

BYTES_A_VOXEL, BYTES_BESIDE = 100, 400e6  # memory of a process
WORTH_A_PROCESS = 5e6  # voxels: it starts in the time that some of these take
MOST_ON_A_GPU = 4


class _Task(NamedTuple):
    """One tomogram of a job. ``checksums`` are the SHA-256 of the templates by path."""

    parameters: SimulationParameters
    seed: int
    templates: tuple[InputFile, ...]
    checksums: Mapping[str, str]
    folder: Path
    method: str
    device: str

    def is_written(self) -> bool:
        """Whether the folder holds this tomogram whole."""
        return written_record(self.folder, self.parameters, self.seed, self.described_templates()) is not None

    def described_templates(self) -> list[Description]:
        """What a tomogram owes to the templates given: wherever they lie, the same ones give the same."""
        return [{"name": Path(item.path).name, "contrast": item.contrast, "voxel_size": item.voxel_size,
                 "sha256": self.checksums[item.path]}
                for item in self.templates]


def run(job: Job) -> MethodOutcome:
    """Simulate ``count`` tomograms; inputs with the role ``template`` are added to the library. Tomogram i has the seed ``seed + i``.

    The result does not depend on the number of processes. What an earlier run of the same job left whole is kept.
    """
    p = parameters_from(SimulateParameters, job.parameters)
    tasks = _tasks(p, job)
    load_templates(job.inputs_of("template"), p.voxel_size)  # what is wrong with them is told before anything is simulated
    missing = [task for task in tasks if not task.is_written()]
    for task in missing:
        for name in files_of(task.parameters):
            check_permit(task.folder / name)
    made = in_processes(_make, missing, _processes(p, len(missing), job.device))
    for _ in track(made, "tomograms", total=len(missing)):
        pass
    return _outcome(tasks)


def _tasks(p: SimulateParameters, job: Job) -> list[_Task]:
    values = {name: getattr(p, name) for name in SimulationParameters.model_fields}
    names = [p.name] if p.count == 1 else [f"{p.name}_{number + 1:03d}" for number in range(p.count)]
    templates = tuple(job.inputs_of("template"))
    checksums = {item.path: checksum(item.path) for item in templates}
    return [_Task(SimulationParameters(**{**values, "name": name, "count": 1}), job.seed + number, templates, checksums,
                  Path(job.output_folder), job.method, job.device) for number, name in enumerate(names)]


def _processes(p: SimulateParameters, tomograms: int, device: str) -> int:
    voxels = p.size_z * p.size_y * p.size_x
    fit = processes_that_fit(p.processes, BYTES_BESIDE + BYTES_A_VOXEL * voxels)
    if p.processes:
        return fit
    most = MOST_ON_A_GPU if choose_device(device).type != "cpu" else fit
    return min(fit, most, int(tomograms * voxels / WORTH_A_PROCESS) or 1)


def _make(task: _Task) -> None:
    """Simulate and write one tomogram; whoever runs the job has seen that its files may be written."""
    extra = load_templates(task.templates, task.parameters.voxel_size)
    with making(task.method, task.checksums):
        write_tomogram(simulate(task.parameters, task.seed, extra, task.device), task.folder, task.described_templates())


def _outcome(tasks: list[_Task]) -> MethodOutcome:
    outcome = MethodOutcome()
    for task in tasks:
        name, record = task.parameters.name, read_json(task.folder / files_of(task.parameters)[-1])
        outcome.outputs += outputs_of(task.parameters)
        numbers = record["number_of_particles"]
        outcome.metrics[name] = {"snr": record["snr"], "projection_snr": record["projection_snr"], "particles": sum(numbers.values()),
                                 "occupancy": record["occupancy"]}
        absent = [kind for kind, count in numbers.items() if count == 0]
        if absent:
            outcome.warnings.append(f"{name}: no {', '.join(absent)}: too few, too large or too small for this volume and voxel size")
    return outcome
