"""Vox-UDA: subtomograms with their masks, the comparison of its parts, the features of both domains."""
from typing import Any, Callable, Dict, List

import numpy as np
from pyworkflow.protocol.params import IntParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.convert import fileOf
from cryoetseg.core.report.voxuda_figures import COLUMNS, draw_ablation, draw_feature_maps, draw_montage
from cryoetseg.protocols import ProtCryoEtSegCompareVoxUda, ProtCryoEtSegSegmentSubtomograms
from cryoetseg.protocols.protocol_base import CONTRASTS

from .slice_browser import FigureView
from .slice_stack import openArray

PANEL_INCHES = 1.7
ROWS = 4


class CryoEtSegMontageViewer(ProtocolViewer):
    """A page of subtomograms, each with its mask over its middle slice."""

    _label = "Subtomograms with masks"
    _targets = [ProtCryoEtSegSegmentSubtomograms]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Subtomograms")
        form.addParam("first", IntParam, default=1, label="First subtomogram", help=f"{ROWS * COLUMNS} are shown from this one on.")
        form.addParam("showMontage", LabelParam, label="Middle slices with masks")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMontage": self._montage}

    def _montage(self, paramName: str = "") -> List[View]:
        run = self.protocol
        if not hasattr(run, "masks"):
            return [self.infoMessage("No mask is finished yet.", "Nothing to show")]
        start = max(0, min(self.first.get() or 1, run.masks.getSize()) - 1)
        # the names before the arrays: Scipion hands out one and the same object at every step
        names = [fileOf(item) for item in run.inSubtomos.get().iterItems()][start:start + ROWS * COLUMNS]
        masks = [openArray(fileOf(item)) for item in [mask.clone() for mask in run.masks.iterItems()][start:start + ROWS * COLUMNS]]
        sign = -1 if CONTRASTS[run.contrast.get()] == "dark" else 1
        volumes = [sign * np.asarray(openArray(name), dtype=np.float32) for name in names]
        rows = -(-len(names) // COLUMNS)
        view = FigureView(windowTitle="Subtomograms with masks", figsize=(PANEL_INCHES * COLUMNS, PANEL_INCHES * 1.15 * rows))
        draw_montage(view.figure, volumes, masks, [str(start + number) for number in range(1, len(names) + 1)])
        return [view]


class CryoEtSegComparisonViewer(ProtocolViewer):
    """The rows of the comparison, and t-SNE maps of the features of source and target."""

    _label = "Comparison"
    _targets = [ProtCryoEtSegCompareVoxUda]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Comparison")
        form.addParam("showRows", LabelParam, label="Dice of all rows and classes")
        form.addParam("showFeatures", LabelParam, label="Features of both domains, without and with adaptation")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showRows": self._rows, "showFeatures": self._features}

    def _rows(self, paramName: str = "") -> List[View]:
        if not self._isFinished():
            return [self.infoMessage("The comparison is not finished yet.", "Nothing to show")]
        scores = self.protocol.getScores()
        view = FigureView(windowTitle="Comparison", figsize=(10, 1.5 + 0.4 * len(scores["summary"])))
        draw_ablation(view.figure, scores["summary"], scores["published_dice"])
        return [view]

    def _features(self, paramName: str = "") -> List[View]:
        maps = self.protocol.getFeatureMaps() if self._isFinished() else {}
        if not maps:
            return [self.infoMessage("No features were mapped: the rows source_only and vox_uda are needed.", "Nothing to show")]
        view = FigureView(windowTitle="Features", figsize=(9, 4.8))
        draw_feature_maps(view.figure, maps)
        return [view]

    def _isFinished(self) -> bool:
        return bool(self.protocol.getResultFiles())
