"""Scipion sets to job files, and result files to Scipion sets.

Positions are voxels counted from 0 at voxel centres, as in the core; in Scipion that is the BOTTOM_LEFT_CORNER convention.
"""
import math
from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence

import numpy as np
from pwem.objects import AtomStruct, Image, SetOfVolumes, Volume
from pyworkflow.object import Float, Pointer, String
from scipy.spatial.transform import Rotation
from tomo.constants import BOTTOM_LEFT_CORNER, TR_RELION
from tomo.objects import Coordinate3D, SetOfCoordinates3D, TomoAcquisition, Tomogram, TomoMask

from cryoetseg.core.runtime.job import InputFile
from cryoetseg.star_rows import quoted, rowsOf, writeRows

TOMO_NAME, PIXEL_SIZE = "rlnTomoName", "rlnPixelSize"
SCORE, CLASS, CLASS_NAME = "rlnAutopickFigureOfMerit", "rlnClassNumber", "rlnParticleName"
DIAMETER = "rlnParticleDiameter"
POSITION = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
# attributes of our coordinates, which other plugins copy or ignore: "2 ribosome", where Scipion's own know numbers alone; Angstrom
GROUP_NAME, PARTICLE_DIAMETER = "_groupName", "_particleDiameter"


class Particle(NamedTuple):
    """One row of a particle list: position in voxels, RELION's angles in degrees, what, how sure, and its diameter in Angstrom.

    A diameter of 0 is unknown.
    """

    x: float
    y: float
    z: float
    rot: float = 0.0
    tilt: float = 0.0
    psi: float = 0.0
    score: float = 0.0
    classId: int = 0
    className: str = ""
    diameter: float = 0.0

    @property
    def isOriented(self) -> bool:
        """Whether the row says anything about orientation."""
        return any((self.rot, self.tilt, self.psi))


def fileOf(image: Image) -> str:
    """The file of a volume, without the reader's mark (``:mrc``) that Scipion may append to it."""
    fileName: str = image.getFileName()
    stem, _, mark = fileName.rpartition(":")
    return stem if stem and mark in ("mrc", "mrcs", "map") else fileName


def inputFile(volume: Tomogram, role: str = "tomogram", contrast: str = "dark") -> InputFile:
    """A tomogram or mask as an input of a job; Scipion's sampling rate overrules the file's header."""
    return InputFile(path=fileOf(volume), role=role, voxel_size=volume.getSamplingRate(), tilt_series_id=volume.getTsId(),
                     contrast=contrast)


def templateFiles(pointers: Iterable[Pointer]) -> List[InputFile]:
    """The molecules that a simulation takes from maps, sets of maps and atomic models, as inputs of a job."""
    return [_templateFile(item) for pointer in pointers for item in _single(pointer.get())]


def _single(item: Any) -> List[Any]:
    """The volumes of a set, or the item itself."""
    return [volume.clone() for volume in item.iterItems()] if isinstance(item, SetOfVolumes) else [item]


def _templateFile(item: Any) -> InputFile:
    if isinstance(item, AtomStruct) and not isinstance(item, Volume):
        return InputFile(path=item.getFileName(), role="template", contrast="bright")
    return InputFile(path=fileOf(item), role="template", voxel_size=item.getSamplingRate(), contrast="bright")


def newTomogram(fileName: str, tsId: str, samplingRate: float, acquisition: Optional[TomoAcquisition] = None) -> Tomogram:
    """A tomogram that no other one precedes; its origin is the middle of the volume, Scipion's default."""
    tomogram = Tomogram()
    tomogram.setSamplingRate(samplingRate)
    tomogram.setLocation(fileName)
    tomogram.setTsId(tsId)
    tomogram.setAcquisition(acquisition or TomoAcquisition())
    tomogram.setOrigin(None)
    return tomogram


