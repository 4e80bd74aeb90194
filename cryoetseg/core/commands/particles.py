"""``cryoetseg particles``: what kinds of particles a list holds, and some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, TiltSeriesIdOption, TomogramsArgument, VoxelSizeOption, with_settings
from .pick import _list_formats, published_list
from .running import build_job, destination, input_file, input_files, run_and_show

app = command_group("Particle lists: clusters of alike particles, likeness to examples, selections.")

ListsOption = Annotated[
    list[Path], typer.Option("--particles", metavar="FILE", help="A particle list; repeat for several.", show_default=False)
]


@app.command(cls=SectionedCommand)
@with_settings("cluster-particles")
def cluster(
    tomograms: TomogramsArgument,
    particles: ListsOption,
    out: FolderOption,
    like: Annotated[
        Optional[list[Path]],
        typer.Option("--like", metavar="FILE", help="A list of a few examples: ranked.star holds all particles, the most alike first.",
                     show_default=False),
    ] = None,
    mask: Annotated[
        Optional[list[Path]],
        typer.Option("--mask", metavar="FILE", help="A membrane mask of a tomogram, by its name; tells the share near membranes.",
                     show_default=False),
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Cluster particles without labels. Writes particles.star with classes, averages, picks.csv, clusters.csv, map and gallery."""
    inputs = input_files(tomograms, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    inputs += [input_file(path, "particles") for path in particles] + [input_file(path, "like") for path in like or []]
    inputs += [input_file(path, "mask") for path in mask or []]
    run_and_show(build_job("cluster-particles", inputs, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("select-particles")
def select(
    lists: Annotated[list[Path], typer.Argument(metavar="LIST...", help="Particle lists with classes.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER|FILE", help="Folder, or a particle file (.star, .csv, .tbl, ...).", show_default=False)
    ],
    *,
    settings: Settings,
) -> None:
    """Keep the particles of some classes, for example of clusters 2 and 5: --clusters 2,5."""
    folder, file = destination(out, _list_formats())
    job = build_job("select-particles", [input_file(path, "particles") for path in lists], folder, settings)
    run_and_show(job, settings, None if file is None else published_list(file))
