"""Figures of DUAL's results: before and after, and the spectra of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..runtime.job import Result
from .restoration import names_of, tilt_range_of

INPUT_ROLES = ("tomogram", "grand_model")


def draw_restored(result: Result, folder: Path) -> list[str]:
    """For each tomogram: slices side by side at the same contrast, central sections and radial spectra."""
    inputs = [item for item in result.job["inputs"] if item["role"] in INPUT_ROLES]
    return [name for item, output in zip(inputs, result.outputs_of("tomogram")) for name in _figures(result, item, folder / output.path)]


def _figures(result: Result, item: dict[str, Any], made: Path) -> list[str]:
    from ..volumes.io import open_volume
    from .figures import new_figure, save_figure
    from .restoration import draw_before_after, draw_radial, draw_sections

    before = open_volume(item["path"], item["voxel_size"])
    volumes = dict(zip(names_of(result.method), (before.data, open_volume(made, item["voxel_size"]).data)))
    voxel_size = before.header.voxel_size
    slices, sections, radial = new_figure(11, 9), new_figure(11, 5.5), new_figure(7, 5)
    draw_before_after(slices, volumes, voxel_size)
    draw_sections(sections, volumes, tilt_range_of(result.job["parameters"]))
    draw_radial(radial.add_subplot(), volumes, voxel_size)
    names = [f"{made.stem}_{kind}.png" for kind in ("slices", "power", "spectrum")]
    for name, figure in zip(names, (slices, sections, radial)):
        save_figure(made.with_name(name), figure)
    return names