def tomogramLike(parent: Tomogram, fileName: str) -> Tomogram:
    """A tomogram made from ``parent``: its id, origin, sampling rate and acquisition, the file ``fileName``, no half maps."""
    tomogram = Tomogram()
    tomogram.copyInfo(_withAcquisition(parent))
    tomogram.setLocation(fileName)
    # copyInfo also copied the halves of the input, which say nothing about this file
    tomogram.setHalfMaps([])
    return tomogram


def maskLike(tomogram: Tomogram, fileName: str) -> TomoMask:
    """The mask ``fileName`` of a tomogram, with its id, origin, sampling rate and acquisition."""
    mask = TomoMask()
    mask.copyInfo(_withAcquisition(tomogram))
    mask.setLocation(fileName)
    mask.setVolName(fileOf(tomogram))
    mask.setHalfMaps([])
    return mask


def _withAcquisition(tomogram: Tomogram) -> Tomogram:
    """Scipion's copyInfo fails where the acquisition is None."""
    if tomogram.getAcquisition() is None:
        tomogram.setAcquisition(TomoAcquisition())
    return tomogram


def readParticles(path: str) -> List[Particle]:
    """Read a RELION STAR file; raises :class:`InputError` when it holds no positions."""
    return [_particle(row) for row in rowsOf(path, POSITION)]


def particlesByTsId(path: str) -> Dict[str, List[Particle]]:
    """As :func:`readParticles`, for a list of several tomograms."""
    found: Dict[str, List[Particle]] = {}
    for row in rowsOf(path, (*POSITION, TOMO_NAME)):
        found.setdefault(row[TOMO_NAME], []).append(_particle(row))
    return found


def _particle(row: Dict[str, str]) -> Particle:
    x, y, z = (float(row[name]) for name in POSITION)
    rot, tilt, psi = (float(row.get(name, 0.0)) for name in ANGLES)
    return Particle(x, y, z, rot, tilt, psi, float(row.get(SCORE, 0.0)), int(float(row.get(CLASS, 0))), row.get(CLASS_NAME, ""),
                    _known(row.get(DIAMETER)))


def _known(text: Optional[str]) -> float:
    """A diameter as it is written, 0 where it is unknown."""
    value = float(text or 0.0)
    return value if math.isfinite(value) else 0.0


def writeParticles(path: str, tsId: str, samplingRate: float, particles: Iterable[Particle]) -> None:
    """Write particles of one tomogram, in voxels of ``samplingRate`` (Angstrom), as a RELION STAR file, atomically."""
    particles = list(particles)
    named, sized = any(item.className for item in particles), all(item.diameter > 0 for item in particles)
    rows = [[*(repr(float(value)) for value in item[:7]), str(item.classId), repr(float(samplingRate)), quoted(tsId),
             *([quoted(item.className or f"class{item.classId}")] if named else []), *([f"{item.diameter:g}"] if sized else [])]
            for item in particles]
    further = [*([CLASS_NAME] if named else []), *([DIAMETER] if sized else [])]
    writeRows(path, [*POSITION, *ANGLES, SCORE, CLASS, PIXEL_SIZE, TOMO_NAME, *further], rows)


def coordinatesOf(particles: Iterable[Particle], tomogram: Tomogram) -> Iterator[Coordinate3D]:
    """Particles of one tomogram as Scipion's coordinates, with class (group), its name, score and orientation."""
    for item in particles:
        coordinate = Coordinate3D()
        # positions are kept relative to the volume's origin, so the volume comes first
        coordinate.setVolume(tomogram)
        coordinate.setPosition(item.x, item.y, item.z, BOTTOM_LEFT_CORNER)
        coordinate.setTomoId(tomogram.getTsId())
        coordinate.setGroupId(item.classId)
        setattr(coordinate, GROUP_NAME, String(f"{item.classId} {item.className}" if item.className else ""))
        setattr(coordinate, PARTICLE_DIAMETER, Float(item.diameter))
        coordinate.setScore(item.score)
        if item.isOriented:
            coordinate.setMatrix(matrixOf(item.rot, item.tilt, item.psi), convention=TR_RELION)
        yield coordinate


