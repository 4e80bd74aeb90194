"""Membranes of whole tomograms by a trained network."""
from typing import Dict, List

from tomo.objects import SetOfTomoMasks

from cryoetseg.constants import MEMBRANES, SEGMENT_MEMBRANES
from cryoetseg.core.runtime.job import Result
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters

from .form_builder import parametersOf
from .methods_text import otherThanPublished
from .protocol_apply_base import ProtCryoEtSegApplyBase
from .protocol_tomograms_base import counted, tellingWarnings
from .slice_ranges import rangeInWords

MEMBRANE_MASKS, PROBABILITIES = "membraneMasks", "probabilities"


class ProtCryoEtSegSegmentMembranes(ProtCryoEtSegApplyBase):
    """Segment the membranes of tomograms with the general model, or with one of *train membranes*.

    Output: masks of the size of the tomograms, and the probability of membrane for each voxel. A mask at another threshold needs no new
    run: apply it to the probabilities.
    """

    _label = "segment membranes"
    _possibleOutputs = {MEMBRANE_MASKS: SetOfTomoMasks, PROBABILITIES: SetOfTomoMasks}
    _method = SEGMENT_MEMBRANES
    _model = SegmentMembranesParameters
    _modelMethod = MEMBRANES

    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerMask(MEMBRANE_MASKS, tsId, result, "membrane_mask")
        if result.outputs_of("membrane_probability"):
            self._registerMask(PROBABILITIES, tsId, result, "membrane_probability")

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        return [f"Membranes of {counted(len(results), 'tomogram')} at a threshold of {self.threshold.get():g}.", self._modelLine(),
                *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, MEMBRANE_MASKS):
            return []
        found, values = self._methodsOf("Membranes were segmented"), parametersOf(self, self._model)
        papers = " ".join(f"[{key}]" for key in self._citations())
        return [f"{found} {papers}, in {rangeInWords(self)}, at a probability of {values['threshold']:g}; connected membranes of less than "
                f"{values['smallest_component']:g} Å³ were dropped.", *otherThanPublished(self._model, values)]

    def _citations(self) -> List[str]:
        return ["Ronneberger2015"] if self._isGeneral() else ["Uddin2026", "Ronneberger2015"]
