"""``cryoetseg pick``: particle positions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, TomogramArgument, TomogramsArgument, VoxelSizeOption, with_settings
from .running import build_job, input_file, model_file, run_and_show

app = command_group("Pick particles.")


@app.command(cls=SectionedCommand)
@with_settings("pick-dog")
def dog(
    tomogram: TomogramArgument,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FOLDER|FILE", help="Folder of the results, or a particle file (.star, .csv, .tbl, ...).", show_default=False
        ),
    ],
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Pick particles with a difference of Gaussians: fast, no training, all sizes near one diameter."""
    folder = out.with_suffix("") if out.suffix else out
    job = build_job("pick-dog", [input_file(tomogram, voxel_size=voxel_size, contrast=contrast)], folder, settings)
    result = run_and_show(job, settings)
    if out.suffix:
        _convert(folder / result.outputs_of("particles")[0].path, out)


@app.command(cls=SectionedCommand)
@with_settings("pick-deepet")
def deepet(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help='Folder that "train picker" wrote, or name of a shipped model.', show_default=False)
    ],
    tomograms: TomogramsArgument,
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Pick particles with a trained DeepETPicker. Writes NAME_particles.star for each tomogram, with scores."""
    inputs = [input_file(path, voxel_size=voxel_size, contrast=contrast) for path in tomograms]
    run_and_show(build_job("pick-deepet", [model_file(model, "picker"), *inputs], out, settings), settings)


def _convert(source: Path, target: Path) -> None:
    from ..particles.formats import read_particles, write_particles

    write_particles(read_particles(source), target)
