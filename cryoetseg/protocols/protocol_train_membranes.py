"""A membrane network from membrane masks of any origin."""
from typing import List

from pyworkflow.protocol import Form, PointerParam

from cryoetseg.constants import MEMBRANES, TRAIN_MEMBRANES
from cryoetseg.core.students.membranes.params import TrainMembranesParameters

from .form_builder import narrow
from .protocol_train_student import CHOSEN, FROM_NOTHING, GENERAL_MODEL, STARTS, ProtCryoEtSegTrainStudentBase
from .training_labels import MaskLabels

VOLUMETRIC = "MembraneUNet3d"
FROM_VOLUMETRIC = (f"startFrom == {STARTS.index(GENERAL_MODEL)} or startFrom == {STARTS.index(CHOSEN)} and inStart "
                   f"and inStart.getNetwork() == '{VOLUMETRIC}'")
SEEN = ("slices", "normalisation", "smoothing_px")  # what a network sees is settled with its first training


class ProtCryoEtSegTrainMembranes(ProtCryoEtSegTrainStudentBase):
    """Train a U-Net that finds membranes, from membrane masks of a few slices or of whole tomograms.

    The masks may be pseudo-labels of *segment slabs*, masks drawn by hand and imported, or those of another plugin: they are joined
    to their tomograms by tilt-series id. Masks made from a few slices are enough: only slices that hold labels are learned from,
    and the border of each label is left open, because it is the least certain part.

    Output: a model, to be used with *segment membranes* on these and other tomograms like them. *Analyze Results* shows the training curve,
    also while it runs. *Continue* goes on from the last checkpoint.
    """

    _label = "train membranes"
    _method = TRAIN_MEMBRANES
    _model = TrainMembranesParameters
    _modelMethod = MEMBRANES
    _startNetworks = ("UNet2d", VOLUMETRIC)

    def _addLabels(self, form: Form) -> None:
        form.addParam("inMasks", PointerParam, pointerClass="SetOfTomoMasks", important=True, label="Membrane masks",
                      help="Masks of the tomograms or of a part of their slices: 0 is background; see *Membrane class*.")
        self._addStart(form)

    def _defineParams(self, form: Form) -> None:
        super()._defineParams(form)
        for name in SEEN:
            narrow(form, name, FROM_NOTHING)
        narrow(form, "tuning_iterations", FROM_VOLUMETRIC)

    def _labels(self) -> MaskLabels:
        return MaskLabels(self.inMasks, "Membrane masks", bool(self.resampleLabels.get()))

    def _methods(self) -> List[str]:
        return self._methodsOf("A U-Net [Ronneberger2015] for membranes", f"membrane masks as labels{self._startText()}, after [Uddin2026]")

    def _citations(self) -> List[str]:
        return ["Uddin2026", "Ronneberger2015"]
