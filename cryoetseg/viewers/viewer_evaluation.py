"""Plots of the scores of both evaluations."""
from typing import Any, Callable, Dict, List

from pyworkflow.protocol.params import LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.core.report.figures import draw_bars, draw_precision_recall
from cryoetseg.protocols import ProtCryoEtSegEvaluatePicking, ProtCryoEtSegEvaluateSegmentation

from .slice_browser import FigureView

MEAN = "mean"
MAX_BARS = 8  # tomograms beside each other; with more only their mean is drawn


class CryoEtSegEvaluationViewer(ProtocolViewer):
    """Bars of the scores, and how precision falls with recall."""

    _label = "Scores"
    _targets = [ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegEvaluatePicking]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Scores")
        form.addParam("showBars", LabelParam, label="Scores of the tomograms")
        if isinstance(self.protocol, ProtCryoEtSegEvaluatePicking):
            form.addParam("showCurve", LabelParam, label="Precision and recall by score")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showBars": self._bars, "showCurve": self._curves}

    def barTable(self) -> Dict[str, Dict[str, float]]:
        """Scores by tomogram and label, with their mean last."""
        table = self.protocol.getMainScores()
        labels = self.protocol._mainScores
        means = {labels[name]: value for name, value in self.protocol.getMeanScores().items() if name in labels}
        if len(table) == 1:
            return table
        return {**(table if len(table) <= MAX_BARS else {}), f"{MEAN} of {len(table)}": means}

    def _bars(self, paramName: str = "") -> List[View]:
        view = FigureView(windowTitle="Scores", figsize=(7, 4.5))
        draw_bars(view.figure.subplots(), self.barTable())
        return [view]

    def _curves(self, paramName: str = "") -> List[View]:
        curves = self.protocol.getCurves()
        if not curves:
            return [self.infoMessage("The candidates have no scores, so there is no curve.", "Nothing to show")]
        view = FigureView(windowTitle="Precision and recall", figsize=(5.5, 5))
        draw_precision_recall(view.figure.subplots(), curves)
        return [view]
