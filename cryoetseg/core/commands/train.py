"""``cryoetseg train``: networks made from data, each a folder with weights and a card."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.errors import ParameterError
from ..runtime.job import InputFile
from ..runtime.names import in_pairs
from ..runtime.params import parameters_from
from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, TiltSeriesIdOption, TrainingTomogramsOption, VoxelSizeOption, with_settings
from .running import build_job, input_file, input_files, model_file, run_and_show

EmptyOption = Annotated[
    Optional[list[Path]],
    typer.Option("--empty", metavar="FILE", help="A tomogram with nothing of it inside, all background; repeatable.", show_default=False),
]
StartOption = Annotated[
    Optional[Path],
    typer.Option("--start", metavar="MODEL", help="Model to go on from: a folder, or name of a shipped one.",
                 show_default="random weights"),
]

logger = logging.getLogger(__name__)
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
    inputs = input_files(tomograms or [], voxel_size=voxel_size, contrast=contrast)
    job = build_job("train-backbone", inputs or _simulated(out.absolute() / "scenes", scenes, settings), out, settings)
    run_and_show(job, settings)


@app.command(cls=SectionedCommand)
@with_settings("train-general")
def general(
    out: FolderOption,
    traced: Annotated[
        Optional[list[Path]],
        typer.Option("--traced", metavar="FILE", help="Label volume of real membranes whose shapes some scenes take; repeat for several.",
                     show_default=False),
    ] = None,
    traced_voxel_size: Annotated[
        Optional[list[float]],
        typer.Option("--traced-voxel-size", metavar="A", help="Its voxel size in Angstrom; repeat in the order of --traced.",
                     show_default=False),
    ] = None,
    *,
    settings: Settings,
) -> None:
    """Train the general models, which the package ships, anew: simulate scenes of every kind, learn membranes and particles.

    Writes OUT/membranes and OUT/particles, each usable as MODEL; the scenes stay in OUT/scenes. Some hours on two cores.
    """
    sizes = traced_voxel_size or []
    if len(sizes) != len(traced or []):
        raise ParameterError(f"{len(traced or [])} label volumes and {len(sizes)} voxel sizes", "one --traced-voxel-size for each --traced")
    files = [input_file(path, "traced", voxel_size=size) for path, size in zip(traced or [], sizes)]
    run_and_show(build_job("train-general", files, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("train-embedding")
def embedding(out: FolderOption, *, settings: Settings) -> None:
    """Train the embedding of "particles cluster", which the package ships, anew on simulated molecules. Writes OUT/model."""
    run_and_show(build_job("train-embedding", [], out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("train-picker")
def picker(
    tomogram: TrainingTomogramsOption,
    particles: Annotated[
        list[Path],
        typer.Option(
            "--particles",
            metavar="FILE",
            help="Its particle list (.star, .coords, .csv, ...); repeat in the order of tomograms, or give one list for all.",
            show_default=False,
        ),
    ],
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    empty: EmptyOption = None,
    start: StartOption = None,
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Train DeepETPicker on coordinates: your picks, another program's, or those of "segment slabs". Writes OUT/model."""
    volumes = input_files(tomogram, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    beside = [*input_files(empty or [], "empty", voxel_size, contrast), *_start(start, "picker")]
    run_and_show(build_job("train-picker", [*volumes, *_partners(volumes, particles, "particles"), *beside], out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("train-membranes")
def membranes(
    tomogram: TrainingTomogramsOption,
    labels: Annotated[
        list[Path],
        typer.Option("--labels", metavar="FILE", help="Its membrane mask or label volume; repeat as tomograms, in their order.",
                     show_default=False),
    ],
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    empty: EmptyOption = None,
    start: StartOption = None,
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Train the membrane student on masks of any origin, for example those of "segment slabs". Writes OUT/model."""
    if len(labels) != len(tomogram):
        raise ParameterError(f"{len(tomogram)} tomograms and {len(labels)} label volumes", "one label volume for each tomogram")
    volumes = input_files(tomogram, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    beside = [*input_files(empty or [], "empty", voxel_size, contrast), *_start(start, "membranes")]
    run_and_show(build_job("train-membranes", [*volumes, *_partners(volumes, labels, "labels"), *beside], out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("train-segmenter")
def segmenter(
    tomogram: TrainingTomogramsOption,
    out: FolderOption,
    labels: Annotated[
        Optional[list[Path]],
        typer.Option("--labels", metavar="FILE", help="Its class volume (0 background, 1, 2, ...); repeat as tomograms, in their order.",
                     show_default=False),
    ] = None,
    particles: Annotated[
        Optional[list[Path]],
        typer.Option("--particles", metavar="FILE", help="In place of labels: its particle list with classes; or one list for all.",
                     show_default=False),
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    tilt_series_id: TiltSeriesIdOption = None,
    *,
    settings: Settings,
) -> None:
    """Train DeepFinder's network to tell classes apart, on class volumes or on particle lists with classes. Writes OUT/model."""
    role, paths = ("labels", labels or []) if labels else ("particles", particles or [])
    if bool(labels) == bool(particles) or (labels and len(labels) != len(tomogram)):
        raise ParameterError(f"{len(tomogram)} tomograms, {len(labels or [])} label volumes and {len(particles or [])} particle lists",
                             "one label volume for each tomogram, or particle lists")
    volumes = input_files(tomogram, voxel_size=voxel_size, contrast=contrast, ids=tilt_series_id)
    run_and_show(build_job("train-segmenter", [*volumes, *_partners(volumes, paths, role)], out, settings), settings)


def _start(model: Optional[Path], method: str) -> list[InputFile]:
    return [model_file(model, method, "start")] if model is not None else []


def _partners(volumes: list[InputFile], paths: list[Path], role: str) -> list[InputFile]:
    """Labels or particles of the tomograms; as many as these belong to them by their names where each tells, else in order."""
    files = [input_file(path, role) for path in paths]
    if len(files) != len(volumes):
        return files
    order = in_pairs([volume.tilt_series_id for volume in volumes], [file.tilt_series_id for file in files])
    if order != sorted(order):
        logger.warning("warning: %s are paired with the tomograms by their names, not in the order in which they are given", role)
    return [files[index].model_copy(update={"tilt_series_id": volume.tilt_series_id}) for index, volume in zip(order, volumes)]


def _simulated(folder: Path, scenes: Optional[int], settings: Settings) -> list[InputFile]:
    from ..recipes.backbone import SceneParameters, write_scenes

    parameters = parameters_from(SceneParameters, {} if scenes is None else {"scenes": scenes})
    return write_scenes(folder, parameters, settings.seed or 0)
