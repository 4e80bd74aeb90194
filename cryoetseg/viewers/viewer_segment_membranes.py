"""Membranes of a trained network: masks, and the probabilities at a threshold to choose."""
from typing import Any, Callable, Dict, List, Optional

from pyworkflow.protocol.params import LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.convert import byTsId
from cryoetseg.protocols import ProtCryoEtSegSegmentMembranes, ProtCryoEtSegThresholdMembranes

from .slice_browser import Level, SliceBrowser
from .slice_stack import entriesOf
from .viewer_coordinates import launched


class CryoEtSegSegmentMembranesViewer(ProtocolViewer):
    """Masks over slices, and what another threshold of the probability would give."""

    _label = "Membranes"
    _targets = [ProtCryoEtSegSegmentMembranes]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Membranes")
        form.addParam("showMasks", LabelParam, label="Membranes on the tomogram")
        form.addParam("showProbabilities", LabelParam, label="Probabilities, with a threshold to move",
                      help="Move the threshold, then write the masks that it gives: a run of *membranes at another threshold*.")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMasks": lambda name="": self._browse("membraneMasks"),
                "showProbabilities": lambda name="": self._browse("probabilities", self._level)}

    def _browse(self, output: str, level: Optional[Callable[[Any], Level]] = None) -> List[View]:
        masks = getattr(self.protocol, output, None)
        if masks is None:
            return [self.infoMessage(f"This run has no {output} yet.", "Nothing to show")]
        tomograms = byTsId(self.protocol.inTomos.get())
        chosen = [tomograms[tsId] for tsId in sorted(byTsId(masks)) if tsId in tomograms]
        return [SliceBrowser(entriesOf(chosen, masks), "Membranes", level(masks) if level else None)]

    def _level(self, probabilities: Any) -> Level:
        def write(threshold: float) -> str:
            return launched(self.getProject(), ProtCryoEtSegThresholdMembranes, f"membranes from {threshold:.3g}", self.protocol,
                            probabilities, "inProbabilities", threshold=threshold, smallestComponent=self.protocol.smallestComponent.get())

        return Level("probability", 0.01, 0.99, self.protocol.threshold.get(), True, write)
