"""Masks of whole tomograms by a trained Vox-UDA model."""
from typing import Dict, List

from tomo.objects import SetOfTomoMasks

from cryoetseg.constants import SEGMENT_SUBTOMOGRAMS, TRAIN_VOXUDA
from cryoetseg.core.runtime.job import Result
from cryoetseg.core.voxuda.params import SegmentSubtomogramsParameters

from .protocol_apply_base import ProtCryoEtSegApplyBase
from .protocol_tomograms_base import counted, tellingWarnings

MASKS, PROBABILITIES = "tomoMasks", "tomoProbabilities"


class ProtCryoEtSegSegmentVoxUda(ProtCryoEtSegApplyBase):
    """Segment macromolecules in whole tomograms with a model of *train Vox-UDA*, by windows that slide over them.

    Output: masks of the tomograms and, where wanted, probabilities.
    """

    _label = "segment tomograms (Vox-UDA)"
    _possibleOutputs = {MASKS: SetOfTomoMasks, PROBABILITIES: SetOfTomoMasks}
    _method = SEGMENT_SUBTOMOGRAMS
    _model = SegmentSubtomogramsParameters
    _modelMethod = TRAIN_VOXUDA

    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerMask(MASKS, tsId, result, "mask")
        if result.outputs_of("probability"):
            self._registerMask(PROBABILITIES, tsId, result, "probability")

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        return [f"{counted(len(results), 'tomogram')} segmented.", self._modelLine(), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, MASKS):
            return []
        return [f"{self._methodsOf('Particles were segmented')} [Li2024], at a probability above {self.threshold.get():g}."]

    def _citations(self) -> List[str]:
        return ["Li2024"]
