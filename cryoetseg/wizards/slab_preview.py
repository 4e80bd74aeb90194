"""What the previews show, without any window: the profile of a tomogram along z, and the threshold on one slice."""
from typing import Any, Dict, Optional, Tuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from scipy.ndimage import gaussian_filter

from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.report.figures import BLUE, VERMILION, draw_slice
from cryoetseg.core.runtime.params import parameters_from

PROFILE_SAMPLES = 128  # samples of a slice along y and x; a profile needs no more
REACH = 4  # slabs on either side that the preview of a separation in three dimensions looks at
SMOOTHING = 1.25  # voxels, of the shown slices
MOST_VOXELS = 150_000_000  # of a tomogram whose sample a preview looks for: some seconds


class SlabPreview:
    """A tomogram (z, y, x) with its voxel size in Angstrom and how its particles look (``dark`` or ``bright``)."""

    def __init__(self, name: str, volume: np.ndarray, voxelSize: float, contrast: str = "dark") -> None:
        self.name, self.volume, self.voxelSize, self.contrast = name, volume, voxelSize, contrast
        self._profile = self._measure()

    @property
    def depth(self) -> int:
        """Number of slices."""
        return int(self.volume.shape[0])

    def profile(self) -> np.ndarray:
        """Standard deviation of every slice: high where there is something to see."""
        return self._profile

    def _measure(self) -> np.ndarray:
        rows, columns = (max(1, size // PROFILE_SAMPLES) for size in self.volume.shape[1:])
        return np.array([np.std(np.asarray(self.volume[z, ::rows, ::columns], dtype=np.float32)) for z in range(self.depth)])

    def sample(self) -> Optional[Tuple[int, int]]:
        """First slice of the sample and the one after its last, as *Slices that hold the sample* finds them; None where ice and sample
        cannot be told apart, or where the tomogram is too large to look through while a user waits."""
        from cryoetseg.core.volumes.cleaning import examine
        from cryoetseg.core.volumes.sample import find_sample

        if not hasattr(self, "_sample"):
            region = find_sample(examine(self.volume)) if self.volume.size <= MOST_VOXELS else None
            self._sample = None if region is None else region.z_range
        return self._sample

    def clampedRange(self, first: int, end: int) -> Tuple[int, int]:
        """A slab range inside the volume that holds one slice at the least; an end of 0 is the last slice."""
        first = int(np.clip(first, 0, self.depth - 1))
        return first, int(np.clip(end or self.depth, first + 1, self.depth))

    def slab(self, z: int, values: Dict[str, Any]) -> np.ndarray:
        """Slice ``z`` prepared as the method prepares it: grey values (y, x) from 0 to 255, particles dark."""
        from cryoetseg.core.foundation.slabs import prepare_slab, read_slab

        parameters = parameters_from(SegmentSlabsParameters, {**values, "slab_contrast": "dark"})
        image = read_slab(self.volume, int(np.clip(z, 0, self.depth - 1)), parameters)
        return 255 * prepare_slab(-image if self.contrast == "dark" else image, parameters)

    def threshold(self, slab: np.ndarray, values: Dict[str, Any]) -> np.ndarray:
        """Dark structures (y, x) of a prepared slab by the method's own threshold of single slices."""
        from cryoetseg.core.foundation.threshold import structure_mask

        return structure_mask(slab, parameters_from(SegmentSlabsParameters, values), self.voxelSize)

    def separation(self, z: int, values: Dict[str, Any]) -> Tuple[np.ndarray, np.ndarray]:
        """Membranes (y, x) and particles (n, 2) in slice ``z``, by the method's own separation of the slabs around it."""
        from cryoetseg.core.foundation.separation import separate

        first, end = max(0, z - REACH), min(self.depth, z + REACH + 1)
        structure = 1 - np.stack([self.slab(index, values) for index in range(first, end)]) / 255
        grey = np.asarray(self.volume[first:end], dtype=np.float32) * (-1 if self.contrast == "dark" else 1)
        # the run takes structure and density from the backbone, the preview from the smoothed slices
        membranes, particles = separate(structure, grey, structure, self.voxelSize, parameters_from(SegmentSlabsParameters, values))
        radius = values["particle_diameter"] / self.voxelSize / 2
        near = np.abs(particles.zyx[:, 0] - (z - first)) <= radius
        return membranes[z - first], particles.zyx[near][:, 1:]


def drawRange(figure: Figure, preview: SlabPreview, first: int, end: int) -> None:
    """The profile along z with the range and the sample that was found, and the slices at its begin, middle and end."""
    first, end = preview.clampedRange(first, end)
    figure.clear()
    grid = figure.add_gridspec(2, 3, height_ratios=[1, 2])
    axes = figure.add_subplot(grid[0, :])
    axes.plot(np.arange(preview.depth), preview.profile(), color=BLUE)
    axes.axvspan(first - 0.5, end - 0.5, color=VERMILION, alpha=0.2)
    found = preview.sample()
    if found is not None:
        begin, behind = found
        for face, label in ((begin - 0.5, f"sample found: {begin} to {behind - 1}"), (behind - 0.5, None)):
            axes.axvline(face, color="black", linestyle="--", linewidth=1, label=label)
        axes.legend(fontsize="x-small", loc="upper right")
    axes.set_xlim(0, max(1, preview.depth - 1))
    axes.set_title(f"{preview.name}: slices {first} to {end - 1} ({end - first} slabs)", fontsize="small")
    axes.set_xlabel("z (slices)", fontsize="small")
    axes.set_ylabel("contrast", fontsize="small")
    axes.set_yticks([])
    for column, z in enumerate((first, (first + end - 1) // 2, end - 1)):
        image = gaussian_filter(np.asarray(preview.volume[z], dtype=np.float32), SMOOTHING)
        draw_slice(figure.add_subplot(grid[1, column]), image, title=f"z = {z}", voxel_size=preview.voxelSize)


def drawThreshold(figure: Figure, preview: SlabPreview, z: int, values: Dict[str, Any]) -> None:
    """A prepared slice, and with what the thresholds keep; the circle has the diameter of the particles sought."""
    figure.clear()
    slab, points = preview.slab(z, values), np.zeros((0, 2))
    if values["separation"] == "volume":
        mask, points = preview.separation(z, values)
        title = f"{len(points)} particles, membranes {100 * mask.mean():.0f} %"
    else:
        mask = preview.threshold(slab, values)
        title = f"threshold keeps {100 * mask.mean():.0f} %"
    left, right = figure.subplots(1, 2)
    radius = values["particle_diameter"] / preview.voxelSize / 2
    draw_slice(left, slab, title=f"{preview.name}, z = {z}", voxel_size=preview.voxelSize)
    draw_slice(right, slab, mask, points, title=title, diameter_px=2 * radius)
    centre = (slab.shape[1] - 1.3 * radius, slab.shape[0] - 1.3 * radius)
    left.add_patch(Circle(centre, radius, fill=False, edgecolor=VERMILION, linewidth=1.5))
