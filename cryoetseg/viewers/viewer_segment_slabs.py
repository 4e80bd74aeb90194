"""Results of segment slabs: masks and candidates on the tomogram, the eigenimages behind them, the scores."""
import os
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
from pyworkflow.protocol.params import FloatParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.convert import byTsId
from cryoetseg.core.report.figures import draw_scores
from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs

from .eigenimage_browser import EigenimageBrowser
from .slice_browser import FigureView, SliceBrowser
from .slice_stack import Entry, entriesOf

NOTHING = "Nothing to show"


class CryoEtSegSegmentSlabsViewer(ProtocolViewer):
    """Slices with membranes and candidates, eigenimages, histogram of the scores."""

    _label = "Segmented slabs"
    _targets = [ProtCryoEtSegSegmentSlabs]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Segmented slabs")
        form.addParam("showSlices", LabelParam, label="Membranes and candidates on the tomogram")
        form.addParam("showEigenimages", LabelParam, label="Eigenimages and how they were merged",
                      help="Of a few slabs: diversity, contours and similarity of each eigenimage, and the canvas they gave.")
        form.addParam("showScores", LabelParam, label="Scores of the candidates")
        form.addParam("threshold", FloatParam, default=None, allowsNull=True, label="Score threshold",
                      help="Candidates below are left out of the slices; the histogram counts those above.")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showSlices": self._slices, "showEigenimages": self._eigenimages, "showScores": self._scores}

    def entries(self) -> List[Entry]:
        """The finished tomograms with their masks and coordinates."""
        masks = getattr(self.protocol, "membraneMasks", None)
        finished = set(byTsId(masks)) if masks is not None else set()
        tomograms = byTsId(self.protocol.inTomos.get())
        chosen = [tomograms[tsId] for tsId in sorted(finished & set(tomograms))]
        return entriesOf(chosen, masks, getattr(self.protocol, "coordinates", None), self.threshold.get())

    def eigenimageFiles(self) -> List[Tuple[str, str]]:
        """(tilt-series id, file) of the eigenimages of every finished tomogram."""
        files = []
        for tsId, path in self.protocol.getResultFiles().items():
            for output in self.protocol._readResult(tsId).outputs_of("eigenimages"):
                files.append((tsId, os.path.join(os.path.dirname(path), output.path)))
        return files

    def scores(self) -> np.ndarray:
        """Scores of all candidates."""
        coordinates = getattr(self.protocol, "coordinates", None)
        return np.array([item.getScore() for item in coordinates.iterItems()] if coordinates is not None else [])

    def _slices(self, paramName: str = "") -> List[View]:
        entries = self.entries()
        return [SliceBrowser(entries, "Segmented slabs") if entries else self.infoMessage("No tomogram is finished yet.", NOTHING)]

    def _eigenimages(self, paramName: str = "") -> List[View]:
        files = self.eigenimageFiles()
        return [EigenimageBrowser(files) if files else self.infoMessage("No tomogram is finished yet.", NOTHING)]

    def _scores(self, paramName: str = "") -> List[View]:
        scores = self.scores()
        if not len(scores):
            return [self.infoMessage("No candidates were found.", NOTHING)]
        view = FigureView(windowTitle="Scores", figsize=(6, 4))
        draw_scores(view.figure.subplots(), scores, self.threshold.get())
        return [view]
