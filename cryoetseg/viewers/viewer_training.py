"""The curve of a training, also while it runs, and of a model that a training of this project made."""
import os
from typing import Any, List

from pyworkflow.viewer import DESKTOP_TKINTER, View, Viewer

from cryoetseg.model_folder import metricTables
from cryoetseg.objects import CryoEtSegModel
from cryoetseg.protocols import (
    ProtCryoEtSegTrainDual,
    ProtCryoEtSegTrainGenerator,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainPicker,
    ProtCryoEtSegTrainSegmenter,
    ProtCryoEtSegTrainVoxUda,
    ProtCryoEtSegTrainWedge,
)

from .training_window import TrainingWindow


class CryoEtSegTrainingViewer(Viewer):
    """Losses and validation scores against the step."""

    _name = "CryoETSeg training curve"
    _label = "CryoETSeg training curve"
    _targets = [ProtCryoEtSegTrainMembranes, ProtCryoEtSegTrainPicker, ProtCryoEtSegTrainSegmenter, ProtCryoEtSegTrainVoxUda,
                ProtCryoEtSegTrainGenerator, ProtCryoEtSegTrainDual, ProtCryoEtSegTrainWedge, CryoEtSegModel]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        if isinstance(obj, CryoEtSegModel):
            tables = metricTables(os.path.join(os.path.dirname(obj.getPath()), "training"))
            if not tables:
                return [self.infoMessage(f"{obj.describe()}\n{obj.getPath()}\nIts training is not in this project.", "Model")]
            return [TrainingWindow(f"Training of the model for {obj.getMethod()}", lambda: tables)]
        if not obj.getMetricFiles() and not obj.isActive():
            return [self.infoMessage("No step is logged yet.", "Nothing to show")]
        return [TrainingWindow(obj.getObjLabel() or obj.getClassLabel(), obj.getMetricFiles, lambda: self._isActive(obj))]

    def _isActive(self, run: Any) -> bool:
        """Whether the run goes on; asks its own database, as the window's copy of the run stays as it was."""
        project = self.getProject()
        if project is not None and run.isActive():
            project._updateProtocol(run)
        return bool(run.isActive())
