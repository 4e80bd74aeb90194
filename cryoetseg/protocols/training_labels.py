"""Labels of a training, whoever made them: masks or coordinates of the same tilt series, checked before anything runs."""
import os
from typing import List, Sequence

from pyworkflow.object import Pointer
from tomo.objects import Tomogram

from cryoetseg.convert import byTsId, inputFile, particlesOf, tsIdsOf, writeParticles
from cryoetseg.core.runtime.job import InputFile

from .input_checks import checkIds

SAME_VOXEL_SIZE = 0.01  # largest relative difference between a tomogram and its mask, as in the core
SHOWN = 5  # bad tomograms that are named


class TrainingLabels:
    """What a training needs of its labels: ids, checks, and files for the job."""

    role = ""
    isWritten = False  # whether files for the job are made from the set

    def __init__(self, pointer: Pointer, label: str) -> None:
        self.pointer, self.label = pointer, label

    def tsIds(self) -> List[str]:
        """Tilt-series ids that have labels."""
        return tsIdsOf(self.pointer.get())

    def validateSet(self) -> List[str]:
        """Messages about a set that cannot be used at all."""
        return checkIds(self.pointer, self.label)

    def validate(self, tomograms: Sequence[Tomogram]) -> List[str]:
        """Messages about labels that do not fit the tomograms they belong to."""
        return []

    def inputFile(self, tomogram: Tomogram, folder: str) -> InputFile:
        """The labels of one tomogram as an input of the job."""
        raise NotImplementedError

    def write(self, tomogram: Tomogram, folder: str) -> None:
        """Write the labels of one tomogram where they do not exist as a file yet."""

    def writeTo(self, tomogram: Tomogram, path: str) -> None:
        """Write the labels of one tomogram under this name; only where :attr:`isWritten`."""
        raise NotImplementedError


class MaskLabels(TrainingLabels):
    """Label volumes: 0 background, 1, 2, ... classes."""

    role = "labels"

    def __init__(self, pointer: Pointer, label: str, resample: bool) -> None:
        super().__init__(pointer, label)
        self.resample = resample
        self._masks = byTsId(pointer.get()) if pointer.get() is not None else {}

    def validate(self, tomograms: Sequence[Tomogram]) -> List[str]:
        """Masks of another size or voxel size are told, unless they shall be resampled."""
        if self.resample:
            return []
        bad = [tomogram.getTsId() for tomogram in tomograms if not self._fits(tomogram)]
        if not bad:
            return []
        first = next(tomogram for tomogram in tomograms if tomogram.getTsId() == bad[0])
        return [f"*{self.label}* of {', '.join(bad[:SHOWN])} do not fit their tomograms: {_described(self._masks[bad[0]])} against "
                f"{_described(first)}. Allowed: the size and voxel size of the tomogram. What to do: choose masks of this binning, or "
                "set *Resample labels* to yes."]

    def _fits(self, tomogram: Tomogram) -> bool:
        mask = self._masks[tomogram.getTsId()]
        alike = abs(mask.getSamplingRate() / tomogram.getSamplingRate() - 1) <= SAME_VOXEL_SIZE
        return alike and tuple(mask.getDim()) == tuple(tomogram.getDim())

    def inputFile(self, tomogram: Tomogram, folder: str) -> InputFile:
        """The mask's own file."""
        return inputFile(self._masks[tomogram.getTsId()], self.role)


class CoordinateLabels(TrainingLabels):
    """Positions; their groups are the classes, and 1 where the picker knew no groups."""

    role = "particles"
    isWritten = True

    def __init__(self, pointer: Pointer, label: str) -> None:
        super().__init__(pointer, label)
        # the set's own tomograms say where its origin is; those of the training may have another binning
        self._precedents = byTsId(pointer.get().getPrecedents()) if pointer.get() is not None else {}

    def tsIds(self) -> List[str]:
        """Ids of the tomograms that hold at least one coordinate."""
        return sorted(set(super().tsIds()) & set(self._precedents))

    def validate(self, tomograms: Sequence[Tomogram]) -> List[str]:
        """Coordinates outside their tomogram are told, with the usual cause."""
        errors = []
        for tomogram in tomograms:
            size = tomogram.getDim()
            particles = self._particles(tomogram)
            outside = sum(any(not -0.5 <= value < length - 0.5 for value, length in zip(item[:3], size)) for item in particles)
            if outside:
                errors.append(f"{outside} of {len(particles)} *{self.label}* of {tomogram.getTsId()} lie outside its "
                              f"{_described(tomogram)}. What to do: check the sampling rate of the coordinates "
                              f"({self.pointer.get().getSamplingRate():g} Å); another binning is the usual cause.")
        return errors[:SHOWN]

    def _particles(self, tomogram: Tomogram) -> list:
        found = particlesOf(self.pointer.get(), self._precedents[tomogram.getTsId()], tomogram.getSamplingRate())
        return [item if item.classId > 0 else item._replace(classId=1, className="") for item in found]

    def inputFile(self, tomogram: Tomogram, folder: str) -> InputFile:
        """The list that :meth:`write` makes."""
        return InputFile(path=self._path(tomogram, folder), role=self.role, voxel_size=tomogram.getSamplingRate(),
                         tilt_series_id=tomogram.getTsId())

    def write(self, tomogram: Tomogram, folder: str) -> None:
        """The coordinates in voxels of the tomogram, as a STAR file."""
        self.writeTo(tomogram, self._path(tomogram, folder))

    def writeTo(self, tomogram: Tomogram, path: str) -> None:
        """The same under any name."""
        writeParticles(path, tomogram.getTsId(), tomogram.getSamplingRate(), self._particles(tomogram))

    def _path(self, tomogram: Tomogram, folder: str) -> str:
        return os.path.join(folder, f"{tomogram.getTsId()}_labels.star")


def _described(volume: Tomogram) -> str:
    return f"{' x '.join(map(str, volume.getDim()))} voxels of {volume.getSamplingRate():g} Å"
