"""``cryoetseg voxuda``: segment subtomograms of an unlabelled target by adapting from labelled, simulated ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ..runtime.errors import ParameterError
from ..runtime.job import InputFile
from ..runtime.params import describe, parameters_from, with_preset
from ..voxuda.params import SOURCE_IMAGING, VoxUdaSourceParameters
from .help import SectionedCommand, command_group
from .options import ContrastOption, FolderOption, Settings, VoxelSizeOption, with_settings
from .running import build_job, input_file, model_file, run_and_show

app = command_group("Segment subtomograms without labels of your own (Vox-UDA).")
SOURCE = "source_"
IMAGING = [field._replace(name=SOURCE + field.name) for field in describe(VoxUdaSourceParameters) if field.name in SOURCE_IMAGING]
SUBTOMOGRAMS = "files, a folder of them, or a STAR list"

TargetOption = Annotated[
    list[Path],
    typer.Option("--target", metavar="PATH", help=f"Subtomograms to adapt to: {SUBTOMOGRAMS}; repeatable.", show_default=False),
]
SourceOption = Annotated[
    Optional[list[Path]],
    typer.Option(
        "--source",
        metavar="PATH",
        help=f"Labelled subtomograms: {SUBTOMOGRAMS}, with NAME_mask beside NAME; none: simulated ones, in OUT/source.",
        show_default=False,
    ),
]
SourceMasksOption = Annotated[
    Optional[list[Path]],
    typer.Option("--source-masks", metavar="PATH", help="Masks of the source where they lie elsewhere.", show_default=False),
]
SourceContrastOption = Annotated[
    str, typer.Option("--source-contrast", metavar="dark|bright", help="How particles look in the source; simulated ones are dark.")
]
SourceVoxelSizeOption = Annotated[
    Optional[float],
    typer.Option("--source-voxel-size", metavar="ANGSTROM", help="Voxel size of the source.", show_default="from the headers"),
]
SourceCountOption = Annotated[
    Optional[int],
    typer.Option("--source-count", metavar="NUMBER", min=2, help="Number of simulated subtomograms.", show_default="the recipe's"),
]
TemplateOption = Annotated[
    Optional[list[Path]],
    typer.Option(
        "--template", metavar="FILE", help="Density map or PDB file to simulate the source from; repeatable.", show_default="built-in ones"
    ),
]


@app.command(cls=SectionedCommand)
@with_settings("train-voxuda", beside=IMAGING)
def train(
    target: TargetOption,
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    source: SourceOption = None,
    source_masks: SourceMasksOption = None,
    source_contrast: SourceContrastOption = "dark",
    source_voxel_size: SourceVoxelSizeOption = None,
    source_count: SourceCountOption = None,
    template: TemplateOption = None,
    *,
    settings: Settings,
) -> None:
    """Adapt a network from labelled source subtomograms to your unlabelled target. Writes OUT/model."""
    targets = [input_file(path, "target", voxel_size, contrast) for path in target]
    sources = [input_file(path, "source", source_voxel_size, source_contrast) for path in source or []]
    sources += [input_file(path, "source_mask") for path in source_masks or []]
    sources += _simulated_unless_given(bool(source), out.absolute() / "source", source_count, template or [], targets, settings)
    run_and_show(build_job("train-voxuda", [*targets, *sources], out, settings), settings)


def _simulated_unless_given(
    given: bool, folder: Path, count: Optional[int], templates: list[Path], targets: list[InputFile], settings: Settings
) -> list[InputFile]:
    if not given:
        return _simulated(folder, count, templates, targets, settings)
    if templates or count or settings.beside:
        raise ParameterError("a source together with options of a simulated one", "one of them",
                             "leave out --template and --source-count, and what else begins with --source- and is of a simulation")
    return []


def _simulated(folder: Path, count: Optional[int], templates: list[Path], targets: list[InputFile], settings: Settings) -> list[InputFile]:
    """A source at the target's voxel size, so that it fills its boxes, imaged as the options say."""
    from ..recipes.voxuda_source import write_source
    from ..voxuda.data import find_entries, whole_box_voxel_size

    size = settings.parameters["size"]
    entries = find_entries(targets, [], "target")
    voxel_size = settings.parameters.get("common_voxel_size") or whole_box_voxel_size(entries, "target", size)
    given: dict[str, object] = {name.removeprefix(SOURCE): value for name, value in settings.beside.items()}
    given.update(size=size, voxel_size=voxel_size, **({"count": count} if count else {}), **({"particles": "none"} if templates else {}))
    known = with_preset(VoxUdaSourceParameters, VoxUdaSourceParameters().model_dump(), settings.preset)
    maps = [input_file(path, "template", contrast="bright") for path in templates]
    return write_source(folder, parameters_from(VoxUdaSourceParameters, {**known, **given}), maps, settings.seed or 0)


