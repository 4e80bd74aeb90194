"""``cryoetseg generate``: synthetic particle subtomograms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.job import InputFile
from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, VoxelSizeOption, with_settings
from .running import build_job, input_file, input_files, model_file, run_and_show

app = command_group("Learn how particles look and make new ones, by class and place in the tomogram.")

TomogramsOption = Annotated[
    list[Path], typer.Option("--tomogram", metavar="FILE", help="Denoised tomogram; give it once for each.", show_default=False)
]
ParticlesOption = Annotated[
    list[Path],
    typer.Option(
        "--particles", metavar="FILE", help="Coordinates with classes (copick .json, .csv, .star, ...); give it once for each.",
        show_default=False,
    ),
]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that generate train wrote.", show_default=False)]


@app.command(cls=SectionedCommand)
@with_settings("train-generator")
def train(
    tomogram: TomogramsOption,
    particles: ParticlesOption,
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Train a conditional diffusion model on particles of several classes; an interrupted training goes on.

    Lists and tomograms are joined by the tomogram's name (its file name without suffix); one list may name many tomograms.
    """
    inputs = real_inputs(tomogram, particles, voxel_size, contrast)
    run_and_show(build_job("train-generator", inputs, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("generate-particles")
def sample(model: ModelArgument, out: FolderOption, *, settings: Settings) -> None:
    """Make subtomograms: OUT/NAME_CLASS_NUMBER.mrc, and NAME.star and NAME.json with class, place and sampling of each."""
    job = build_job("generate-particles", [model_file(model, "generator")], out, settings)
    run_and_show(job, settings)


@app.command(cls=SectionedCommand)
@with_settings("paste-particles")
def paste(
    model: ModelArgument,
    tomogram: TomogramsOption,
    out: FolderOption,
    particles: Annotated[
        Optional[list[Path]],
        typer.Option("--particles", metavar="FILE", help="Particles that the tomograms hold already; they stay and are listed too.",
                     show_default=False),
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Set made particles softly into tomograms: OUT/TOMOGRAM_pasted.mrc and .star, for "train picker" and "train segmenter"."""
    inputs = [model_file(model, "generator"), *real_inputs(tomogram, particles or [], voxel_size, contrast)]
    run_and_show(build_job("paste-particles", inputs, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("evaluate-generation")
def evaluate(
    generated: Annotated[
        Path, typer.Argument(metavar="GENERATED", help="The .json list that generate sample wrote, or its folder.", show_default=False)
    ],
    tomogram: TomogramsOption,
    particles: ParticlesOption,
    out: FolderOption,
    model: Annotated[
        Optional[Path],
        typer.Option("--model", metavar="FOLDER", help="The model, to measure its errors on these particles too.", show_default=False),
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Compare generated with real particles: spectra, mean volumes, memorisation, diversity, hollow core."""
    inputs = [InputFile(path=str(generated.absolute()), role="generated"), *real_inputs(tomogram, particles, voxel_size, contrast)]
    inputs += [model_file(model, "generator")] if model is not None else []
    run_and_show(build_job("evaluate-generation", inputs, out, settings), settings)


@app.command(name="import", cls=SectionedCommand)
@with_settings()
def import_(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="Published weights, .pth or .safetensors.", show_default=False)],
    out: FolderOption,
    classes: Annotated[
        str, typer.Option("--classes", metavar="NAMES", help="Class names with commas, in the checkpoint's order.", show_default=False)
    ],
    voxel_size: Annotated[float, typer.Option("--voxel-size", metavar="ANGSTROM", help="Voxel size of its training tomograms.")] = 10.0,
    *,
    settings: Settings,
) -> None:
    """Turn a checkpoint of the published program into a model folder for "generate sample"."""
    from ..generation.model import import_checkpoint_as_model

    card = import_checkpoint_as_model(checkpoint, out, [name.strip() for name in classes.split(",")], voxel_size)
    typer.echo(f"model            {out}: {len(card.classes)} classes")


@app.command(cls=SectionedCommand)
@with_settings()
def export(
    model: ModelArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File to write, .safetensors.", show_default=False)],
    *,
    settings: Settings,
) -> None:
    """Write the weights of a model under the names of the published program, data only."""
    from ..generation.model import load_generator
    from ..generation.published import export_published

    export_published(out, load_generator(model).network)
    typer.echo(f"weights          {out}")


def real_inputs(tomograms: list[Path], particles: list[Path], voxel_size: Optional[float], contrast: str) -> list[InputFile]:
    """Tomograms and the lists of their particles."""
    lists = [input_file(path, "particles") for path in particles]
    return [*input_files(tomograms, voxel_size=voxel_size, contrast=contrast), *lists]
