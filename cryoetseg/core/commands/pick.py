"""``cryoetseg pick``: particle positions."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Annotated

import typer

from .help import SectionedCommand, command_group
from .options import (
    ContrastOption,
    FolderOption,
    Settings,
    TiltSeriesIdOption,
    TomogramArgument,
    TomogramsArgument,
    VoxelSizeOption,
    with_settings,
)
from .running import Published, build_job, destination, input_files, model_file, run_and_show

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
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Pick particles with a difference of Gaussians: fast, no training, all sizes near one diameter."""
    folder, file = destination(out, _list_formats())
    job = build_job("pick-dog", input_files([tomogram], voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id), folder, settings)
    run_and_show(job, settings, None if file is None else published_list(file))


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
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Pick particles with a trained DeepETPicker. Writes NAME_particles.star for each tomogram, with scores."""
    inputs = input_files(tomograms, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    run_and_show(build_job("pick-deepet", [model_file(model, "picker"), *inputs], out, settings), settings)


def _list_formats() -> Container[str]:
    from ..particles.formats import SUFFIXES

    return SUFFIXES


def published_list(file: Path) -> Published:
    """The particles as a list under the user's name, with the numbers of tomograms beside it where its format knows no names."""
    from ..particles.formats import NUMBERED, SUFFIXES, read_particles, write_particles
    from ..particles.numbers_file import beside

    numbers = beside(file) if SUFFIXES[file.suffix.lower()] in NUMBERED else None
    return Published(file, "particles", lambda source, target: write_particles(read_particles(source), target), numbers)
