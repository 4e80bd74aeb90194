"""A generator of particles from tomograms and coordinates with classes."""
from typing import List

from pyworkflow.protocol import Form, PointerParam

from cryoetseg.constants import TRAIN_GENERATOR
from cryoetseg.core.generation.params import TrainGeneratorParameters

from .protocol_train_base import ProtCryoEtSegTrainBase
from .training_labels import CoordinateLabels


class ProtCryoEtSegTrainGenerator(ProtCryoEtSegTrainBase):
    """Train a conditional diffusion model that makes new subtomograms of particles, by class and place in the tomogram.

    It learns from denoised tomograms and coordinates whose groups are the classes, at least eight of each. Cubes are cut around the
    coordinates, so the box should hold the largest particle. Defaults suit boxes of 32 voxels on a processor; the published settings
    (boxes of 64 voxels, 100 epochs) want a GPU.

    Output: a model, to be used with *generate particles*. *Analyze Results* shows the training curve, also while it runs. *Continue* goes
    on from the last checkpoint.
    """

    _label = "train particle generator"
    _method = TRAIN_GENERATOR
    _model = TrainGeneratorParameters

    def _addLabels(self, form: Form) -> None:
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Particles of the tomograms; their groups are the classes.")

    def _labels(self) -> CoordinateLabels:
        return CoordinateLabels(self.inCoordinates, "Coordinates")

    def _methods(self) -> List[str]:
        return self._methodsOf("A conditional denoising diffusion model of particles [Passi2025] [Ho2020]", "particles by class")

    def _citations(self) -> List[str]:
        return ["Passi2025", "Ho2020"]
