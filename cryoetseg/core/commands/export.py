"""``cryoetseg export``: results for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.errors import InputError
from ..runtime.job import RESULT_FILE, InputFile
from .addresses import resolved
from .help import SectionedCommand, command_group
from .options import FolderOption, Settings, VoxelSizeOption, with_settings
from .running import build_job, input_file, run_and_show

app = command_group("Results for other programs: copick, RELION 5, ChimeraX, OME-Zarr viewers.")

TomogramsArgument = Annotated[
    Optional[list[Path]],
    typer.Argument(metavar="[TOMOGRAM]...", help="Tomograms; or those of --results.", show_default=False),
]
MasksOption = Annotated[
    Optional[list[Path]],
    typer.Option("--mask", metavar="FILE", help="A mask, label volume or probability map; repeat for several.", show_default=False),
]
ParticlesOption = Annotated[
    Optional[list[Path]], typer.Option("--particles", metavar="FILE", help="A particle list; repeat for several.", show_default=False)
]
RelionOption = Annotated[
    Optional[Path],
    typer.Option("--relion", metavar="FILE", help="tomograms.star that RELION 5's centred particle lists belong to.", show_default=False),
]
ResultsOption = Annotated[
    Optional[list[Path]],
    typer.Option("--results", metavar="FOLDER", help="Folder of a run: its tomograms, masks, particles; repeat for several.",
                 show_default=False),
]


@app.command(cls=SectionedCommand)
@with_settings("export-chimerax")
def chimerax(
    tomograms: TomogramsArgument = None, mask: MasksOption = None, particles: ParticlesOption = None, results: ResultsOption = None,
    relion: RelionOption = None, voxel_size: VoxelSizeOption = None, *, out: FolderOption, settings: Settings,
) -> None:
    """Write NAME.cxc, which opens tomogram, masks as surfaces and particles as markers in ChimeraX."""
    inputs = material(tomograms, mask, particles, results, voxel_size) + _relion_list(relion)
    run_and_show(build_job("export-chimerax", inputs, out, settings), settings)


@app.command("ome-zarr", cls=SectionedCommand)
@with_settings("export-ome-zarr")
def ome_zarr(
    tomograms: TomogramsArgument = None, mask: MasksOption = None, results: ResultsOption = None,
    voxel_size: VoxelSizeOption = None, *, out: FolderOption, settings: Settings,
) -> None:
    """Write NAME.zarr: the tomogram with a pyramid of coarser levels, masks as its labels."""
    inputs = material(tomograms, mask, None, results, voxel_size)
    run_and_show(build_job("export-ome-zarr", inputs, out, settings), settings)


def material(
    tomograms: Optional[list[Path]], masks: Optional[list[Path]], particles: Optional[list[Path]], results: Optional[list[Path]],
    voxel_size: Optional[float] = None,
) -> list[InputFile]:
    """Inputs of an export: what is named, and what the runs in the folders ``results`` worked on and made."""
    inputs = [input_file(path, "tomogram", voxel_size) for path in tomograms or []]
    inputs += [input_file(path, "mask").model_copy(update={"tilt_series_id": ""}) for path in masks or []]
    inputs += [input_file(path, "particles") for path in particles or []]
    for folder in results or []:
        inputs += _of_results(folder.absolute(), known={item.path for item in inputs})
    return inputs


def _of_results(folder: Path, known: set[str]) -> list[InputFile]:
    """The tomograms of a run, its masks and particle lists."""
    from ..runtime.job import read_result

    if not (folder / RESULT_FILE).is_file():
        raise InputError(f"{folder} holds no {RESULT_FILE}", "the folder of a finished run", "name its files one by one")
    result = read_result(folder / RESULT_FILE)
    found = [InputFile(**item) for item in result.job["inputs"] if item["role"] == "tomogram"]
    for output in result.outputs:
        role = "particles" if output.kind == "particles" else "mask" if output.kind.endswith("mask") else ""
        role = "tomogram" if output.kind == "tomogram" and not found else role
        if role:
            found.append(InputFile(path=str(folder / output.path), role=role, voxel_size=None, tilt_series_id=output.tilt_series_id))
    return [item for item in found if item.path not in known]


@app.command(cls=SectionedCommand)
@with_settings("export-copick")
def copick(
    tomograms: TomogramsArgument = None, mask: MasksOption = None, particles: ParticlesOption = None, results: ResultsOption = None,
    relion: RelionOption = None, voxel_size: VoxelSizeOption = None, *, out: FolderOption, settings: Settings,
) -> None:
    """Write tomograms, picks and masks into a copick project: that of --project, or a new one in OUT/copick.json."""
    inputs = material(tomograms, mask, particles, results, voxel_size) + _relion_list(relion)
    run_and_show(build_job("export-copick", inputs, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("export-relion")
def relion(
    tomograms: TomogramsArgument = None, particles: ParticlesOption = None, results: ResultsOption = None,
    voxel_size: VoxelSizeOption = None, *,
    project: Annotated[Path, typer.Option("--project", metavar="FILE", help="tomograms.star of the RELION 5 project.", show_default=False)],
    out: FolderOption, settings: Settings,
) -> None:
    """Write particles.star and optimisation_set.star for a RELION 5 project, with its names, optics and centred coordinates.

    Without TOMOGRAM the particles are counted in the tomograms that the project lists.
    """
    if not tomograms and not results:
        tomograms = resolved("tomograms", [project])
    inputs = material(tomograms, None, particles, results, voxel_size) + _relion_list(project)
    run_and_show(build_job("export-relion", inputs, out, settings), settings)


def _relion_list(path: Optional[Path]) -> list[InputFile]:
    return [input_file(path, "relion").model_copy(update={"tilt_series_id": ""})] if path else []
