"""Figures of restored volumes: slices before and after, power spectra with the missing wedge, radial spectra.

Also imported by Scipion's own interpreter: valid Python 3.8, numpy and matplotlib alone.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .figures import SERIES, VERMILION, draw_slice

GREY_DEVIATIONS = 3.0  # slices are shown from minus to plus so many standard deviations of their volume
LARGEST_SIDE = 256  # voxels of a volume's middle that spectra are made from
PLANES = 64  # planes (z, x) averaged in a central section


def middle(volume: Any, side: int = LARGEST_SIDE) -> np.ndarray:
    """The middle of a (z, y, x) volume, at most ``side`` voxels along each axis, as float32."""
    window = tuple(slice(max(0, (size - side) // 2), max(0, (size - side) // 2) + min(size, side)) for size in volume.shape)
    return np.asarray(volume[window], dtype=np.float32)


def draw_before_after(figure: Figure, volumes: Mapping[str, Any], voxel_size: float) -> None:
    """The middle slices along z (above) and y (below) of each volume (z, y, x), side by side at the same contrast.

    Same contrast: each volume in units of its own standard deviation, from -3 to 3.
    """
    panels = figure.subplots(2, len(volumes), squeeze=False)
    for column, (name, volume) in enumerate(volumes.items()):
        depth, height, _ = volume.shape
        centre = middle(volume)
        mean, deviation = float(centre.mean()), float(centre.std()) or 1.0
        for row, (axis, plane) in enumerate((("z", volume[depth // 2]), ("y", volume[:, height // 2]))):
            grey = np.clip((np.asarray(plane, np.float32) - mean) / deviation, -GREY_DEVIATIONS, GREY_DEVIATIONS)
            # the corner voxels pin the grey range, which the slice is stretched to
            grey[0, 0], grey[-1, -1] = -GREY_DEVIATIONS, GREY_DEVIATIONS
            draw_slice(panels[row][column], grey, title=f"{name}, {axis} = {(depth if axis == 'z' else height) // 2}",
                       voxel_size=voxel_size, percentiles=(0.0, 100.0))


def central_section(volume: Any) -> np.ndarray:
    """Logarithm (base 10) of the power of a volume in its (kz, kx) plane, mean over planes of y, zero frequency in the middle."""
    centre = middle(volume)
    rows = np.linspace(0, centre.shape[1] - 1, min(PLANES, centre.shape[1])).astype(int)
    window = np.hanning(centre.shape[0] + 2)[1:-1, None] * np.hanning(centre.shape[2] + 2)[1:-1]
    power = np.zeros((centre.shape[0], centre.shape[2]))
    for row in rows:
        plane = centre[:, row] - centre[:, row].mean()
        power += np.abs(np.fft.fft2(plane * window)) ** 2
    return np.log10(np.fft.fftshift(power / len(rows)) + 1e-12)


def radial_power(volume: Any) -> np.ndarray:
    """Mean power per shell of the standardised middle of a volume, shells of one Fourier voxel of its longest axis up to Nyquist."""
    centre = middle(volume)
    centre = (centre - centre.mean()) / (centre.std() or 1.0)
    power = np.abs(np.fft.rfftn(centre)) ** 2 / centre.size
    longest = max(centre.shape)
    z, y = (np.fft.fftfreq(size) for size in centre.shape[:2])
    x = np.fft.rfftfreq(centre.shape[2])
    shell = np.rint(longest * np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)).astype(int).ravel()
    sums = np.bincount(shell, power.ravel())
    return (sums / np.maximum(np.bincount(shell), 1))[: longest // 2 + 1]


def draw_sections(figure: Figure, volumes: Mapping[str, Any], tilt_range: Optional[Tuple[float, float]] = None) -> None:
    """Central sections of the power spectra side by side at the same scale; the edges of the missing wedge as lines."""
    sections = {name: central_section(volume) for name, volume in volumes.items()}
    low = min(float(np.percentile(section, 1)) for section in sections.values())
    high = max(float(np.percentile(section, 99.8)) for section in sections.values())
    for axes, (name, section) in zip(figure.subplots(1, len(sections), squeeze=False)[0], sections.items()):
        axes.imshow(section, cmap="gray", vmin=low, vmax=high, origin="lower", extent=(-0.5, 0.5, -0.5, 0.5))
        axes.set(title=name, xlabel="kx (1/voxel)", ylabel="kz (1/voxel)", xlim=(-0.5, 0.5), ylim=(-0.5, 0.5))
        for angle in tilt_range or ():
            kx = np.array([-0.5, 0.5])
            axes.plot(kx, np.tan(np.radians(angle)) * kx, color=VERMILION, linewidth=1)


def draw_radial(axes: Axes, volumes: Mapping[str, Any], voxel_size: float) -> None:
    """Radial power spectra over the frequency; logarithmic."""
    for colour, (name, volume) in zip(SERIES, volumes.items()):
        power = radial_power(volume)
        frequency = np.arange(len(power)) / (2 * (len(power) - 1) * voxel_size)
        axes.semilogy(frequency[1:], power[1:], label=name, color=colour)
    axes.set(xlabel="frequency (1/Å)", ylabel="power per Fourier voxel")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def tilt_range_of(parameters: Mapping[str, Any]) -> Optional[Tuple[float, float]]:
    """First and last tilt angle where the parameters of a job name them."""
    found: Dict[str, Any] = {name: parameters.get(name) for name in ("tilt_min", "tilt_max")}
    return (float(found["tilt_min"]), float(found["tilt_max"])) if None not in found.values() else None


def names_of(method: str) -> Sequence[str]:
    """How the volumes before and after are called."""
    return {"simulate-dual": ("density", "synthetic"), "denoise-dual": ("tomogram", "denoised"),
            "fill-wedge": ("tomogram", "wedge filled")}.get(method, ("before", "after"))
