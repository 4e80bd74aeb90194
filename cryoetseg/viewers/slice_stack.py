"""A tomogram with what was found in it, slice by slice: what the windows show, without any window."""
from typing import Any, Callable, Iterable, List, NamedTuple, Optional, Tuple

import mrcfile
import numpy as np
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks, Tomogram

from cryoetseg.convert import byTsId, fileOf, particlesOf
from cryoetseg.core.runtime.errors import InputError

AXES = ("z", "y", "x")
# rows and columns of the shown slice, as axes of the (z, y, x) volume
PLANES = {"z": (1, 2), "y": (0, 2), "x": (0, 1)}
PROBABILITY_CUT = 0.5  # voxels of a probability map that reach this are shown as its mask
MRC_SUFFIXES = (".mrc", ".rec", ".map", ".mrcs", ".st", ".ali")


class Plane(NamedTuple):
    """One slice (rows, columns) with its mask, and of the particles that cross it positions (n, 2), classes (n,) from 0, diameters (n,)."""

    image: np.ndarray
    mask: Optional[np.ndarray]
    points: np.ndarray
    classes: np.ndarray
    diameters: np.ndarray
    title: str


class SliceStack:
    """Slices of a volume (z, y, x) along any axis, with a mask of the same shape and points (n, 3) in voxels (z, y, x).

    ``diameters`` (n,) of the points in voxels; 0 where it is unknown, and there ``diameterPx`` counts.
    """

    def __init__(self, name: str, volume: np.ndarray, voxelSize: float, mask: Optional[np.ndarray] = None,
                 points: Optional[np.ndarray] = None, diameterPx: float = 8.0, cut: float = PROBABILITY_CUT,
                 scores: Optional[np.ndarray] = None, classes: Optional[np.ndarray] = None,
                 diameters: Optional[np.ndarray] = None) -> None:
        if mask is not None and mask.shape != volume.shape:
            raise InputError(f"the mask of {name} has {mask.shape} voxels (z, y, x)", f"those of its tomogram, {volume.shape}")
        self.name, self.volume, self.mask, self.voxelSize, self.diameterPx = name, volume, mask, voxelSize, diameterPx
        self.cut, self.least = cut, -np.inf  # of probabilities and of scores, which a window may move
        self.points = np.zeros((0, 3)) if points is None else np.asarray(points, dtype=float).reshape(-1, 3)
        own = np.zeros(len(self.points)) if diameters is None else np.asarray(diameters, dtype=float)
        self.diameters = np.where(own > 0, own, diameterPx)
        self.scores = np.zeros(len(self.points)) if scores is None else np.asarray(scores, dtype=float)
        self.classes = np.zeros(len(self.points), int) if classes is None else np.unique(classes, return_inverse=True)[1]

    def length(self, axis: str) -> int:
        """Number of slices along an axis."""
        return int(self.volume.shape[AXES.index(axis)])

    def start(self, axis: str) -> int:
        """The slice to show first: where most of the mask is, else most of the points, else the middle one."""
        number = AXES.index(axis)
        if self.mask is not None:
            others = tuple(other for other in range(3) if other != number)
            filled = np.count_nonzero(self._covered(self.mask), axis=others)
            if filled.any():
                return int(np.argmax(filled))
        if len(self.points):
            return int(np.clip(np.median(self.points[:, number]), 0, self.length(axis) - 1))
        return self.length(axis) // 2

    def plane(self, axis: str, index: int) -> Plane:
        """The slice number ``index`` along ``axis``; points count when they are within their radius of it."""
        number, (rows, columns) = AXES.index(axis), PLANES[axis]
        index = int(np.clip(index, 0, self.length(axis) - 1))
        cut = tuple(index if other == number else slice(None) for other in range(3))
        near = (np.abs(self.points[:, number] - index) <= self.diameters / 2) & (self.scores >= self.least)
        mask = None if self.mask is None else self._covered(np.asarray(self.mask[cut]))
        title = f"{self.name}   {axis} = {index} of {self.length(axis)}"
        return Plane(np.asarray(self.volume[cut], dtype=np.float32), mask, self.points[near][:, [rows, columns]], self.classes[near],
                     self.diameters[near], title)

    def _covered(self, mask: np.ndarray) -> np.ndarray:
        """Labels as they are; of probabilities the voxels that reach the cut."""
        return mask >= self.cut if mask.dtype.kind == "f" else mask


