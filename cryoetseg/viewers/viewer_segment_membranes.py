"""Membranes of a trained network: masks, and the probabilities at a threshold to choose."""
from typing import Any, Callable, Dict, List

from pyworkflow.protocol.params import FloatParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.convert import byTsId
from cryoetseg.protocols import ProtCryoEtSegSegmentMembranes

from .slice_browser import SliceBrowser
from .slice_stack import entriesOf


class CryoEtSegSegmentMembranesViewer(ProtocolViewer):
    """Masks over slices, and what another threshold of the probability would give."""

    _label = "Membranes"
    _targets = [ProtCryoEtSegSegmentMembranes]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Membranes")
        form.addParam("showMasks", LabelParam, label="Membranes on the tomogram")
        form.addParam("showProbabilities", LabelParam, label="Probability above a threshold")
        form.addParam("threshold", FloatParam, default=0.5, label="Threshold", help="Voxels of this probability or more are shown.")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMasks": lambda name="": self._browse("membraneMasks"),
                "showProbabilities": lambda name="": self._browse("probabilities")}

    def _browse(self, output: str) -> List[View]:
        masks = getattr(self.protocol, output, None)
        if masks is None:
            return [self.infoMessage(f"This run has no {output} yet.", "Nothing to show")]
        tomograms = byTsId(self.protocol.inTomos.get())
        chosen = [tomograms[tsId] for tsId in sorted(byTsId(masks)) if tsId in tomograms]
        return [SliceBrowser(entriesOf(chosen, masks, cut=self.threshold.get()), "Membranes")]
