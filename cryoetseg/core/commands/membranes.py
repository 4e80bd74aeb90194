"""``cryoetseg membranes``: membranes as objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.job import InputFile
from .help import SectionedCommand, command_group
from .options import FolderOption, Settings, TiltSeriesIdOption, VoxelSizeOption, with_settings
from .running import build_job, input_file, input_files, run_and_show

app = command_group("Membranes as objects: measures, points with normals on them, distances of particles to them.")

MasksArgument = Annotated[
    list[Path], typer.Argument(metavar="MASK...", help="Masks of membranes, above 0 where membrane is.", show_default=False)
]
TomogramOption = Annotated[
    Optional[list[Path]],
    typer.Option("--tomogram", metavar="FILE", help="Its tomogram, drawn below the membranes; repeat in the order of masks.",
                 show_default=False),
]


@app.command(cls=SectionedCommand)
@with_settings("measure-membranes")
def measure(
    masks: MasksArgument, out: FolderOption, tomogram: TomogramOption = None, voxel_size: VoxelSizeOption = None,
    tilt_series_id: TiltSeriesIdOption = None, *, settings: Settings,
) -> None:
    """Label and measure each membrane: area, length, thickness, curvature, volume. Writes NAME_instances.mrc, NAME_measures.csv, meshes."""
    run_and_show(build_job("measure-membranes", _inputs(masks, voxel_size, tilt_series_id, tomogram), out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("membrane-points")
def points(
    masks: MasksArgument, out: FolderOption, voxel_size: VoxelSizeOption = None, tilt_series_id: TiltSeriesIdOption = None, *,
    settings: Settings,
) -> None:
    """Spread points over the membranes, each with the Euler angles of the normal. Writes NAME_points.star (or another format)."""
    run_and_show(build_job("membrane-points", _inputs(masks, voxel_size, tilt_series_id), out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("membrane-distance")
def distance(
    masks: MasksArgument, out: FolderOption,
    particles: Annotated[list[Path], typer.Option("--particles", metavar="FILE", help="A particle list; repeat for several.",
                                                  show_default=False)],
    voxel_size: VoxelSizeOption = None, tilt_series_id: TiltSeriesIdOption = None, *, settings: Settings,
) -> None:
    """Tell for each particle how far the nearest membrane is, and on which side. Writes distances.csv and particles.star."""
    lists = [input_file(path, "particles") for path in particles]
    run_and_show(build_job("membrane-distance", _inputs(masks, voxel_size, tilt_series_id) + lists, out, settings), settings)


def _inputs(masks: list[Path], voxel_size: Optional[float], ids: Optional[list[str]],
            tomograms: Optional[list[Path]] = None) -> list[InputFile]:  # fmt: skip
    return input_files(masks, "mask", voxel_size, ids=ids) + [input_file(path) for path in tomograms or []]
