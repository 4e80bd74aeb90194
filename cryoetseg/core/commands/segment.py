"""``cryoetseg segment``: masks and candidates from tomograms without labels."""

from __future__ import annotations

from typing import Annotated

import typer

from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, TomogramArgument, VoxelSizeOption, with_settings, z_range
from .running import build_job, input_file, run_and_show

app = command_group("Segment membranes and particle candidates in a tomogram, without labels.")
METHOD = "segment-slabs"


@app.command(cls=SectionedCommand)
@with_settings(METHOD, without=("z_start", "z_end"))
def slabs(
    tomogram: TomogramArgument,
    z: Annotated[str, typer.Option("--z", metavar="A:B", help="Slices to segment, counted from 0; B is not included.", show_default=False)],
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Segment slabs of a tomogram with a diffusion model's features: membrane mask and particle candidates.

    Writes NAME_membranes.mrc (int8, size and voxel size of the tomogram), NAME_particles.star (RELION), figures and result.json.
    """
    start, stop = z_range(z)
    job = build_job(METHOD, [input_file(tomogram, voxel_size=voxel_size, contrast=contrast)], out, settings, z_start=start, z_end=stop)
    run_and_show(job, settings)
