"""Particles by a difference of Gaussians."""
from typing import Dict, List

from pyworkflow.protocol import Form
from pyworkflow.utils import Message
from tomo.objects import SetOfCoordinates3D

from cryoetseg.constants import PICK_DOG
from cryoetseg.core.picking.params import DogParameters
from cryoetseg.core.runtime.job import Result

from .protocol_streamed_base import ProtCryoEtSegStreamedBase
from .protocol_tomograms_base import counted, tellingWarnings

COORDINATES = "coordinates"


class ProtCryoEtSegPickDog(ProtCryoEtSegStreamedBase):
    """Pick particles of about one size with a difference of Gaussians: fast, nothing to train.

    Two Gaussians of slightly different width are subtracted, and the best local maxima that are far enough apart are kept. It finds
    everything dense of about that size, also pieces of membranes and gold, and does not tell particles apart: take it as a first
    look, as a baseline to judge other pickers by, or as rough labels to train one with.

    Output: coordinates with scores. *Analyze Results* shows them on the slices, and the scores with a threshold that can be moved.
    """

    _label = "pick by difference of Gaussians"
    _possibleOutputs = {COORDINATES: SetOfCoordinates3D}
    _inputHelp = "Tomograms to pick in, best binned until the particle has a diameter of 10 to 30 voxels."
    _method = PICK_DOG
    _model = DogParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._addTomograms(form)
        self._addParameters(form)
        self._addParallel(form)

    def _registerResult(self, tsId: str, result: Result) -> None:
        self._registerCoordinates(COORDINATES, tsId, result, self.particleDiameter.get())

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        count = self.coordinates.getSize() if hasattr(self, COORDINATES) else 0
        return [f"{counted(count, 'pick')} of about {self.particleDiameter.get():g} Å in {counted(len(results), 'tomogram')}.",
                *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, COORDINATES):
            return []
        return [f"Particles of about {self.particleDiameter.get():g} Å were picked by a difference of Gaussians [Pei2016] as in "
                f"AITom [Zeng2020]: {self.coordinates.getSize()} in {counted(len(self._getFinishedIds()), 'tomogram', '')}."]

    def _citations(self) -> List[str]:
        return ["Pei2016", "Zeng2020"]
