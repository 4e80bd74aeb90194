"""A network for several classes from class masks or coordinates of any origin."""
from typing import List

from pyworkflow.protocol import EnumParam, Form, PointerParam

from cryoetseg.constants import TRAIN_SEGMENTER
from cryoetseg.core.students.segmenter.params import TrainSegmenterParameters

from .form_builder import narrow
from .protocol_train_base import ProtCryoEtSegTrainBase
from .training_labels import CoordinateLabels, MaskLabels, TrainingLabels

MASKS, COORDINATES = range(2)


class ProtCryoEtSegTrainSegmenter(ProtCryoEtSegTrainBase):
    """Train the network of DeepFinder, which gives every voxel a class, from class masks or from coordinates with groups.

    Masks hold 0 in the background and 1, 2, ... in the classes; from coordinates, balls are painted around the particles. Both may
    come from the simulator, from import protocols or from another plugin, and are joined to the tomograms by tilt-series id. Rare classes
    are shown as often as frequent ones.

    Output: a model, to be used with *segment classes*. *Analyze Results* shows the training curve, also while it runs. *Continue* goes
    on from the last checkpoint.
    """

    _label = "train segmenter (DeepFinder network)"
    _method = TRAIN_SEGMENTER
    _model = TrainSegmenterParameters

    def _addLabels(self, form: Form) -> None:
        form.addParam("labelsFrom", EnumParam, choices=["class masks", "coordinates"], default=MASKS, display=EnumParam.DISPLAY_HLIST,
                      label="Labels", help="What tells the classes: label volumes, or coordinates whose groups are the classes.")
        form.addParam("inMasks", PointerParam, pointerClass="SetOfTomoMasks", condition="labelsFrom == 0", important=True,
                      label="Class masks", help="Label volumes of the tomograms: 0 background, 1, 2, ... classes.")
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", condition="labelsFrom == 1", important=True,
                      label="Coordinates", help="Particles of the tomograms; their groups are the classes.")

    def _defineParams(self, form: Form) -> None:
        super()._defineParams(form)
        narrow(form, "resample_labels", f"labelsFrom == {MASKS}")
        for name in ("particle_diameter", "class_diameters"):
            narrow(form, name, f"labelsFrom == {COORDINATES}")

    def _labels(self) -> TrainingLabels:
        if self.labelsFrom.get() == COORDINATES:
            return CoordinateLabels(self.inCoordinates, "Coordinates")
        return MaskLabels(self.inMasks, "Class masks", bool(self.resampleLabels.get()))

    def _methods(self) -> List[str]:
        labels = "class masks" if self.labelsFrom.get() == MASKS else "balls around known particles"
        return self._methodsOf("The network of DeepFinder [Moebel2021]", f"{labels} as labels")

    def _citations(self) -> List[str]:
        return ["Moebel2021"]
