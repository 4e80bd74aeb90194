"""Filaments of whole tomograms by the general model, and their axes."""
from typing import Dict, List

from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from cryoetseg.constants import MEMBRANES, SEGMENT_FILAMENTS
from cryoetseg.core.runtime.job import Result
from cryoetseg.core.students.filaments.params import SegmentFilamentsParameters

from .form_builder import parametersOf
from .protocol_apply_base import ProtCryoEtSegApplyBase
from .protocol_tomograms_base import counted, tellingWarnings
from .slice_ranges import rangeInWords

FILAMENT_MASKS, PROBABILITIES, AXES = "filamentMasks", "probabilities", "axisPoints"
MICROTUBULE = 250.0  # Angstrom, size of the points


class ProtCryoEtSegSegmentFilaments(ProtCryoEtSegApplyBase):
    """Segment filaments, microtubules first of all, with the general model and trace their axes.

    Output: masks, the probability of filament for each voxel, and evenly spaced points on the axes. The group of a point is the number of
    its filament; its orientation turns the z axis of a reference along the filament, for averaging along it.
    """

    _label = "segment filaments"
    _possibleOutputs = {FILAMENT_MASKS: SetOfTomoMasks, PROBABILITIES: SetOfTomoMasks, AXES: SetOfCoordinates3D}
    _method = SEGMENT_FILAMENTS
    _model = SegmentFilamentsParameters
    _modelMethod = MEMBRANES

    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerMask(FILAMENT_MASKS, tsId, result, "filament_mask")
        self._registerMask(PROBABILITIES, tsId, result, "filament_probability")
        self._registerCoordinates(AXES, tsId, result, MICROTUBULE)

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        found = sum(int(result.metrics["filaments"]) for result in results.values())
        return [f"{counted(found, 'filament')} in {counted(len(results), 'tomogram')}; the groups of the points are the filaments.",
                self._modelLine(), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, FILAMENT_MASKS):
            return []
        values = parametersOf(self, self._model)
        return [f"{self._methodsOf('Filaments were segmented')} [Ronneberger2015], in {rangeInWords(self)}, at a probability of "
                f"{values['threshold']:g}; axes shorter than {values['smallest_length']:g} Å were dropped."]

    def _citations(self) -> List[str]:
        return ["Ronneberger2015"]
