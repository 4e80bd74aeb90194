"""``cryoetseg train``: networks made from data, each a folder with weights and a card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.job import InputFile
from ..runtime.params import parameters_from
from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, VoxelSizeOption, with_settings
from .running import build_job, input_file, run_and_show

app = command_group("Train a network; an interrupted training goes on from its last checkpoint.")


@app.command(cls=SectionedCommand)
@with_settings("train-backbone")
def backbone(
    out: FolderOption,
    tomograms: Annotated[
        Optional[list[Path]],
        typer.Argument(metavar="TOMOGRAM", help="Tomograms to learn from; none: simulated ones, in OUT/scenes.", show_default=False),
    ] = None,
    scenes: Annotated[
        Optional[int], typer.Option("--scenes", metavar="NUMBER", min=2, help="Number of simulated tomograms.", show_default="the recipe's")
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Train a small diffusion UNet on slabs, for use as --backbone OUT/backbone of "segment slabs".

    Without tomograms it follows the recipe of the shipped cryoet-tiny: simulated cells over a range of voxel sizes, defocus and noise.
    """
    inputs = [input_file(path, voxel_size=voxel_size, contrast=contrast) for path in tomograms or []]
    job = build_job("train-backbone", inputs or _simulated(out.absolute() / "scenes", scenes, settings), out, settings)
    run_and_show(job, settings)


def _simulated(folder: Path, scenes: Optional[int], settings: Settings) -> list[InputFile]:
    from ..backbone_recipe import SceneParameters, write_scenes

    parameters = parameters_from(SceneParameters, {} if scenes is None else {"scenes": scenes})
    return write_scenes(folder, parameters, settings.seed or 0)
