"""``cryoetseg pipeline``: from tomograms without labels to masks, coordinates and a report, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..runtime.errors import ParameterError
from ..runtime.files import read_json
from ..runtime.job import InputFile
from .help import SectionedCommand, command_group
from .options import (
    SLICE_FIELDS,
    ContrastOption,
    FolderOption,
    Settings,
    TiltSeriesIdOption,
    VoxelSizeOption,
    chosen_slices,
    with_settings,
)
from .running import build_job, input_files, run_and_show

app = command_group()
METHOD = "pipeline"
TomogramsArgument = Annotated[
    list[Path], typer.Argument(metavar="TOMOGRAM...", help="Tomograms; the first ones give the pseudo-labels.", show_default=False)
]
RangeOption = Annotated[
    str, typer.Option("--z", metavar="A:B|auto", help="Slices that give pseudo-labels, counted from 0; B is not included. auto: those "
                      "that hold the sample, found in each tomogram; membranes are sought there alone.", show_default="the middle")
]  # fmt: skip
MasksOption = Annotated[
    Optional[list[Path]],
    typer.Option("--truth-mask", metavar="FILE", help="True membrane masks, in the order of the tomograms: scores go into the report.",
                 show_default=False),
]  # fmt: skip
ListsOption = Annotated[
    Optional[list[Path]],
    typer.Option("--truth-particles", metavar="FILE", help="True particle lists, in the order of the tomograms.", show_default=False),
]
StepsOption = Annotated[
    Optional[Path],
    typer.Option("--steps", metavar="FILE", help='JSON file with parameters of single steps: {"train-picker": {"epochs": 30}, ...}.',
                 show_default=False),
]  # fmt: skip


@app.command(cls=SectionedCommand)
@with_settings(METHOD, without=(*SLICE_FIELDS, "steps"))
def pipeline(
    tomograms: TomogramsArgument,
    out: FolderOption,
    z: RangeOption = "",
    truth_mask: MasksOption = None,
    truth_particles: ListsOption = None,
    steps: StepsOption = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Segment membranes and pick particles in tomograms without labels: pseudo-labels, students, results, report.

    Writes NAME_membranes.mrc and NAME_particles.star for each tomogram, report.html and result.json. Interrupted, it goes on where
    it was when the same command is given again.
    """
    inputs = input_files(tomograms, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    inputs += [*_truths(inputs, truth_mask, "truth_mask"), *_truths(inputs, truth_particles, "truth_particles")]
    preset = settings.parameters.get("steps", {})
    job = build_job(METHOD, inputs, out, settings, **chosen_slices(z), steps=_merged(preset, {} if steps is None else read_json(steps)))
    run_and_show(job, settings)


def _merged(preset: dict[str, Any], given: Any) -> dict[str, Any]:
    """The parameters of single steps by a preset, and in their place those that were given; raises :class:`ParameterError`."""
    if not isinstance(given, dict) or not all(isinstance(values, dict) for values in given.values()):
        raise ParameterError("--steps holds something else", 'a JSON object of objects: {"train-picker": {"epochs": 30}}')
    return {name: {**preset.get(name, {}), **given.get(name, {})} for name in {**preset, **given}}


def _truths(tomograms: list[InputFile], files: Optional[list[Path]], role: str) -> list[InputFile]:
    if not files:
        return []
    if len(files) > len(tomograms):
        raise ParameterError(f"{len(files)} files for --{role.replace('_', '-')}, {len(tomograms)} tomograms", "at most one for each")
    return [InputFile(path=str(file.absolute()), role=role, tilt_series_id=tomogram.tilt_series_id)
            for tomogram, file in zip(tomograms, files)]
