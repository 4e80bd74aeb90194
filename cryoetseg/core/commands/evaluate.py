"""``cryoetseg evaluate``: scores against a truth."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Optional

import typer

from ..runtime.job import InputFile
from .help import SectionedCommand, command_group
from .options import Settings, SizeOption, VoxelSizeOption, with_settings
from .running import build_job, input_file, run_and_show, show_findings

app = command_group("Score a result against a truth.")
PredictedArgument = Annotated[Path, typer.Argument(metavar="PREDICTED", help="The result to score.", show_default=False)]
TruthArgument = Annotated[Path, typer.Argument(metavar="TRUTH", help="The truth.", show_default=False)]
KeepOption = Annotated[
    Optional[Path],
    typer.Option("--out", metavar="FOLDER", help="Folder that keeps result.json, tables and figures.", show_default="nothing is kept"),
]
SeriesOption = Annotated[
    str, typer.Option("--tilt-series-id", metavar="ID", help="The tilt series of both lists, whatever they say.", show_default="as listed")
]


@app.command(cls=SectionedCommand)
@with_settings("evaluate-segmentation")
def segmentation(
    predicted: PredictedArgument,
    truth: TruthArgument,
    out: KeepOption = None,
    voxel_size: VoxelSizeOption = None,
    *,
    settings: Settings,
) -> None:
    """Dice, intersection over union and surface Dice of a mask."""
    _evaluate("evaluate-segmentation", predicted, truth, out, voxel_size, settings)


@app.command(cls=SectionedCommand)
@with_settings("evaluate-picking")
def picking(
    predicted: PredictedArgument,
    truth: TruthArgument,
    out: KeepOption = None,
    voxel_size: VoxelSizeOption = None,
    tilt_series_id: SeriesOption = "",
    tomogram: SizeOption = None,
    *,
    settings: Settings,
) -> None:
    """Precision, recall and F1 of particle positions, matched one to one."""
    _evaluate("evaluate-picking", predicted, truth, out, voxel_size, settings, tilt_series_id, tomogram)


@app.command(cls=SectionedCommand)
@with_settings("evaluate-restoration")
def restoration(
    predicted: PredictedArgument,
    truth: TruthArgument,
    out: KeepOption = None,
    voxel_size: VoxelSizeOption = None,
    *,
    settings: Settings,
) -> None:
    """PSNR, SSIM and correlation of a restored tomogram."""
    _evaluate("evaluate-restoration", predicted, truth, out, voxel_size, settings)


def _evaluate(method: str, predicted: Path, truth: Path, out: Optional[Path], voxel_size: Optional[float], settings: Settings,
              series: str = "", tomogram: Optional[Path] = None) -> None:  # fmt: skip
    inputs = [input_file(predicted, "predicted", voxel_size), input_file(truth, "truth", voxel_size)]
    if series:
        inputs = [item.model_copy(update={"tilt_series_id": series}) for item in inputs]
    inputs += [input_file(tomogram)] if tomogram is not None else []
    if out is not None:
        run_and_show(build_job(method, inputs, out, settings), settings)
        return
    with TemporaryDirectory(prefix="cryoetseg-") as folder:
        _show_scores(method, inputs, Path(folder), settings)


def _show_scores(method: str, inputs: list[InputFile], folder: Path, settings: Settings) -> None:
    from ..methods import run_job

    result = run_job(build_job(method, inputs, folder, settings))
    if settings.as_json:
        typer.echo(result.model_dump_json(indent=2))
    else:
        show_findings(result)
