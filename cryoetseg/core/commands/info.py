"""``cryoetseg info``: what a file is, whether it is sound, how its values are distributed, what a project holds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from ..runtime.errors import InputError, OutputError, ParameterError
from .help import SectionedCommand, command_group
from .options import Settings, SizeOption, VoxelSizeOption, with_settings
from .running import print_json

if TYPE_CHECKING:
    from ..volumes.cleaning import GreyValues

app = command_group()
PICTURE = ".png"
PERCENTILES = (0.0, 0.5, 5.0, 25.0, 50.0, 75.0, 95.0, 99.5, 100.0)


@app.command(cls=SectionedCommand)
@with_settings()
def info(
    file: Annotated[Path, typer.Argument(
        metavar="FILE", help="Volume, particle list, list of tomograms, copick project, job.json or result.json.", show_default=False)],
    voxel_size: VoxelSizeOption = None,
    tomogram: SizeOption = None,
    figure: Annotated[
        Optional[Path],
        typer.Option("--figure", metavar="PICTURE", help="Draw how a tomogram is read: what is taken as invalid, where the sample is.",
                     show_default=False),
    ] = None,
    *,
    settings: Settings,
) -> None:
    """Show header, checks, warnings and value distribution of a volume, or what a particle list, a project or a record holds."""
    if figure is not None:
        check_picture(figure, bool(settings.overwrite))
    content = describe_file(file, voxel_size, tomogram, figure)
    if settings.as_json:
        print_json(content)
        return
    for name, value in content.items():
        for line in _lines(name, value):
            typer.echo(line)


def check_picture(figure: Path, overwrite: bool) -> None:
    """Raise ParameterError where ``figure`` names no picture, OutputError where it names a file that is there."""
    if figure.suffix.lower() != PICTURE:
        raise ParameterError(f"--figure {figure}", f"a name that ends in {PICTURE}")
    if os.path.lexists(figure) and not overwrite:
        raise OutputError(f"{figure} exists", "a name that is free", "choose another name, move the file away, or give --overwrite")


def describe_file(
    file: Path, voxel_size: Optional[float], tomogram: Optional[Path] = None, figure: Optional[Path] = None
) -> dict[str, Any]:
    """What ``file`` is, by its suffix, a list with the size of its ``tomogram``; how a volume is read is drawn into ``figure``.

    Raises InputError when it is damaged, of no known kind, or no volume where a figure is wanted.
    """
    content = _described(file, voxel_size, tomogram, figure)
    if figure is not None and content["kind"] != "volume":
        raise InputError(f"{file} is no volume but a {content['kind']}", "a tomogram for --figure")
    return content


def _described(file: Path, voxel_size: Optional[float], tomogram: Optional[Path], figure: Optional[Path]) -> dict[str, Any]:
    from ..interchange.describe import describe
    from ..runtime.checksums import check_regular
    from ..volumes.io import FORMATS
    from ..volumes.names import volume_suffix

    if not file.exists():
        raise InputError(f"{file} does not exist", "an existing file", "check the path")
    check_regular(file)
    if file.suffix.lower() == ".json" and _is_record(file):
        return _describe_record(file)
    if file.suffix.lower() == ".em":
        return _describe_em(file, voxel_size, figure)
    if volume_suffix(file) in FORMATS:
        return _describe_volume(file, voxel_size, figure)
    project = describe(file) if tomogram is None else None
    if project is not None:
        return {"file": str(file), **project}
    return _describe_particles(file, voxel_size, tomogram)


def _is_record(file: Path) -> bool:
    from ..runtime.files import read_json

    try:
        return "method" in read_json(file)
    except InputError:  # lines of annotations, or damaged: the reader of lists tells
        return False


def _describe_em(file: Path, voxel_size: Optional[float], figure: Optional[Path]) -> dict[str, Any]:
    """EM files hold a volume or, as a single section, a motive list of particles."""
    try:
        return _describe_volume(file, voxel_size, figure)
    except InputError as not_a_volume:
        try:
            return _describe_particles(file, voxel_size)
        except InputError:
            raise not_a_volume from None


def _describe_volume(file: Path, voxel_size: Optional[float], figure: Optional[Path]) -> dict[str, Any]:
    from ..volumes.cleaning import examine
    from ..volumes.io import open_volume
    from ..volumes.normalisation import mean_and_deviation, quantiles

    volume = open_volume(file, voxel_size)
    header = volume.header
    mean, deviation = mean_and_deviation(volume.data)
    values = quantiles(volume.data, [percentile / 100 for percentile in PERCENTILES])
    grey = examine(volume.data)
    if figure is not None:
        from ..report.reading import draw_reading
        from ..volumes.cleaned import CleanedView

        draw_reading(CleanedView(volume.data, "bright", grey), header.voxel_size, figure)
    return {
        "file": str(file), "kind": "volume", "format": header.format, "type": str(header.dtype), "shape_zyx": list(header.shape),
        "voxel_size_angstrom": header.voxel_size, "voxel_size_is_known": header.voxel_size_is_known,
        "origin_zyx_angstrom": list(header.origin), "mean": mean, "standard_deviation": deviation,
        "percentiles": {f"{percentile:g}": value for percentile, value in zip(PERCENTILES, values, strict=True)},
        **_sample_of(grey), "warnings": list(header.warnings),
    }  # fmt: skip


def _sample_of(grey: GreyValues) -> dict[str, Any]:
    """What is read as invalid, where the sample is and how its particles look, as far as the grey values tell."""
    from ..volumes.asymmetry import contrast_of
    from ..volumes.sample import find_sample

    region = find_sample(grey)
    return {
        "invalid_fraction": grey.invalid_share, "fill_values": list(grey.fills), "gold_fraction": grey.gold_share,
        "contrast": contrast_of(grey) or "not clear", "sample_z": f"{region.z_range[0]}:{region.z_range[1]}" if region else "not clear",
        "sample_fraction": region.share if region else None,
    }  # fmt: skip


def _describe_particles(file: Path, voxel_size: Optional[float], tomogram: Optional[Path] = None) -> dict[str, Any]:
    import numpy as np

    from ..particles.formats import read_particles
    from ..volumes.io import read_header

    if tomogram is None:
        table = read_particles(file, voxel_size=voxel_size)
    else:
        header = read_header(tomogram)
        table = read_particles(file, voxel_size=voxel_size, tomogram_shape=header.shape, tomogram_voxel_size=header.voxel_size)
    classes, counts = np.unique(table.class_id, return_counts=True)
    return {
        "file": str(file), "kind": "particles", "count": len(table),
        "voxel_size_angstrom": table.voxel_size if table.voxel_size_is_known else None,
        "tilt_series": sorted({str(name) for name in table.tilt_series_id}),
        "classes": {table.class_names.get(int(c), str(int(c))): int(n) for c, n in zip(classes, counts, strict=True)},
        "lowest_zyx": table.zyx.min(axis=0).tolist() if len(table) else [],
        "highest_zyx": table.zyx.max(axis=0).tolist() if len(table) else [],
    }  # fmt: skip


def _describe_record(file: Path) -> dict[str, Any]:
    from ..runtime.files import read_json
    from ..runtime.job import read_job, read_result

    is_result = "outputs" in read_json(file)
    record = read_result(file) if is_result else read_job(file)
    return {"file": str(file), "kind": "result" if is_result else "job", **record.model_dump(mode="json")}


def _lines(name: str, value: Any) -> list[str]:
    title = name.replace("_", " ")
    if isinstance(value, dict):
        return [f"{title}:"] + [f"  {key:20} {_short(item)}" for key, item in value.items()]
    if isinstance(value, list) and value and isinstance(value[0], (str, dict)):
        return [f"{title}:"] + [f"  {_short(item)}" for item in value]
    return [f"{title:22} {_short(value)}"]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return (", " if any(isinstance(item, str) for item in value) else " x ").join(_short(item) for item in value) or "none"
    if isinstance(value, dict):
        return "; ".join(f"{key.replace('_', ' ')} {_short(item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) else str(value)
