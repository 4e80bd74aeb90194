"""Masks against the truth."""
from typing import List

from pyworkflow.object import Float
from pyworkflow.protocol import Form, PointerParam

from cryoetseg.constants import EVALUATE_SEGMENTATION
from cryoetseg.convert import byTsId, inputFile, tsIdsOf
from cryoetseg.core.metrics.params import EvaluateSegmentationParameters
from cryoetseg.core.runtime.job import InputFile

from .form_builder import byHand
from .protocol_evaluate_base import ProtCryoEtSegEvaluateBase, outputName
from .protocol_tomograms_base import counted

MAIN_SCORES = {"dice": "Dice", "iou": "IoU", "surface_dice": "surface Dice", "mean_class_dice": "mean class Dice"}


class ProtCryoEtSegEvaluateSegmentation(ProtCryoEtSegEvaluateBase):
    """Compare masks with the truth: Dice, intersection over union, surface Dice, overall and slice by slice.

    Result and truth are joined by their tilt-series id and must have the same size. Limit the comparison to the slices that were
    segmented, or everything outside them counts as missed.

    The scores of each tomogram lie in its result.json; their means are outputs of the run. *Analyze Results* plots them.
    """

    _label = "evaluate segmentation"
    _method = EVALUATE_SEGMENTATION
    _model = EvaluateSegmentationParameters
    _mainScores = MAIN_SCORES
    _possibleOutputs = {outputName(name): Float for name in MAIN_SCORES}

    def _addInputs(self, form: Form) -> None:
        form.addParam("predicted", PointerParam, pointerClass="SetOfTomoMasks", important=True, label="Result",
                      help="The masks to score.")
        form.addParam("truth", PointerParam, pointerClass=byHand("SetOfTomoMasks"), important=True, label="Truth",
                      help="True masks of the same tomograms: simulated, or drawn by hand and imported.")

    def _getItemIds(self) -> List[str]:
        return sorted(set(tsIdsOf(self.predicted.get())) & set(tsIdsOf(self.truth.get())))

    def _getInputs(self, tsId: str) -> List[InputFile]:
        pairs = (("predicted", self.predicted), ("truth", self.truth))
        return [inputFile(byTsId(pointer.get())[tsId], role) for role, pointer in pairs]

    def _validateInputs(self) -> List[str]:
        errors = super()._validateInputs()
        if errors or self.predicted.get() is None or self.truth.get() is None:
            return errors
        predicted, truth = byTsId(self.predicted.get()), byTsId(self.truth.get())
        for tsId in self._getItemIds():
            sizes = [" x ".join(map(str, masks[tsId].getDim())) for masks in (predicted, truth)]
            if sizes[0] != sizes[1]:
                errors.append(f"{tsId}: the result has {sizes[0]} voxels. Allowed: those of the truth, {sizes[1]}. "
                              "What to do: bring both to the same size.")
        return errors

    def _methods(self) -> List[str]:
        means = self.getMeanScores()
        if not means:
            return []
        scores = ", ".join(f"{label} {means[name]:.3f}" for name, label in MAIN_SCORES.items() if name in means)
        return [f"Masks of {counted(len(self._getFinishedIds()), 'tomogram', '')} were compared with the truth: {scores} "
                f"(surface voxels within {self.tolerancePx.get():g} voxels)."]
