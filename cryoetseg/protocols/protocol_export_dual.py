"""The model of a DUAL training that did not end by itself."""
from typing import Dict, List, Optional

from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message

from cryoetseg.constants import EXPORT_DUAL
from cryoetseg.core.dual.params import ExportDualParameters
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.objects import CryoEtSegModel

from .protocol_base import ProtCryoEtSegBase
from .protocol_models import MODEL, citationsOf
from .protocol_tomograms_base import tellingWarnings

EXPORTED = "exported"  # the one item of this run, and its folder


class ProtCryoEtSegExportDual(ProtCryoEtSegBase):
    """Take the best model so far out of a run of *train DUAL* or *train missing wedge* that failed, was stopped or still runs.

    A training keeps the weights of its best validation on disk; without a validation yet, the last ones are taken and that is said.
    Output: a model, as the training itself would give at its end. The training stays as it is and may go on.
    """

    _label = "take model from training"
    _method = EXPORT_DUAL
    _model = ExportDualParameters
    _possibleOutputs = {MODEL: CryoEtSegModel}

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inTraining", PointerParam, pointerClass="ProtCryoEtSegTrainDual, ProtCryoEtSegTrainWedge", important=True,
                      label="Training", help="The run whose model is wanted, in whatever state it is.")
        self._addGpu(form)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [EXPORTED]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [InputFile(path=self.inTraining.get().getTrainingFolder(), role="training")]

    def _registerResult(self, tsId: str, result: Result) -> None:
        if hasattr(self, MODEL):
            return  # a run killed after this step comes here a second time
        model = CryoEtSegModel.fromFolder(self._getOutputFile(tsId, result, "model"))
        self._defineOutputs(**{MODEL: model})
        self._defineSourceRelation(self.inTraining.get().inTomos, model)

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        training = self.inTraining.get()
        if training is None or training.hasWeights():
            return []
        return ["*Training* has written no weights yet. What to do: wait for its first checkpoint, or choose another run."]

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        return [f"Model: {self._exported().describe()}.", *tellingWarnings(results)] if self._exported() is not None else []

    def _methods(self) -> List[str]:
        return [f"The model for {self._exported().describe()} was taken out of its training before its end."] if self._exported() else []

    def _citations(self) -> List[str]:
        return citationsOf(self._exported())

    def _exported(self) -> Optional[CryoEtSegModel]:
        return getattr(self, MODEL, None)
