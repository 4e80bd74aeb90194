"""``cryoetseg dual``: unpaired denoising, simulation, style conversion, missing-wedge filling and labels by simulation."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..runtime.files import link_or_copy
from ..runtime.job import InputFile
from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, TomogramArgument, VoxelSizeOption, with_settings
from .running import Published, build_job, destination, input_file, input_files, model_file, run_and_show

app = command_group("Unpaired translation between tomograms and clean density (DUAL): train once, then denoise, simulate, convert.")
MANY = ("--noisy", "--clean", "--half1", "--half2", "--grand-model", "--labels", "--tomogram", "--restored")


class ManyFilesCommand(SectionedCommand):
    """A command whose options of files take several after one another: ``--noisy A B C``."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Repeat the option before each further file."""
        repeated: list[str] = []
        option = ""
        for word in args:
            if word.startswith("-"):
                option = word if word in MANY else ""
            elif option and repeated[-1] != option:
                repeated.append(option)
            repeated.append(word)
        return super().parse_args(ctx, repeated)


ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder that a training wrote.", show_default=False)]
NoisyOption = Annotated[
    list[Path], typer.Option("--noisy", metavar="FILE...", help="Noisy tomograms, the more alike the better.", show_default=False)
]
CleanOption = Annotated[
    list[Path],
    typer.Option("--clean", metavar="FILE...", help="Clean volumes of any samples: grand models, better tomograms.", show_default=False),
]
ModelOutOption = Annotated[
    Path, typer.Option("--out", metavar="MODEL", help="Folder of the model and of its training.", show_default=False)
]
FileOption = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Volume to write (.mrc, .em, .tif, .zarr), or a folder.", show_default=False)
]
CleanContrastOption = Annotated[
    str, typer.Option("--clean-contrast", metavar="dark|bright", help="How particles look in the clean volumes; grand models are bright.")
]
CleanVoxelSizeOption = Annotated[
    Optional[float],
    typer.Option("--clean-voxel-size", metavar="ANGSTROM", help="Voxel size of the clean volumes.", show_default="from the headers"),
]
HalfOption = Annotated[
    Optional[list[Path]], typer.Option("--half1", metavar="FILE...", help="First half maps (odd tilts or frames) of noisy tomograms: they "
                                       "tell the noise, which the statistics of both sets else do.", show_default=False)
]
OtherHalfOption = Annotated[
    Optional[list[Path]], typer.Option("--half2", metavar="FILE...", help="Second half maps, in the same order.", show_default=False)
]
GrandModelsOption = Annotated[
    list[Path], typer.Option("--grand-model", metavar="FILE...", help="Grand models whose classes are known.", show_default=False)
]


@app.command(cls=ManyFilesCommand)
@with_settings("train-dual")
def train(
    noisy: NoisyOption,
    clean: CleanOption,
    out: ModelOutOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    clean_voxel_size: CleanVoxelSizeOption = None,
    clean_contrast: CleanContrastOption = "bright",
    half1: HalfOption = None,
    half2: OtherHalfOption = None,
    *,
    settings: Settings,
) -> None:
    """Learn from noisy tomograms and clean volumes that need not show the same samples; an interrupted training goes on."""
    inputs = input_files(noisy, "noisy", voxel_size, contrast)
    inputs += input_files(clean, "clean", clean_voxel_size, clean_contrast)
    inputs += input_files(half1 or [], "half1", voxel_size, contrast) + input_files(half2 or [], "half2", voxel_size, contrast)
    run_and_show(build_job("train-dual", inputs, out, settings), settings)


