"""The parts of Vox-UDA compared on labelled subtomograms."""
from typing import Any, Dict, List

from pyworkflow.object import Float
from pyworkflow.protocol import Form, PointerParam

from cryoetseg.constants import COMPARE_VOXUDA
from cryoetseg.core.runtime.files import read_json
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.voxuda.params import VoxUdaAblationParameters

from .form_builder import byHand
from .protocol_evaluate_base import outputName
from .protocol_tomograms_base import tellingWarnings
from .protocol_train_base import TRAINING
from .protocol_train_voxuda import ProtCryoEtSegTrainVoxUda
from .subtomogram_sets import checkSubtomograms, subtomogramFiles


class ProtCryoEtSegCompareVoxUda(ProtCryoEtSegTrainVoxUda):
    """Measure what adaptation gains: Vox-UDA and its parts between source only and fully supervised, on a target with masks.

    Each row is trained with several seeds and scored on target subtomograms kept out of the training. What is trained is kept, so that
    *Continue* goes on after the last row. *Analyze Results* shows the table, the classes and the features of both domains.
    """

    _label = "compare Vox-UDA"
    _possibleOutputs = {"scoreVoxUda": Float}
    _method = COMPARE_VOXUDA
    _model = VoxUdaAblationParameters

    def _addTarget(self, form: Form) -> None:
        super()._addTarget(form)
        form.addParam("inTargetMasks", PointerParam, pointerClass=byHand("SetOfSubTomograms, SetOfVolumes"), important=True,
                      label="Masks of the target", help="One mask for each target subtomogram, in their order; for the scores only.")

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return super()._getInputs(tsId) + subtomogramFiles(self.inTargetMasks.get(), "target_mask")

    def _registerResult(self, tsId: str, result: Result) -> None:
        rows = self.getScores()["summary"]
        self._defineOutputs(**{outputName(row): Float(entry["dice"]) for row, entry in rows.items()})

    def getScores(self) -> Dict[str, Any]:
        """Summary of the rows, with the published Dice and the share of the gap that is closed."""
        return self._readKind("scores")

    def getFeatureMaps(self) -> Dict[str, Any]:
        """Positions of the features of both domains, by row; empty where none were mapped."""
        return self._readKind("features").get("maps", {}) if self._readResult(TRAINING).outputs_of("features") else {}

    def _readKind(self, kind: str) -> Dict[str, Any]:
        return read_json(self._getOutputFile(TRAINING, self._readResult(TRAINING), kind))

    def _goesOn(self) -> bool:
        return False  # finished rows are kept by the core; a finished comparison has nothing to go on with

    def _validateInputs(self) -> List[str]:
        errors = super()._validateInputs() + checkSubtomograms(self.inTargetMasks, "Masks of the target")
        target, masks = self.inTarget.get(), self.inTargetMasks.get()
        if target is not None and masks is not None and target.getSize() != masks.getSize():
            errors.append(f"*Masks of the target* holds {masks.getSize()} masks for {target.getSize()} subtomograms. Allowed: one each.")
        return errors

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        scores = self.getScores()
        lines = [f"{row}: Dice *{entry['dice']:.3f}* ± {entry['dice_deviation']:.3f}" for row, entry in scores["summary"].items()]
        if scores["gap_closed"] is not None:
            lines.append(f"Share of the gap between source only and supervised that is closed: *{scores['gap_closed']:.0%}*.")
        return lines + tellingWarnings(results)

    def _methods(self) -> List[str]:
        return ["Vox-UDA [Li2024] and its parts were compared on labelled subtomograms."]