def openArray(path: str) -> np.ndarray:
    """A volume (z, y, x), memory-mapped where it is MRC and read by Scipion otherwise; raises :class:`InputError`."""
    if not path.lower().endswith(MRC_SUFFIXES):
        return _readByScipion(path)
    try:
        with mrcfile.mmap(path, mode="r", permissive=True) as volume:
            data = volume.data
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", "an MRC volume") from error
    if data is None or data.ndim != 3:
        raise InputError(f"{path} is not a volume", "an MRC file with three axes")
    return data


def _readByScipion(path: str) -> np.ndarray:
    from pwem.emlib.image import ImageHandler

    try:
        return np.squeeze(ImageHandler().read(path).getData())
    except Exception as error:  # Scipion's readers raise plain Exceptions
        raise InputError(f"cannot read {path}: {error}", "a format that Scipion reads") from error


def stackOf(tomogram: Tomogram, maskFile: str = "", coordinates: Optional[SetOfCoordinates3D] = None,
            threshold: Optional[float] = None, cut: float = PROBABILITY_CUT) -> SliceStack:
    """A tomogram with a mask file (probabilities from ``cut`` on) and the coordinates that reach the threshold, all optional."""
    samplingRate = tomogram.getSamplingRate()
    points, scores, classes, diameters, diameter = None, None, None, None, 8.0
    if coordinates is not None:
        particles = particlesOf(coordinates, tomogram, samplingRate)
        points = np.array([(item.z, item.y, item.x) for item in particles])
        scores, classes = np.array([item.score for item in particles]), np.array([item.classId for item in particles])
        diameters = np.array([item.diameter for item in particles]) / samplingRate
        diameter = (coordinates.getBoxSize() or 12) * coordinates.getSamplingRate() / samplingRate / 1.5
    mask = openArray(maskFile) if maskFile else None
    stack = SliceStack(tomogram.getTsId(), openArray(fileOf(tomogram)), samplingRate, mask, points, diameter, cut, scores, classes,
                       diameters)
    if threshold is not None:
        stack.least = threshold
    return stack


# The browser walks over tomograms and opens each only when it is looked at: (name, how to open it)
Entry = Tuple[str, Callable[[], SliceStack]]


def entriesOf(tomograms: Iterable[Tomogram], masks: Optional[SetOfTomoMasks] = None,
              coordinates: Optional[SetOfCoordinates3D] = None, threshold: Optional[float] = None,
              cut: float = PROBABILITY_CUT) -> List[Entry]:
    """One entry a tomogram, with its mask and coordinates (from a score on) where there are some."""
    maskFiles = {tsId: fileOf(mask) for tsId, mask in byTsId(masks).items()} if masks is not None else {}

    def opener(tomogram: Tomogram) -> Callable[[], SliceStack]:
        return lambda: stackOf(tomogram, maskFiles.get(tomogram.getTsId(), ""), coordinates, threshold, cut)

    return [(tomogram.getTsId(), opener(tomogram)) for tomogram in tomograms]


def entriesOfMasks(masks: SetOfTomoMasks) -> List[Entry]:
    """One entry a mask, on the tomogram that it names."""
    def opener(mask: Any) -> Callable[[], SliceStack]:
        return lambda: SliceStack(mask.getTsId(), openArray(mask.getVolName()), mask.getSamplingRate(), openArray(fileOf(mask)))

    return [(tsId, opener(mask)) for tsId, mask in sorted(byTsId(masks).items())]


def entriesOfCoordinates(coordinates: SetOfCoordinates3D) -> List[Entry]:
    """One entry a tomogram that coordinates lie in."""
    tomograms = byTsId(coordinates.getPrecedents())
    return entriesOf([tomograms[tsId] for tsId in sorted(coordinates.getTSIds()) if tsId in tomograms], coordinates=coordinates)
