"""Figures of generated particles: slices by class beside real ones, spectra, radial profiles. Valid Python 3.8, no torch."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .figures import BLUE, GREY, ORANGE, draw_slice

PLANES = ("xy", "xz", "yz")
PANEL_INCHES = 1.1
TOLERANCE = 0.25  # of the power in a shell


def middle_planes(cube: np.ndarray) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The XY, XZ and YZ slices through the middle of a cube (z, y, x)."""
    z, y, x = (size // 2 for size in cube.shape)
    return cube[z], cube[:, y], cube[:, :, x]


def montage_size(rows: int, columns: int) -> Tuple[float, float]:
    """Width and height in inches of a montage of ``rows`` classes and ``columns`` cubes."""
    return PANEL_INCHES * len(PLANES) * columns, PANEL_INCHES * rows + 0.4


def draw_montage(figure: Figure, classes: Sequence[str], columns: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Draw one row a class: for each column, called as its heading, the three middle slices of that class's cube.

    ``columns[heading]`` holds a cube (z, y, x) for each class. Particles are shown dark, as in a tomogram.
    """
    grid = figure.subplots(len(classes), len(PLANES) * len(columns), squeeze=False)
    for row, name in enumerate(classes):
        for number, (heading, cubes) in enumerate(columns.items()):
            for offset, (plane, image) in enumerate(zip(PLANES, middle_planes(np.asarray(cubes[row])))):
                axes = grid[row, number * len(PLANES) + offset]
                draw_slice(axes, -image, title=f"{heading}, {plane}" if row == 0 else "")
                axes.title.set_fontsize(6)
        grid[row, 0].text(-0.08, 0.5, name, rotation=90, ha="right", va="center", fontsize=7, transform=grid[row, 0].transAxes)


def draw_spectra(figure: Figure, spectra: Mapping[str, Tuple[Sequence[float], Optional[Sequence[float]]]], voxel_size: float) -> None:
    """Draw radial power over frequency (1/Angstrom), a panel a class: ``spectra[name]`` is generated and, where known, real power.

    Between the grey lines the generated power is within 25 % of the real.
    """
    columns = min(3, len(spectra))
    grid = figure.subplots(-(-len(spectra) // columns), columns, squeeze=False, sharex=True).ravel()
    for axes in grid[len(spectra) :]:
        axes.set_axis_off()
    for axes, (name, (made, real)) in zip(grid, spectra.items()):
        frequency = np.arange(1, len(made) + 1) / (2 * len(made) * voxel_size)
        if real is not None:
            axes.semilogy(frequency, real, color=BLUE, label="real")
            for factor in (1 - TOLERANCE, 1 + TOLERANCE):
                axes.semilogy(frequency, factor * np.asarray(real), color=GREY, linewidth=0.6)
        axes.semilogy(frequency, made, color=ORANGE, label="generated")
        axes.set_title(name, fontsize="small")
        axes.grid(alpha=0.3)
    grid[0].legend(fontsize="small")
    grid[0].set_ylabel("power")
    grid[max(0, len(spectra) - columns)].set_xlabel("frequency (1/Å)")


def draw_profiles(axes: Axes, profiles: Mapping[str, Sequence[float]], voxel_size: float) -> None:
    """Draw mean grey value over the distance from the middle (Angstrom), one line each."""
    for (name, values), colour in zip(profiles.items(), (ORANGE, BLUE, GREY)):
        axes.plot(voxel_size * np.arange(len(values)), values, color=colour, label=name)
    axes.set(xlabel="distance from the middle (Å)", ylabel="mean grey value")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def spectra_of_scores(scores: Mapping[str, Any]) -> Dict[str, Tuple[Sequence[float], Optional[Sequence[float]]]]:
    """What :func:`draw_spectra` takes, from the file of scores that the evaluation writes."""
    return {name: (row["power"], row["power_real"]) for name, row in scores["by_class"].items()}
