"""The recipe of Vox-UDA's source: simulated subtomograms of a few molecules at two signal-to-noise ratios, crowded and shifted (spec B2).

On the roof, because it joins two methods: the simulator makes what Vox-UDA learns from.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .runtime.errors import ParameterError
from .runtime.job import InputFile, Job
from .runtime.params import Parameters, parameter
from .runtime.record import recorded_run
from .simulation import subtomograms
from .simulation.params import SubtomogramParameters


class SourceParameters(Parameters):
    """The simulated source of a Vox-UDA training."""

    count: int = parameter(300, "Number of simulated subtomograms, over all signal-to-noise ratios.", ge=2, published=3000)
    particles: str = parameter(
        "rubisco, beta_galactosidase, thyroglobulin", "Macromolecules of the source: built-in ones, or 'none' with templates.",
        published="PDB 1bxn, 1f1b and 1yg6")
    snrs: str = parameter("0.03,0.05", "Signal-to-noise ratios of the source.", published="0.03,0.05")
    size: int = parameter(32, "Side of a subtomogram.", unit="voxels", ge=16, le=128)
    voxel_size: float = parameter(10.0, "Voxel size.", unit="A", ge=2, le=64, published=10)


def write_source(folder: Path, parameters: SourceParameters, templates: Sequence[InputFile] = (), seed: int = 0) -> list[InputFile]:
    """Simulate the source with its masks where ``folder`` does not hold it yet; returns the inputs of the training job."""
    ratios = _ratios(parameters.snrs)
    inputs = []
    for number, snr in enumerate(ratios):
        share = parameters.count // len(ratios) + (number < parameters.count % len(ratios))
        if share == 0:
            continue
        settings = SubtomogramParameters(name=f"snr{snr:g}".replace(".", "p"), count=share, particles=parameters.particles, snr=snr,
                                         size=parameters.size, voxel_size=parameters.voxel_size)
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
