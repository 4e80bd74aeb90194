"""What protocols share that work through a set of tomograms, one job each, into masks and coordinates of these tomograms."""
from typing import Dict, List, Sequence

from pyworkflow.object import Pointer
from pyworkflow.protocol import Form, PointerParam
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks, Tomogram

from cryoetseg.convert import byTsId, coordinatesOf, inputFile, maskLike, readParticles, tsIdsOf
from cryoetseg.core.runtime.job import InputFile, Result

from .form_builder import addFields
from .input_checks import checkTomograms
from .protocol_base import CONTRASTS, ProtCryoEtSegBase, evenBox
from .slice_ranges import LAST_ATTRIBUTE, isAutomatic, rangeOf

BOX_PER_DIAMETER = 1.5


class ProtCryoEtSegTomogramsBase(ProtCryoEtSegBase):
    """Base of the protocols with an input ``inTomos``; outputs keep the id, origin and voxel size of their tomogram."""

    _inputHelp = "Tomograms to work on."

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegTomogramsBase

    # --------------------------- form --------------------------------------
    def _addTomograms(self, form: Form) -> None:
        form.addParam("inTomos", PointerParam, pointerClass="SetOfTomograms", important=True, label="Tomograms",
                      help=self._inputHelp)
        self._addContrast(form)

    def _addParameters(self, form: Form) -> None:
        """All parameters of the core under one heading, called as the protocol."""
        addFields(form.addGroup(self._label[0].upper() + self._label[1:]), self._model, self._model.model_fields)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return tsIdsOf(self.inTomos.get())

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [self._tomogramFile(tsId)]

    def _tomogramFile(self, tsId: str) -> InputFile:
        return inputFile(self._tomograms()[tsId], contrast=CONTRASTS[self.contrast.get()])

    def _tomograms(self) -> Dict[str, Tomogram]:
        if not hasattr(self, "_tomogramsById"):
            self._tomogramsById = byTsId(self.inTomos.get())
        return self._tomogramsById

    def _workOf(self, tsId: str) -> float:
        """Voxels in the slices that are worked on, taking all tomograms to be as large as the first."""
        size = self.inTomos.get().getDim()
        if not size:
            return 0.0
        x, y, depth = size
        first, end = rangeOf(self, depth) if hasattr(self, LAST_ATTRIBUTE) and not isAutomatic(self) else (0, 0)
        return float(x * y * max(1, min(end or depth, depth) - first))

    # --------------------------- outputs -----------------------------------
    def _sources(self) -> List[Pointer]:
        """Inputs that the outputs come from."""
        return [self.inTomos]

    def _registerMask(self, name: str, tsId: str, result: Result, kind: str) -> None:
        """Add the first output of ``kind`` as the mask of its tomogram to the output set ``name``."""
        mask = maskLike(self._tomograms()[tsId], self._getOutputFile(tsId, result, kind))
        self._extendOutput(name, lambda: self._createMasks(name), tsId, [mask], self._sources())

    def _registerCoordinates(self, name: str, tsId: str, result: Result, diameter: float) -> None:
        """Add the particle list of one tomogram to the output set ``name``, for particles of ``diameter`` Angstrom."""
        particles = readParticles(self._getOutputFile(tsId, result, "particles"))
        self._extendOutput(name, lambda: self._createCoordinates(name, diameter), tsId,
                           coordinatesOf(particles, self._tomograms()[tsId]), self._sources())

    def _createMasks(self, name: str) -> SetOfTomoMasks:
        masks = SetOfTomoMasks.create(self._getPath(), suffix=name)
        masks.copyInfo(self.inTomos.get())
        return masks

    def _createCoordinates(self, name: str, diameter: float) -> SetOfCoordinates3D:
        samplingRate = self.inTomos.get().getSamplingRate()
        coordinates = SetOfCoordinates3D.create(self._getPath(), suffix=name)
        coordinates.setSamplingRate(samplingRate)
        coordinates.setBoxSize(evenBox(BOX_PER_DIAMETER * diameter, samplingRate))
        coordinates.setPrecedents(self.inTomos)
        return coordinates

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        return checkTomograms(self.inTomos, "Tomograms")


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def counted(number: int, thing: str, mark: str = "*") -> str:
    """``*1* tomogram``, ``*2* tomograms``; ``mark`` is what Scipion's summaries make bold, empty in sentences for papers."""
    return f"{mark}{number}{mark} {thing}{'' if number == 1 else 's'}"


def tellingWarnings(results: Dict[str, Result]) -> List[str]:
    """The warnings of results as lines of a summary."""
    return [f"{tsId}: {warning}" for tsId, result in results.items() for warning in result.warnings]
