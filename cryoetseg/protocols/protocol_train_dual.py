"""Trainings of DUAL: between noisy tomograms and clean density, and between tomograms and their own quarter turn."""
import glob
import os
from typing import List

from pyworkflow.object import Pointer
from pyworkflow.protocol import EnumParam, Form, PointerParam

from cryoetseg.constants import TRAIN_DUAL, TRAIN_WEDGE
from cryoetseg.convert import byTsId, inputFile, tsIdsOf
from cryoetseg.core.dual.params import TrainDualParameters, TrainWedgeParameters
from cryoetseg.core.runtime.job import InputFile

from .form_builder import byHand
from .input_checks import Writers, checkTomograms
from .protocol_base import CONTRASTS
from .protocol_train_base import TRAINING, ProtCryoEtSegTrainBase

HALVES = ("half1", "half2")  # roles of half maps


class ProtCryoEtSegTrainWedge(ProtCryoEtSegTrainBase):
    """Learn to fill the missing wedge of tomograms from these tomograms alone (DUAL).

    The tomograms are translated into their own copies turned by 90 degrees about the tilt axis, whose missing wedge lies where the
    others were measured; or turned patches lose a second wedge and get it back, as in IsoNet. Nothing else is needed.

    Output: a model for *compensate missing wedge*. *Analyze Results* shows the training curve, also while it runs.
    """

    _label = "train missing wedge"
    _method = TRAIN_WEDGE
    _model = TrainWedgeParameters
    _inputHelp = "Tomograms of one tilt range, best of one data set."

    def _addLabels(self, form: Form) -> None:
        """Nothing but tomograms is needed."""

    def getTrainingIds(self) -> List[str]:
        """Tilt-series ids of the tomograms."""
        return tsIdsOf(self.inTomos.get())

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [self._tomogramFile(name).model_copy(update={"role": "noisy"}) for name in self.getTrainingIds()]

    def _writeInputs(self, tsId: str) -> None:
        """All inputs are files already."""

    def getTrainingFolder(self) -> str:
        """Folder of the job with all that the training writes; relative to the project's folder."""
        return self._getItemFile(TRAINING)

    def hasWeights(self) -> bool:
        """Whether the training has written weights, of which a model can be made before it ends."""
        return bool(glob.glob(os.path.join(self.getTrainingFolder(), TRAINING, "*.safetensors")))

    def _wantedLists(self, tsId: str) -> Writers:
        return {}

    def _sources(self) -> List[Pointer]:
        return [self.inTomos]

    def _validateInputs(self) -> List[str]:
        return checkTomograms(self.inTomos, "Tomograms")

    def _methods(self) -> List[str]:
        return self._methodsOf("A network that fills the missing wedge [Zeng2024]", "no labels")

    def _citations(self) -> List[str]:
        return ["Zeng2024"]


class ProtCryoEtSegTrainDual(ProtCryoEtSegTrainWedge):
    """Learn what separates noisy tomograms from clean density, without a single pair of the two (DUAL).

    *Tomograms* are the noisy set, *Clean volumes* any set of clean ones: grand models of *simulate tomograms*, or tomograms of better
    quality, of other samples. By default clean volumes are made tomograms by a calibrated simulation, and one network, the denoiser, learns
    the way back; *Taught by* dual trains the paper's six networks, which learn both directions with the noise kept apart. How strong the
    noise is, half maps tell where every tomogram has them; else the statistics of both sets do.

    Output: a model for *denoise with DUAL*, *simulate with DUAL*, *convert style* and *label by simulation*. *Analyze Results* shows
    losses and correlations, of six networks the accuracies of the discriminators too, also while it runs. *Continue* goes on from the last
    checkpoint.
    """

    _label = "train DUAL"
    _method = TRAIN_DUAL
    _model = TrainDualParameters
    _inputHelp = "Noisy tomograms, the more alike the better; they are what will be denoised."

    def _addLabels(self, form: Form) -> None:
        form.addParam("inClean", PointerParam, pointerClass=byHand("SetOfTomograms"), important=True, label="Clean volumes",
                      help="Grand models of simulated tomograms, or tomograms of a better style. They need not show the same samples.")
        form.addParam("cleanContrast", EnumParam, choices=list(CONTRASTS), default=CONTRASTS.index("bright"),
                      display=EnumParam.DISPLAY_HLIST, label="Particles in clean volumes look",
                      help="Grand models are bright, most tomograms are dark.")

    def _getInputs(self, tsId: str) -> List[InputFile]:
        contrast = CONTRASTS[self.cleanContrast.get()]
        clean = byTsId(self.inClean.get())
        return super()._getInputs(tsId) + [inputFile(clean[name], "clean", contrast) for name in sorted(clean)] + self._halves()

    def _halves(self) -> List[InputFile]:
        """Half maps of the tomograms, where every one has two."""
        files: List[InputFile] = []
        for name in self.getTrainingIds():
            halves = list(self._tomograms()[name].getHalfMaps(asList=True))
            if len(halves) != len(HALVES) or not all(map(os.path.isfile, halves)):
                return []
            whole = self._tomogramFile(name)
            files += [whole.model_copy(update={"path": path, "role": role}) for path, role in zip(halves, HALVES)]
        return files

    def _sources(self) -> List[Pointer]:
        return [self.inTomos, self.inClean]

    def _validateInputs(self) -> List[str]:
        return super()._validateInputs() + checkTomograms(self.inClean, "Clean volumes")

    def _methods(self) -> List[str]:
        return self._methodsOf("DUAL [Zeng2024]", "an unpaired set of clean volumes")
