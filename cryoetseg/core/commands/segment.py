"""``cryoetseg segment``: masks and candidates from tomograms without labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .help import SectionedCommand, command_group
from .options import (
    SLICE_FIELDS,
    ContrastOption,
    FolderOption,
    Settings,
    TiltSeriesIdOption,
    TomogramArgument,
    TomogramsArgument,
    VoxelSizeOption,
    chosen_slices,
    with_settings,
)
from .running import build_job, input_files, model_file, run_and_show

app = command_group("Segment membranes and particle candidates in a tomogram, without labels.")
METHOD = "segment-slabs"
SLICES = "Slices to segment, counted from 0; B is not included. auto: those that hold the sample, found in each tomogram."
SlicesOption = Annotated[str, typer.Option("--z", metavar="A:B|auto", help=SLICES, show_default="all")]


@app.command(cls=SectionedCommand)
@with_settings(METHOD, without=SLICE_FIELDS)
def slabs(
    tomogram: TomogramArgument,
    z: Annotated[str, typer.Option("--z", metavar="A:B|auto", help=SLICES, show_default=False)],
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Segment slabs of a tomogram with a diffusion model's features: membrane mask and particle candidates.

    Writes NAME_membranes.mrc (int8, size and voxel size of the tomogram), NAME_particles.star (RELION), figures and result.json.
    """
    inputs = input_files([tomogram], voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    job = build_job(METHOD, inputs, out, settings, **chosen_slices(z))
    run_and_show(job, settings)


@app.command(cls=SectionedCommand)
@with_settings("segment-membranes", without=SLICE_FIELDS)
def membranes(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help='Folder that "train membranes" wrote, or name of a shipped model.', show_default=False)
    ],
    tomograms: TomogramsArgument,
    out: FolderOption,
    z: SlicesOption = "",
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Segment membranes with a trained student. Writes NAME_membranes.mrc (int8), NAME_membranes_probability.mrc and figures."""
    inputs = [model_file(model, "membranes"), *input_files(tomograms, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)]
    run_and_show(build_job("segment-membranes", inputs, out, settings, **chosen_slices(z)), settings)


@app.command(cls=SectionedCommand)
@with_settings("segment-filaments", without=SLICE_FIELDS)
def filaments(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help='"general", or folder of a model that goes on from it.', show_default=False)
    ],
    tomograms: TomogramsArgument,
    out: FolderOption,
    z: SlicesOption = "",
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Segment filaments and trace their axes. Writes NAME_filaments.mrc (int8), NAME_filaments.star (points), .csv (lengths), figures."""
    inputs = [model_file(model, "membranes"), *input_files(tomograms, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)]
    run_and_show(build_job("segment-filaments", inputs, out, settings, **chosen_slices(z)), settings)


@app.command(cls=SectionedCommand)
@with_settings("segment-classes")
def classes(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help='Folder that "train segmenter" wrote, or name of a shipped model.', show_default=False)
    ],
    tomograms: TomogramsArgument,
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Segment classes with a trained network. Writes NAME_classes.mrc (int8), NAME_confidence.mrc (percent) and NAME_particles.star."""
    inputs = [model_file(model, "segmenter"), *input_files(tomograms, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)]
    run_and_show(build_job("segment-classes", inputs, out, settings), settings)