@app.command("train-wedge", cls=ManyFilesCommand)
@with_settings("train-dual-wedge")
def train_wedge(
    noisy: NoisyOption, out: ModelOutOption, voxel_size: VoxelSizeOption = None, contrast: ContrastOption = "dark", *,
    settings: Settings,
) -> None:
    """Learn to fill the missing wedge from the tomograms alone, for "dual wedge"."""
    inputs = input_files(noisy, "noisy", voxel_size, contrast)
    run_and_show(build_job("train-dual-wedge", inputs, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("export-dual")
def export(
    training: Annotated[
        Path, typer.Argument(metavar="TRAINING", help="Folder of a training, also one that was interrupted or runs.", show_default=False)
    ],
    out: ModelOutOption,
    *,
    settings: Settings,
) -> None:
    """Take the best model so far out of a training that did not end by itself."""
    run_and_show(build_job("export-dual", [input_file(training, "training")], out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("denoise-dual")
def denoise(
    model: ModelArgument, tomogram: TomogramArgument, out: FileOption, voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark", *, settings: Settings,
) -> None:
    """Denoise a tomogram of any voxel size; grey scale and contrast stay those of the file."""
    _apply("denoise-dual", model, input_file(tomogram, "tomogram", voxel_size, contrast), out, settings)


@app.command(cls=SectionedCommand)
@with_settings("simulate-dual", without=("contrast",))
def simulate(
    model: ModelArgument,
    grand_model: Annotated[Path, typer.Argument(metavar="GRAND_MODEL", help="Density, bright.", show_default=False)],
    out: FileOption,
    voxel_size: VoxelSizeOption = None,
    contrast: Annotated[str, typer.Option("--contrast", metavar="dark|bright", help="How particles look in the written file.")] = "dark",
    *,
    settings: Settings,
) -> None:
    """Make a tomogram in the style of the training's noisy set from a density; --seed draws other noise."""
    _apply("simulate-dual", model, input_file(grand_model, "grand_model", voxel_size, "bright"), out, settings, contrast=contrast)


@app.command(cls=SectionedCommand)
@with_settings("convert-dual")
def convert(
    model: ModelArgument, tomogram: TomogramArgument, out: FileOption, voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark", *, settings: Settings,
) -> None:
    """Bring a tomogram into the style of either set of the training."""
    _apply("convert-dual", model, input_file(tomogram, "tomogram", voxel_size, contrast), out, settings)


@app.command(cls=SectionedCommand)
@with_settings("fill-wedge")
def wedge(
    model: ModelArgument, tomogram: TomogramArgument, out: FileOption, voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark", *, settings: Settings,
) -> None:
    """Fill the missing wedge of a tomogram with a model of "dual train" or "dual train-wedge"; what was measured stays."""
    _apply("fill-wedge", model, input_file(tomogram, "tomogram", voxel_size, contrast), out, settings)


@app.command(cls=ManyFilesCommand)
@with_settings("transfer-dual")
def transfer(
    model: ModelArgument,
    grand_model: GrandModelsOption,
    labels: Annotated[
        list[Path], typer.Option("--labels", metavar="FILE...", help="Class masks of the grand models, in order.", show_default=False)
    ],
    tomogram: Annotated[
        list[Path], typer.Option("--tomogram", metavar="FILE...", help="Tomograms to segment.", show_default=False)
    ],
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Train a segmenter of classes on synthetic tomograms, whose classes are known, and segment the real ones with it."""
    inputs = [model_file(model, "dual"), *input_files(grand_model, "grand_model", contrast="bright")]
    inputs += input_files(labels, "labels")
    inputs += input_files(tomogram, "tomogram", voxel_size, contrast)
    run_and_show(build_job("transfer-dual", inputs, out, settings), settings)


@app.command(cls=ManyFilesCommand)
@with_settings("compare-denoisers")
def evaluate(
    model: ModelArgument,
    tomogram: TomogramArgument,
    grand_model: Annotated[Path, typer.Argument(metavar="GRAND_MODEL", help="The truth behind the tomogram.", show_default=False)],
    out: FolderOption,
    particles: Annotated[
        Optional[Path], typer.Option("--particles", metavar="FILE", help="True particles, for picking after each.", show_default=False)
    ] = None,
    restored: Annotated[
        Optional[list[Path]],
        typer.Option("--restored", metavar="FILE...", help="The tomogram as other denoisers made it.", show_default=False),
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    *,
    settings: Settings,
) -> None:
    """Compare DUAL with Gaussian, anisotropic diffusion, non-local means and others' results where the truth is known."""
    inputs = [model_file(model, "dual"), input_file(tomogram, "tomogram", voxel_size, contrast)]
    inputs.append(input_file(grand_model, "grand_model", voxel_size, "bright"))
    inputs += input_files(restored or [], "restored", voxel_size, contrast)
    inputs += [input_file(particles, "particles")] if particles else []
    run_and_show(build_job("compare-denoisers", inputs, out, settings), settings)


def _apply(method: str, model: Path, volume: InputFile, out: Path, settings: Settings, **parameters: Any) -> None:
    """Run one of the methods that make a volume; with a file name the volume appears under it, beside the folder of its record."""
    folder, file = destination(out, _volume_formats())
    job = build_job(method, [model_file(model, "dual"), volume], folder, settings, **parameters)
    run_and_show(job, settings, None if file is None else Published(file, "tomogram", _publish))


def _volume_formats() -> Container[str]:
    from ..volumes.io import FORMATS

    return FORMATS


def _publish(source: Path, target: Path) -> None:
    """The volume under the name that the user gave, in the format of its suffix."""
    from ..volumes.io import open_volume, write_volume

    if target.suffix.lower() == source.suffix.lower():
        link_or_copy(source, target)
    else:
        volume = open_volume(source)
        write_volume(target, volume.data, volume.header.voxel_size, volume.header.origin)