@app.command(cls=SectionedCommand)
@with_settings("segment-subtomograms")
def segment(
    subtomograms: Annotated[
        Optional[list[Path]],
        typer.Argument(metavar="SUBTOMOGRAM", help=f"Subtomograms: {SUBTOMOGRAMS}.", show_default=False),
    ] = None,
    tomogram: Annotated[
        Optional[list[Path]],
        typer.Option("--tomogram", metavar="FILE", help="A whole tomogram, worked through by sliding windows.", show_default=False),
    ] = None,
    masks: Annotated[
        Optional[list[Path]],
        typer.Option("--masks", metavar="PATH", help="True masks of the subtomograms, to score the result.", show_default=False),
    ] = None,
    *,
    model: Annotated[Path, typer.Option("--model", metavar="FOLDER", help="Model of a Vox-UDA training.", show_default=False)],
    out: FolderOption,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    settings: Settings,
) -> None:
    """Segment subtomograms, or whole tomograms, with a trained model. Writes NAME_mask.mrc and NAME_probability.mrc."""
    inputs = [model_file(model, "train-voxuda")]
    inputs += [input_file(path, "subtomogram", voxel_size, contrast) for path in subtomograms or []]
    inputs += [input_file(path, "subtomogram_mask") for path in masks or []]
    inputs += [input_file(path, "tomogram", voxel_size, contrast) for path in tomogram or []]
    run_and_show(build_job("segment-subtomograms", inputs, out, settings), settings)


@app.command(cls=SectionedCommand)
@with_settings("voxuda-ablation", beside=IMAGING)
def ablation(
    target: TargetOption,
    out: FolderOption,
    target_masks: Annotated[
        Optional[list[Path]],
        typer.Option("--target-masks", metavar="PATH", help="Masks of the target where they lie elsewhere.", show_default=False),
    ] = None,
    voxel_size: VoxelSizeOption = None,
    contrast: ContrastOption = "dark",
    source: SourceOption = None,
    source_masks: SourceMasksOption = None,
    source_contrast: SourceContrastOption = "dark",
    source_voxel_size: SourceVoxelSizeOption = None,
    source_count: SourceCountOption = None,
    template: TemplateOption = None,
    *,
    settings: Settings,
) -> None:
    """Compare the parts of Vox-UDA on a target with masks, between source only and fully supervised. Writes OUT/ablation.csv.

    Trainings that are done are not repeated: the same command goes on where it was interrupted.
    """
    targets = [input_file(path, "target", voxel_size, contrast) for path in target]
    masks = [input_file(path, "target_mask") for path in target_masks or []]
    sources = [input_file(path, "source", source_voxel_size, source_contrast) for path in source or []]
    sources += [input_file(path, "source_mask") for path in source_masks or []]
    sources += _simulated_unless_given(bool(source), out.absolute() / "source", source_count, template or [], targets, settings)
    run_and_show(build_job("voxuda-ablation", [*targets, *masks, *sources], out, settings), settings)
