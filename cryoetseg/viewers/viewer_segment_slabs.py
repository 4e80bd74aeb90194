"""Results of segment slabs: masks and candidates on the tomogram, the eigenimages behind them, the scores."""
import os
from typing import Any, Callable, Dict, List, Tuple

from pyworkflow.protocol.params import LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, View

from cryoetseg.convert import byTsId
from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs

from .eigenimage_browser import EigenimageBrowser
from .slice_browser import SliceBrowser
from .slice_stack import Entry, entriesOf
from .viewer_coordinates import NOTHING, CryoEtSegPicksViewer, scoreLevel
from .viewer_membranes import membraneWindow


class CryoEtSegSegmentSlabsViewer(CryoEtSegPicksViewer):
    """Slices with membranes and candidates, eigenimages, and all that picks have."""

    _label = "Segmented slabs"
    _targets = [ProtCryoEtSegSegmentSlabs]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Segmented slabs")
        form.addParam("showResults", LabelParam, label="Membranes and candidates on the tomogram")
        form.addParam("showEigenimages", LabelParam, label="Eigenimages and how they were merged",
                      help="Of a few slabs: diversity, contours and similarity of each eigenimage, and the canvas they gave.")
        form.addSection(label="Candidates")
        self._addPicks(form)
        form.addSection(label="Membranes")
        form.addParam("showMembranes", LabelParam, label="Correct membranes by clicks",
                      help="A click on a membrane takes it out; the button writes the corrected set.")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {**super()._getVisualizeDict(), "showResults": self._results, "showEigenimages": self._eigenimages,
                "showMembranes": self._membranes}

    def entries(self) -> List[Entry]:
        """The finished tomograms with their masks and coordinates."""
        masks = getattr(self.protocol, "membraneMasks", None)
        finished = set(byTsId(masks)) if masks is not None else set()
        tomograms = byTsId(self.protocol.inTomos.get())
        chosen = [tomograms[tsId] for tsId in sorted(finished & set(tomograms))]
        return entriesOf(chosen, masks, getattr(self.protocol, "coordinates", None))

    def eigenimageFiles(self) -> List[Tuple[str, str]]:
        """(tilt-series id, file) of the eigenimages of every finished tomogram."""
        files = []
        for tsId, path in self.protocol.getResultFiles().items():
            for output in self.protocol._readResult(tsId).outputs_of("eigenimages"):
                files.append((tsId, os.path.join(os.path.dirname(path), output.path)))
        return files

    def _results(self, paramName: str = "") -> List[View]:
        entries, coordinates = self.entries(), self.coordinates()
        if not entries:
            return [self.infoMessage("Not yet: no tomogram is finished.", NOTHING)]
        level = scoreLevel(self.getProject(), self.protocol, coordinates) if coordinates else None
        return [SliceBrowser(entries, "Segmented slabs", level)]

    def _membranes(self, paramName: str = "") -> List[View]:
        masks = getattr(self.protocol, "membraneMasks", None)
        if masks is None:
            return [self.infoMessage("Not yet: no tomogram is finished.", NOTHING)]
        return [membraneWindow(self.getProject(), self.protocol, masks)]

    def _eigenimages(self, paramName: str = "") -> List[View]:
        files = self.eigenimageFiles()
        return [EigenimageBrowser(files) if files else self.infoMessage("No tomogram is finished yet.", NOTHING)]
