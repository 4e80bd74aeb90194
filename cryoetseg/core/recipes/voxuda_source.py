"""The recipe of Vox-UDA's source: simulated subtomograms of a few molecules at two signal-to-noise ratios, crowded and shifted (spec B2).

It joins two methods: the simulator makes what Vox-UDA learns from.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..runtime.errors import ParameterError
from ..runtime.job import InputFile, Job, MethodOutcome, Output
from ..runtime.params import parameters_from
from ..runtime.record import recorded_run
from ..simulation import subtomograms
from ..simulation.params import SubtomogramParameters
from ..voxuda.params import SOURCE_IMAGING, VoxUdaSourceParameters

IMAGING = {"size", "voxel_size", *SOURCE_IMAGING} - {"snrs"}  # the same for all; each SNR is a simulation of its own


def run(job: Job) -> MethodOutcome:
    """Simulate a source into the job's folder; inputs with the role ``template`` are its molecules, beside the built-in ones named."""
    p = parameters_from(VoxUdaSourceParameters, job.parameters)
    folder = Path(job.output_folder)
    made = write_source(folder, p, job.inputs_of("template"), job.seed)
    return MethodOutcome(outputs=[Output(kind="subtomograms", path=Path(item.path).name, voxel_size=p.voxel_size) for item in made],
                         metrics={"subtomograms": p.count})


def write_source(folder: Path, parameters: VoxUdaSourceParameters, templates: Sequence[InputFile] = (), seed: int = 0) -> list[InputFile]:
    """Simulate the source with its masks where ``folder`` does not hold it yet; returns the inputs of the training job."""
    ratios = _ratios(parameters.snrs)
    inputs = []
    for number, snr in enumerate(ratios):
        share = parameters.count // len(ratios) + (number < parameters.count % len(ratios))
        if share == 0:
            continue
        settings = SubtomogramParameters(name=f"snr{snr:g}".replace(".", "p"), count=share, particles=parameters.particles, snr=snr,
                                         **parameters.model_dump(include=IMAGING))
        job = Job(method="simulate-subtomograms", parameters=settings.model_dump(), inputs=list(templates),
                  output_folder=str(folder / settings.name), seed=seed + number)
        recorded_run(job, subtomograms.run)
        inputs.append(InputFile(path=job.output_folder, role="source", voxel_size=parameters.voxel_size, contrast=settings.contrast))
    return inputs


def _ratios(text: str) -> list[float]:
    try:
        ratios = [float(part) for part in text.split(",")]
    except ValueError:
        ratios = [0.0]
    if min(ratios) <= 0:
        raise ParameterError(f"signal-to-noise ratios '{text}'", "numbers above 0 with commas", "for example 0.03,0.05")
    return ratios