def particlesOf(coordinates: SetOfCoordinates3D, tomogram: Tomogram, samplingRate: float) -> List[Particle]:
    """The coordinates of one tomogram in voxels of ``samplingRate`` (Angstrom), with class, its name, score and orientation."""
    scale = coordinates.getSamplingRate() / samplingRate
    found = []
    for coordinate in coordinates.iterCoordinates(tomogram):
        if not coordinate.isEnabled():
            continue
        # Scipion keeps positions in voxels of the set, relative to an origin in Angstrom: take them in the set's own voxels first
        x, y, z = coordinate.getPosition(BOTTOM_LEFT_CORNER)
        angles = anglesOf(coordinate.getMatrix(convention=TR_RELION))
        found.append(Particle(x * scale, y * scale, z * scale, *angles, float(coordinate.getScore() or 0), coordinate.getGroupId() or 0,
                              groupName(coordinate), diameterOf(coordinate)))
    return found


def diameterOf(coordinate: Coordinate3D) -> float:
    """The diameter of a particle in Angstrom; 0 where it is unknown."""
    stored = getattr(coordinate, PARTICLE_DIAMETER, None)
    return float((stored.get() if stored is not None else 0.0) or 0.0)


def groupName(coordinate: Coordinate3D) -> str:
    """The name of a coordinate's group; empty where none was given or another program has moved it to another group since."""
    stored = getattr(coordinate, GROUP_NAME, None)
    number, _, name = ((stored.get() if stored is not None else "") or "").partition(" ")
    return name if number == str(coordinate.getGroupId()) else ""


def matrixOf(rot: float, tilt: float, psi: float) -> np.ndarray:
    """RELION's Euler angles (ZYZ, degrees) as the 4 x 4 matrix that Scipion's tomography plugins call the RELION convention."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("ZYZ", [rot, tilt, psi], degrees=True).as_matrix()
    return matrix


def anglesOf(matrix: np.ndarray) -> Sequence[float]:
    """Rot, tilt and psi (degrees) of a matrix in the RELION convention; the inverse of :func:`matrixOf`."""
    rotation = np.asarray(matrix)[:3, :3]
    if abs(rotation[2, 2]) > 1 - 1e-12:  # no tilt: rot and psi turn about one axis, so one of them says it all
        flipped = rotation[2, 2] < 0
        angle = math.degrees(math.atan2(rotation[1, 0], rotation[1, 1]))
        return (-angle, 180.0, 0.0) if flipped else (angle, 0.0, 0.0)
    return tuple(Rotation.from_matrix(rotation).as_euler("ZYZ", degrees=True))


def tsIdsOf(setOfItems: Any) -> List[str]:
    """Sorted tilt-series ids of the items that are not disabled; empty for an empty set, where Scipion's own ``getTSIds`` fails."""
    if setOfItems is None or not setOfItems.getSize():
        return []
    attribute = Coordinate3D.TOMO_ID_ATTR if isinstance(setOfItems, SetOfCoordinates3D) else Tomogram.TS_ID_FIELD
    return sorted(setOfItems.getUniqueValues(attribute, where="enabled=1"))


def doubledTsIds(setOfVolumes: Any) -> List[str]:
    """Tilt-series ids that several items of a set share, as in joined sets; only one of them could be worked on."""
    counts = Counter(item.getTsId() for item in setOfVolumes.iterItems() if item.isEnabled()) if setOfVolumes.getSize() else Counter()
    return sorted(str(tsId) for tsId, count in counts.items() if count > 1)


def byTsId(setOfVolumes: Any) -> Dict[str, Tomogram]:
    """Copies of a set's enabled items by tilt-series id. Copies, because two walks of one set at a time end the outer one early."""
    return {item.getTsId(): item.clone() for item in setOfVolumes.iterItems() if item.isEnabled()} if setOfVolumes.getSize() else {}
