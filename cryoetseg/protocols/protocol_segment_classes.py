"""Classes of whole tomograms by a trained network."""
from typing import Dict, List

from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from cryoetseg.constants import SEGMENT_CLASSES, SEGMENTER
from cryoetseg.core.runtime.job import Result
from cryoetseg.core.students.segmenter.params import SegmentClassesParameters
from cryoetseg.model_folder import readCard

from .protocol_apply_base import ProtCryoEtSegApplyBase
from .protocol_tomograms_base import counted, tellingWarnings

CLASS_MASKS, CONFIDENCES = "classMasks", "confidences"
COORDINATES = "classCoordinates"  # "coordinates" is a parameter


class ProtCryoEtSegSegmentClasses(ProtCryoEtSegApplyBase):
    """Give every voxel of tomograms a class with a model of *train segmenter*, and turn the classes into coordinates.

    Output: label volumes (0 background, 1, 2, ... classes as in the model's card), how sure each voxel is of its class (percent), and,
    when wanted, coordinates with class (group) and score. Size limits for each class leave out what is too small or too large.
    """

    _label = "segment classes"
    _possibleOutputs = {CLASS_MASKS: SetOfTomoMasks, CONFIDENCES: SetOfTomoMasks, COORDINATES: SetOfCoordinates3D}
    _method = SEGMENT_CLASSES
    _model = SegmentClassesParameters
    _modelMethod = SEGMENTER

    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerMask(CLASS_MASKS, tsId, result, "class_mask")
        if result.outputs_of("class_confidence"):
            self._registerMask(CONFIDENCES, tsId, result, "class_confidence")
        if result.outputs_of("particles"):
            self._registerCoordinates(COORDINATES, tsId, result, readCard(self._modelFolder()).diameter)

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        lines = [f"Class masks of {counted(len(results), 'tomogram')}.", self._modelLine()]
        if hasattr(self, COORDINATES):
            lines.append(f"{counted(self.classCoordinates.getSize(), 'particle')}; their groups are the classes.")
        return lines + tellingWarnings(results)

    def _methods(self) -> List[str]:
        if not hasattr(self, CLASS_MASKS):
            return []
        return [self._methodsOf("Classes were segmented") + " [Moebel2021]."]

    def _citations(self) -> List[str]:
        return ["Moebel2021"]
