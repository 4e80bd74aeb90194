"""Coordinates that were corrected by hand."""
import json
from typing import Any, List, NamedTuple, Set

from pwem.protocols import EMProtocol
from pyworkflow import BETA
from pyworkflow.protocol import Form, PointerParam, StringParam
from pyworkflow.utils import Message
from tomo.objects import Coordinate3D, SetOfCoordinates3D

from cryoetseg.convert import Particle, byTsId, coordinatesOf

from .input_checks import checkIds
from .protocol_tomograms_base import counted
from .selection import defineSelection

CURATED = "curated"
BY_HAND = 1.0  # score of what a person clicked


class Added(NamedTuple):
    """A particle that was clicked: its tilt-series id, position in voxels of its tomogram from the corner, and group."""

    tsId: str
    x: float
    y: float
    z: float
    group: int = 1


class ProtCryoEtSegCurateCoordinates(EMProtocol):
    """Take coordinates away and add others by hand; what was changed stays in the project with the run.

    *Correct picks by clicks* in *Analyze Results* of a picking, or in the right-click menu of coordinates, launches this: a click on a
    particle takes it away, a click beside one adds a particle. The input stays as it is.
    """

    _label = "correct coordinates by hand"
    _devStatus = BETA
    _possibleOutputs = {CURATED: SetOfCoordinates3D}

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Coordinates of any picker.")
        form.addParam("removed", StringParam, default="", allowsNull=True, label="Taken away",
                      help="Ids (in the set) of coordinates that are left out, separated by blanks. The window of clicks fills this.")
        form.addParam("added", StringParam, default="", allowsNull=True, label="Added",
                      help='What is added, as JSON: [["TS_1", x, y, z, group], ...] in voxels of the tomogram, counted from 0 at a corner. '
                           "The window of clicks fills this.")

    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.curateStep, self.removed.get(), self.added.get(), needsGPU=False)

    def curateStep(self, removed: str, added: str) -> None:
        """Copy what stays and add what was clicked."""
        source, gone = self.inCoordinates.get(), self.getRemoved()
        kept = [item.clone() for item in source.iterItems() if item.getObjId() not in gone]
        new = self._newItems(source)
        if not kept and not new:
            raise ValueError("no coordinate is left. What to do: keep one at least.")
        items = [*kept, *new]
        for item in items:
            item.setObjId(None)
        defineSelection(self, self.inCoordinates, items, CURATED)

    def _newItems(self, source: SetOfCoordinates3D) -> List[Coordinate3D]:
        tomograms, items = byTsId(source.getPrecedents()), []
        for one in self.getAdded():
            # a set may have another sampling rate than its tomograms: its own voxels count
            scale = tomograms[one.tsId].getSamplingRate() / source.getSamplingRate()
            particle = Particle(one.x * scale, one.y * scale, one.z * scale, score=BY_HAND, classId=one.group)
            items += list(coordinatesOf([particle], tomograms[one.tsId]))
        return items

    def getRemoved(self) -> Set[int]:
        """Ids of the coordinates that are taken away."""
        return {int(word) for word in (self.removed.get() or "").split()}

    def getAdded(self) -> List[Added]:
        """What is added."""
        rows = json.loads(self.added.get() or "[]")
        return [Added(str(row[0]), *map(float, row[1:4]), *(int(value) for value in row[4:5])) for row in rows]

    # --------------------------- information -------------------------------
    def _validate(self) -> List[str]:
        errors = checkIds(self.inCoordinates, "Coordinates")
        if errors or self.inCoordinates.get() is None:
            return errors
        return self._removedErrors() + self._addedErrors()

    def _removedErrors(self) -> List[str]:
        try:
            unknown = self.getRemoved() - self.inCoordinates.get().getIdSet()
        except ValueError:
            return [f"*Taken away* = {self.removed.get()}. Allowed: whole numbers separated by blanks."]
        return [f"*Taken away*: {min(unknown)} is no coordinate of the set. Allowed: its ids."] if unknown else []

    def _addedErrors(self) -> List[str]:
        try:
            added = self.getAdded()
        except (ValueError, TypeError, IndexError, KeyError):
            return [f'*Added* = {self.added.get()}. Allowed: JSON such as [["TS_1", 10, 20, 30, 1]].']
        tomograms = byTsId(self.inCoordinates.get().getPrecedents())
        wrong = next((one for one in added if not _isInside(one, tomograms.get(one.tsId))), None)
        return [f"*Added*: {wrong.tsId} {wrong.x:g}, {wrong.y:g}, {wrong.z:g} lies in no tomogram of the set."] if wrong else []

    def _summary(self) -> List[str]:
        if not hasattr(self, CURATED):
            return ["Output is not ready yet."]
        return [f"{counted(len(self.getRemoved()), 'coordinate')} taken away and *{len(self.getAdded())}* added by hand, "
                f"*{self.curated.getSize()}* of {self.inCoordinates.get().getSize()} are left."]

    def _methods(self) -> List[str]:
        if not hasattr(self, CURATED):
            return []
        return [f"By hand {len(self.getRemoved())} coordinates were taken away and {len(self.getAdded())} added."]

    def _citations(self) -> List[str]:
        return []


def _isInside(one: Added, tomogram: Any) -> bool:
    return tomogram is not None and all(-0.5 <= value < size - 0.5 for value, size in zip((one.x, one.y, one.z), tomogram.getDim()))
