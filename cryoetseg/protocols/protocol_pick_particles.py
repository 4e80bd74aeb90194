"""Particles of whole tomograms by a trained picker."""
from typing import Dict, List

from pyworkflow.protocol import Form, IntParam
from pyworkflow.protocol.params import GE
from tomo.objects import SetOfCoordinates3D

from cryoetseg.constants import PICK_DEEPET, PICKER
from cryoetseg.core.runtime.job import Result
from cryoetseg.core.students.picker.params import PickDeepetParameters
from cryoetseg.model_folder import readCard

from .form_builder import narrow, parametersOf
from .methods_text import otherThanPublished
from .protocol_apply_base import ProtCryoEtSegApplyBase
from .protocol_tomograms_base import counted, tellingWarnings

COORDINATES = "coordinates"
# Networks of the general picker, shipped, imported or taught by clicks, estimate diameters; those of DeepETPicker do not
CENTRES = "centre-unet3d"
OTHER_NETWORK = f"inModel and inModel.getNetwork() != '{CENTRES}'"
GENERAL_NETWORK = f"not inModel or inModel.getNetwork() == '{CENTRES}'"
# Parameters that act with the network of *train DeepETPicker* alone, and with the general one alone
OF_TRAINED = ("peaks", "cut", "tile_px", "padding_px", "batch")
OF_GENERAL = ("diameter_min", "diameter_max", "membrane_proteins")


class ProtCryoEtSegPickParticles(ProtCryoEtSegApplyBase):
    """Pick particles in tomograms with the general model, or with one of *train DeepETPicker*.

    Output: coordinates with scores and classes (groups). *Analyze Results* shows them on the slices, and the scores with a threshold
    that can be moved and that writes a new set.
    """

    _label = "pick particles"
    _possibleOutputs = {COORDINATES: SetOfCoordinates3D}
    _method = PICK_DEEPET
    _model = PickDeepetParameters
    _modelMethod = PICKER

    def _addOwnParams(self, form: Form) -> None:
        for name in OF_TRAINED:
            narrow(form, name, OTHER_NETWORK)
        for name in OF_GENERAL:
            narrow(form, name, GENERAL_NETWORK)
        form.addParam("boxSize", IntParam, default=0, validators=[GE(0)], label="Box size (voxels)",
                      help="Box of the output coordinates; 0 takes an even one of 1.5 times the diameter of the largest class.")

    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerCoordinates(COORDINATES, tsId, result, readCard(self._modelFolder()).diameter)

    def _createCoordinates(self, name: str, diameter: float) -> SetOfCoordinates3D:
        coordinates = super()._createCoordinates(name, diameter)
        if self.boxSize.get():
            coordinates.setBoxSize(self.boxSize.get())
        return coordinates

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        count = self.coordinates.getSize() if hasattr(self, COORDINATES) else 0
        return [f"{counted(count, 'particle')} in {counted(len(results), 'tomogram')}.", self._modelLine(), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, COORDINATES):
            return []
        found, values = self._methodsOf(f"{self.coordinates.getSize()} particles were picked"), parametersOf(self, self._model)
        least = f"{values['height_threshold']:g}" if values["height_threshold"] else "the one that belongs to the model"
        if self._isGeneral():
            return [f"{found}, at a smallest probability of {least}."]
        return [f"{found} [Liu2024], at a smallest height of {least}.", *otherThanPublished(self._model, values)]

    def _citations(self) -> List[str]:
        return [] if self._isGeneral() else ["Liu2024"]
