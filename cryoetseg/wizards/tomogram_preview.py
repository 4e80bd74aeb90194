"""What the previews of a tomogram show, without any window: particles of a diameter, the tilt range in Fourier space, a voxel size."""
from typing import List, Tuple

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter, maximum_filter, zoom

from cryoetseg.core.report.figures import ORANGE, draw_slice
from cryoetseg.core.volumes.wedge import wedge_energy

from .slab_preview import SMOOTHING, SlabPreview

SIGMA_RATIO = 1.1  # of the two Gaussians, as in the picker (Pei et al. 2016)
HEIGHT = 3.0  # standard deviations of the response that a shown blob reaches
SPECTRUM_ROWS = 32  # planes (z, x) that the spectrum is averaged over; it hardly changes along the tilt axis
SPECTRUM_SIDE = 256  # voxels of a plane along z and x at most
WHITE, BLACK = 99.5, 5.0  # percentiles of the logarithm of the power shown as white and black


def blobsOf(preview: SlabPreview, z: int, diameterPx: float) -> Tuple[np.ndarray, np.ndarray]:
    """Slices around ``z``, averaged over half a diameter, and positions (n, 2) in it of what answers to a difference of Gaussians.

    The inner sigma is d / (2 sqrt 3), to which a ball of diameter d answers most strongly.
    """
    reach = max(0, int(diameterPx // 4))
    slices = np.asarray(preview.volume[max(0, z - reach):z + reach + 1], dtype=np.float32)
    image = slices.mean(axis=0)
    bright = -image if preview.contrast == "dark" else image
    sigma = max(0.5, diameterPx / (2 * np.sqrt(3)))
    response = gaussian_filter(bright, sigma) - gaussian_filter(bright, SIGMA_RATIO * sigma)
    highest = maximum_filter(response, size=max(3, int(diameterPx)))
    return image, np.argwhere((response == highest) & (response > response.mean() + HEIGHT * response.std()))


def drawDiameter(figure: Figure, preview: SlabPreview, z: int, diameter: float) -> None:
    """A slice, and the same with circles of ``diameter`` (Angstrom) around what is about so large."""
    figure.clear()
    diameterPx = diameter / preview.voxelSize
    image, points = blobsOf(preview, z, diameterPx)
    left, right = figure.subplots(1, 2)
    shown = gaussian_filter(image, SMOOTHING)
    draw_slice(left, shown, title=f"{preview.name}, z = {z}", voxel_size=preview.voxelSize)
    draw_slice(right, shown, None, points, title=f"{diameter:g} Å are {diameterPx:.1f} voxels", diameter_px=diameterPx)


def spectrumOf(preview: SlabPreview) -> np.ndarray:
    """Power (kz, kx) of planes (z, x), averaged along y, zero frequency in the middle."""
    depth, height, width = preview.volume.shape
    nz, nx = min(depth, SPECTRUM_SIDE), min(width, SPECTRUM_SIDE)
    z, x = (depth - nz) // 2, (width - nx) // 2
    window = np.outer(np.hanning(nz), np.hanning(nx))
    power = np.zeros((nz, nx))
    for y in range(0, height, max(1, height // SPECTRUM_ROWS)):
        plane = np.asarray(preview.volume[z:z + nz, y, x:x + nx], dtype=np.float32)
        power += np.abs(np.fft.fftshift(np.fft.fft2((plane - plane.mean()) * window))) ** 2
    return power


def wedgeShare(power: np.ndarray, tiltMin: float, tiltMax: float) -> float:
    """Mean power inside the missing wedge over that outside; the corners beyond Nyquist are left out."""
    width = power.shape[1]
    return wedge_energy(np.fft.ifftshift(power)[:, :width // 2 + 1], width, tiltMin, tiltMax, innermost=2)  # the window widens the mean


def edgesOf(tiltMin: float, tiltMax: float) -> List[Tuple[Tuple[float, float], Tuple[float, float]]]:
    """Both edges of the measured fan as lines ((kx, kx), (kz, kz)) in cycles a voxel: a tilt by t measures kz = kx tan t."""
    lines = []
    for angle in np.radians([tiltMin, tiltMax]):
        reach = 0.5 / max(abs(np.cos(angle)), abs(np.sin(angle)))
        x, z = reach * np.cos(angle), reach * np.sin(angle)
        lines.append(((-x, x), (-z, z)))
    return lines


def drawTiltRange(figure: Figure, name: str, power: np.ndarray, tiltMin: float, tiltMax: float) -> None:
    """The power spectrum seen along the tilt axis with the edges of a tilt range over it (degrees)."""
    figure.clear()
    axes = figure.subplots()
    logarithm = np.log(power + power.max() * 1e-9)
    lowest, highest = np.percentile(logarithm, (BLACK, WHITE))
    axes.imshow(logarithm, cmap="gray", vmin=lowest, vmax=highest, extent=(-0.5, 0.5, -0.5, 0.5), origin="lower", aspect="equal")
    for x, z in edgesOf(tiltMin, tiltMax):
        axes.plot(x, z, color=ORANGE, linewidth=1.5)
    axes.set_xlabel("kx (cycles a voxel)", fontsize="small")
    axes.set_ylabel("kz", fontsize="small")
    share = wedgeShare(power, tiltMin, tiltMax)
    axes.set_title(f"{name}: {tiltMin:g} to {tiltMax:g} °, power in the wedge {100 * share:.0f} % of that beside it", fontsize="small")


def resampled(image: np.ndarray, voxelSize: float, wanted: float) -> np.ndarray:
    """A slice (y, x) at another voxel size; what the coarser grid cannot hold is smoothed away before."""
    factor = voxelSize / wanted
    smooth = gaussian_filter(image, 0.5 / factor) if factor < 1 else image
    return zoom(smooth, factor, order=1)


def drawVoxelSize(figure: Figure, preview: SlabPreview, z: int, wanted: float) -> None:
    """A slice as it is and at the voxel size ``wanted`` (Angstrom; 0 is its own)."""
    figure.clear()
    wanted = wanted or preview.voxelSize
    image = np.asarray(preview.volume[z], dtype=np.float32)
    coarse = resampled(image, preview.voxelSize, wanted)
    left, right = figure.subplots(1, 2)
    draw_slice(left, image, title=f"{preview.name}, z = {z}, {preview.voxelSize:g} Å", voxel_size=preview.voxelSize)
    draw_slice(right, coarse, title=f"{wanted:g} Å: {coarse.shape[0]} x {coarse.shape[1]} voxels, 250 Å are {250 / wanted:.0f}",
               voxel_size=wanted)
