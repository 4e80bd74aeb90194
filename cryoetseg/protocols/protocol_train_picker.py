"""A particle picker from coordinates of any origin."""
from typing import List

from pyworkflow.protocol import Form, PointerParam

from cryoetseg.constants import PICKER, TRAIN_PICKER
from cryoetseg.core.students.picker.params import TrainPickerParameters

from .form_builder import narrow
from .protocol_pick_particles import CENTRES
from .protocol_train_student import FROM_NOTHING, GENERAL_MODEL, RANDOM, STARTS, ProtCryoEtSegTrainStudentBase
from .training_labels import CoordinateLabels

FROM_MODEL = f"startFrom != {STARTS.index(RANDOM)}"
FROM_OTHERS = f"startFrom != {STARTS.index(GENERAL_MODEL)} and ({FROM_NOTHING} or not inStart or inStart.getNetwork() != '{CENTRES}')"
# The general model learns from the surroundings of the particles alone, in crops and with a loss of its own
NOT_FROM_CENTRES = ("class_diameters", "label", "label_share", "z_start", "z_end", "unclicked", "empty_share", "ignored_share", "patch_px",
                    "augmentation", "background_share", "loss", "rounds", "validation_crops")


class ProtCryoEtSegTrainPicker(ProtCryoEtSegTrainStudentBase):
    """Train DeepETPicker, a 3D network that finds particles, from coordinates.

    The coordinates may be pseudo-labels of *segment slabs*, picks by hand, or those of another plugin: they are joined to the tomograms by
    tilt-series id and scaled to their binning. Groups of the coordinates are classes that are told apart. Coordinates from a part
    of the slices are enough, but there they should be complete: a particle that is not listed is learned as background.

    Output: a model, to be used with *pick particles* on these and other tomograms like them. *Analyze Results* shows the training curve,
    also while it runs. *Continue* goes on from the last checkpoint.
    """

    _label = "train DeepETPicker"
    _method = TRAIN_PICKER
    _model = TrainPickerParameters
    _modelMethod = PICKER
    _startNetworks = ("residual-unet3d", "centre-unet3d")

    def _addLabels(self, form: Form) -> None:
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Particles of the tomograms or of a part of their slices; their groups are the classes.")
        self._addStart(form)

    def _defineParams(self, form: Form) -> None:
        super()._defineParams(form)
        narrow(form, "held_out", FROM_MODEL)
        narrow(form, "width", FROM_NOTHING)
        for name in ("in_empty", *NOT_FROM_CENTRES):
            narrow(form, name, FROM_OTHERS)

    def _labels(self) -> CoordinateLabels:
        return CoordinateLabels(self.inCoordinates, "Coordinates")

    def _methods(self) -> List[str]:
        return self._methodsOf("DeepETPicker [Liu2024]", f"weak labels around known particles{self._startText()}")

    def _citations(self) -> List[str]:
        return ["Liu2024", "Uddin2026"]
