"""Membranes of any run: masks on the slices, probabilities at a threshold to choose, clicks that correct, the table of measures."""
import os
from typing import Any, Callable, Dict, List, Optional, Tuple

from pyworkflow.protocol.params import FloatParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, TextView, View, Viewer
from tomo.objects import SetOfTomoMasks

from cryoetseg.convert import byTsId
from cryoetseg.core.students.membranes.curate_params import CurateMembranesParameters, Place, places_text
from cryoetseg.protocols import (
    ProtCryoEtSegCurateMembranes,
    ProtCryoEtSegMeasureMembranes,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegThresholdMembranes,
)

from .membrane_window import MembraneWindow
from .slice_browser import Level, SliceBrowser
from .slice_stack import entriesOf, entriesOfMasks, openArray
from .viewer_coordinates import NOTHING, launched

PROBABILITIES = "probabilities"
CANDIDATES_FROM = CurateMembranesParameters().candidates_from


class CryoEtSegMembranesViewer(ProtocolViewer):
    """Masks over slices, what another threshold would give, clicks that take membranes out or put them in, and their measures."""

    _label = "Membranes"
    _targets = [ProtCryoEtSegSegmentMembranes, ProtCryoEtSegThresholdMembranes, ProtCryoEtSegMeasureMembranes, ProtCryoEtSegCurateMembranes]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Membranes")
        form.addParam("showMasks", LabelParam, label="Membranes on the tomogram")
        if isinstance(self.protocol, ProtCryoEtSegSegmentMembranes):
            form.addParam("showProbabilities", LabelParam, label="Probabilities, with a threshold to move",
                          help="Move the threshold, then write the masks that it gives: a run of *membranes at another threshold*.")
        if isinstance(self.protocol, ProtCryoEtSegMeasureMembranes):
            form.addParam("showTables", LabelParam, label="Table of measures",
                          help="A row for each membrane: area, thickness, curvature and more; lengths in Å.")
        form.addParam("showCuration", LabelParam, label="Correct membranes by clicks",
                      help="A click on a membrane takes it out, a click on what may be put in puts it in; the button writes the set.")
        if probabilitiesOf(self.protocol) is not None:
            form.addParam("candidatesFrom", FloatParam, default=CANDIDATES_FROM, label="May be put in from a probability of",
                          help="What lies beside the membranes with this probability or more is offered in the window of clicks.")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMasks": self._browse, "showProbabilities": self._probabilities, "showTables": self._tables,
                "showCuration": self._curation}

    def masks(self) -> Any:
        """The masks of the run, or None."""
        return next((output for name, output in self.protocol.iterOutputAttributes(SetOfTomoMasks) if name != PROBABILITIES), None)

    def _browse(self, paramName: str = "") -> List[View]:
        masks = self.masks()
        return [SliceBrowser(entriesOfMasks(masks), "Membranes") if masks is not None else self._nothing()]

    def _probabilities(self, paramName: str = "") -> List[View]:
        probabilities = getattr(self.protocol, PROBABILITIES, None)
        if probabilities is None:
            return [self._nothing()]
        tomograms = byTsId(self.protocol.inTomos.get())
        chosen = [tomograms[tsId] for tsId in sorted(byTsId(probabilities)) if tsId in tomograms]
        return [SliceBrowser(entriesOf(chosen, probabilities), "Membranes", self._level(probabilities))]

    def _level(self, probabilities: Any) -> Level:
        def write(threshold: float) -> str:
            return launched(self.getProject(), ProtCryoEtSegThresholdMembranes, f"membranes from {threshold:.3g}", self.protocol,
                            probabilities, "inProbabilities", threshold=threshold, smallestComponent=self.protocol.smallestComponent.get())

        return Level("probability", 0.01, 0.99, self.protocol.threshold.get(), True, write)

    def _curation(self, paramName: str = "") -> List[View]:
        masks = self.masks()
        if masks is None:
            return [self._nothing()]
        start = self.candidatesFrom.get() if hasattr(self, "candidatesFrom") else CANDIDATES_FROM
        return [membraneWindow(self.getProject(), self.protocol, masks, start)]

    def _tables(self, paramName: str = "") -> List[View]:
        files = [path for path in self.protocol.getTables() if os.path.isfile(path)]
        return [TextView(files, tkParent=self.getWindow()) if files else self._nothing()]

    def _nothing(self) -> View:
        return self.infoMessage("Not yet: no tomogram is finished.", NOTHING)


class CryoEtSegMembraneCurationViewer(Viewer):
    """The same clicks for masks of any plugin: in the right-click menu of the set."""

    _name = "CryoETSeg correct by clicks"
    _label = "CryoETSeg correct by clicks"
    _targets = [SetOfTomoMasks]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        if not obj.getSize():
            return [self.infoMessage("The set is empty.", NOTHING)]
        first = next(iter(byTsId(obj).values()))
        if openArray(first.getFileName()).dtype.kind == "f":
            return [self.infoMessage("These are real numbers, as probabilities are. Choose the masks that were made of them.", NOTHING)]
        project = self.getProject()
        return [membraneWindow(project, project.getProtocol(obj.getObjParentId()), obj)]


def probabilitiesOf(run: Any) -> Optional[Tuple[Any, Any]]:
    """The run that holds the probabilities behind the masks of a run, and the set itself; None where there are none."""
    if getattr(run, PROBABILITIES, None) is not None:
        return run, getattr(run, PROBABILITIES)
    pointer = getattr(run, "inProbabilities", None)
    if pointer is None or pointer.get() is None:
        return None
    return pointer.getObjValue(), pointer.get()


def membraneWindow(project: Any, run: Any, masks: Any, candidatesFrom: float = CANDIDATES_FROM) -> MembraneWindow:
    """The window of clicks for the output ``masks`` of ``run``; its button launches the correction."""
    found = probabilitiesOf(run)

    def write(removed: List[Place], added: List[Place]) -> str:
        if not removed and not added:
            return "nothing was clicked"
        values = {"candidatesFrom": candidatesFrom} if added else {}
        more = {"inProbabilities": found} if found is not None and added else {}
        return launched(project, ProtCryoEtSegCurateMembranes, f"{len(removed)} out, {len(added)} in", run, masks, "inMasks", more,
                        removed=places_text(removed), added=places_text(added), **values)

    return MembraneWindow(masks, write, found[1] if found is not None else None, candidatesFrom)
