"""Coordinates that score high enough."""
from typing import List

from pwem.protocols import EMProtocol
from pyworkflow import BETA
from pyworkflow.protocol import FloatParam, Form, IntParam, PointerParam
from pyworkflow.protocol.params import GE
from pyworkflow.utils import Message
from tomo.objects import Coordinate3D, SetOfCoordinates3D

from .input_checks import checkIds
from .selection import SELECTED, defineSelection


class ProtCryoEtSegSelectByScore(EMProtocol):
    """Keep the coordinates whose score reaches a threshold, at most so many in each tomogram.

    The histogram of scores (*Analyze Results* of a picking, or right-click on coordinates) launches this with the threshold that
    was set there, so that the choice is recorded in the project.
    """

    _label = "select coordinates by score"
    _devStatus = BETA
    _possibleOutputs = {SELECTED: SetOfCoordinates3D}

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Coordinates with scores, from any picker.")
        form.addParam("threshold", FloatParam, default=0.0, label="Lowest score", help="Coordinates that score less are left out.")
        form.addParam("most", IntParam, default=0, validators=[GE(0)], label="Most in a tomogram",
                      help="Only so many best ones of each tomogram are kept; 0 keeps all above the threshold.")

    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.selectStep, self.threshold.get(), self.most.get(), needsGPU=False)

    def selectStep(self, threshold: float, most: int) -> None:
        """Copy the coordinates that pass into a new set."""
        kept = self._chosen(threshold, most)
        if not kept:
            raise ValueError(f"no coordinate scores {threshold:g} or more. What to do: choose a lower threshold.")
        defineSelection(self, self.inCoordinates, kept)

    def _chosen(self, threshold: float, most: int) -> List[Coordinate3D]:
        passing = [item.clone() for item in self.inCoordinates.get().iterItems() if (item.getScore() or 0.0) >= threshold]
        if not most:
            return passing
        best, counts = set(), {}
        for item in sorted(passing, key=lambda item: -(item.getScore() or 0.0)):
            counts[item.getTomoId()] = counts.get(item.getTomoId(), 0) + 1
            if counts[item.getTomoId()] <= most:
                best.add(item.getObjId())
        return [item for item in passing if item.getObjId() in best]

    def _validate(self) -> List[str]:
        return checkIds(self.inCoordinates, "Coordinates")

    def _summary(self) -> List[str]:
        if not hasattr(self, SELECTED):
            return ["Output is not ready yet."]
        return [f"*{self.selected.getSize()}* of {self.inCoordinates.get().getSize()} coordinates score {self.threshold.get():g} or more"
                + (f", at most {self.most.get()} in each tomogram." if self.most.get() else ".")]

    def _methods(self) -> List[str]:
        if not hasattr(self, SELECTED):
            return []
        return [f"Coordinates with a score of at least {self.threshold.get():g} were kept, {self.selected.getSize()} in all."]

    def _citations(self) -> List[str]:
        return []
