"""Coordinates of some clusters."""
from typing import List

from pwem.protocols import EMProtocol
from pyworkflow import BETA
from pyworkflow.protocol import Form, PointerParam, StringParam
from pyworkflow.utils import Message
from tomo.objects import SetOfCoordinates3D

from .input_checks import checkIds
from .selection import SELECTED, defineSelection


class ProtCryoEtSegSelectByCluster(EMProtocol):
    """Keep the coordinates of some groups, such as the kinds that *cluster particles* found.

    *Analyze Results* of *cluster particles* makes this run; or give the numbers of what you want to keep by hand.
    """

    _label = "select coordinates by cluster"
    _devStatus = BETA
    _possibleOutputs = {SELECTED: SetOfCoordinates3D}

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Coordinates with groups, as *cluster particles* and the pickers give them.")
        form.addParam("clusters", StringParam, default="", label="Clusters",
                      help="Numbers with commas between them, for example 2,5; 0 are the unsure ones.")

    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.selectStep, self.clusters.get(), needsGPU=False)

    def selectStep(self, clusters: str) -> None:
        """Copy the coordinates of the clusters into a new set."""
        wanted = set(clusterNumbers(clusters))
        kept = [item.clone() for item in self.inCoordinates.get().iterItems() if (item.getGroupId() or 0) in wanted]
        if not kept:
            raise ValueError(f"no coordinate belongs to {clusters}. What to do: look at the groups of the set.")
        defineSelection(self, self.inCoordinates, kept)

    def _validate(self) -> List[str]:
        errors = checkIds(self.inCoordinates, "Coordinates")
        try:
            numbers = clusterNumbers(self.clusters.get() or "")
        except ValueError:
            numbers = []
        if not numbers:
            errors.append(f"*Clusters* = {self.clusters.get()!r}. Allowed: whole numbers with commas between them, for example 2,5.")
        return errors

    def _summary(self) -> List[str]:
        if not hasattr(self, SELECTED):
            return ["Output is not ready yet."]
        return [f"*{self.selected.getSize()}* of {self.inCoordinates.get().getSize()} coordinates belong to {self.clusters.get()}."]

    def _methods(self) -> List[str]:
        return []

    def _citations(self) -> List[str]:
        return []


def clusterNumbers(text: str) -> List[int]:
    """``2,5`` as numbers; raises ``ValueError``."""
    return [int(part) for part in text.split(",") if part.strip()]
