"""Membranes at another threshold, from probabilities that a run has stored."""
from typing import Dict, List

import mrcfile
from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfTomoMasks, TomoMask

from cryoetseg.constants import THRESHOLD_MEMBRANES
from cryoetseg.convert import byTsId, fileOf, inputFile, maskLike, tsIdsOf
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.students.membranes.params import ThresholdMembranesParameters

from .form_builder import addFields
from .input_checks import checkIds
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted, tellingWarnings

MEMBRANE_MASKS = "membraneMasks"


class ProtCryoEtSegThresholdMembranes(ProtCryoEtSegBase):
    """Make membrane masks at another threshold from the probabilities that *segment membranes* has stored; no network runs.

    *Analyze Results* of *segment membranes* shows the probabilities with a threshold that can be moved, and launches this with the value
    that was set there, so that the choice is recorded in the project.
    """

    _label = "membranes at another threshold"
    _possibleOutputs = {MEMBRANE_MASKS: SetOfTomoMasks}
    _method = THRESHOLD_MEMBRANES
    _model = ThresholdMembranesParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inProbabilities", PointerParam, pointerClass="SetOfTomoMasks", important=True, label="Probabilities",
                      help="Output *probabilities* of *segment membranes*, or other maps with values from 0 to 1.")
        addFields(form, self._model, self._model.model_fields)
        self._addParallel(form)

    def _getItemIds(self) -> List[str]:
        return tsIdsOf(self.inProbabilities.get())

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [inputFile(self._maps()[tsId], "probability")]

    def _maps(self) -> Dict[str, TomoMask]:
        if not hasattr(self, "_mapsById"):
            self._mapsById = byTsId(self.inProbabilities.get())
        return self._mapsById

    def _registerResult(self, tsId: str, result: Result) -> None:
        source = self._maps()[tsId]
        mask = maskLike(source, self._getOutputFile(tsId, result, "membrane_mask"))
        mask.setVolName(source.getVolName())  # the tomogram, not the probabilities
        self._extendOutput(MEMBRANE_MASKS, self._createMasks, tsId, [mask], [self.inProbabilities])

    def _createMasks(self) -> SetOfTomoMasks:
        masks = SetOfTomoMasks.create(self._getPath(), suffix=MEMBRANE_MASKS)
        masks.copyInfo(self.inProbabilities.get())
        return masks

    def _validateInputs(self) -> List[str]:
        errors = checkIds(self.inProbabilities, "Probabilities")
        if errors or self.inProbabilities.get() is None:
            return errors
        whole = [tsId for tsId, item in sorted(self._maps().items()) if not _isReal(fileOf(item))]
        return [f"*Probabilities* of {', '.join(whole[:5])} are whole numbers, as masks are. Allowed: values from 0 to 1. What to do: "
                "choose the output *probabilities*."] if whole else []

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        return [f"Membranes of {counted(len(results), 'tomogram')} at a threshold of {self.threshold.get():g}.", *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, MEMBRANE_MASKS):
            return []
        return [f"Membranes are voxels with a probability of {self.threshold.get():g} or more; connected ones of less than "
                f"{self.smallestComponent.get():g} Å³ were dropped."]

    def _citations(self) -> List[str]:
        return []


def _isReal(path: str) -> bool:
    """Whether a file holds real numbers; other formats than MRC are left to the program."""
    try:
        with mrcfile.open(path, header_only=True, permissive=True) as volume:
            return int(volume.header.mode) in (2, 12)
    except (OSError, ValueError):
        return True
