"""Applying a trained DUAL: tomograms to tomograms."""
from typing import Any, Dict, List

from tomo.objects import SetOfTomograms

from cryoetseg.constants import CONVERT_DUAL, DENOISE_DUAL, DUAL, DUAL_WEDGE, FILL_WEDGE, SIMULATE_DUAL
from cryoetseg.convert import inputFile, tomogramLike
from cryoetseg.core.dual.params import ConvertParameters, DenoiseParameters, SimulateDualParameters, WedgeParameters
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.model_folder import modelErrors

from .form_builder import parametersOf
from .methods_text import otherThanPublished
from .protocol_apply_base import ProtCryoEtSegApplyBase, seedOf
from .protocol_tomograms_base import counted, listed, tellingWarnings

TOMOGRAMS = "tomograms"


class ProtCryoEtSegDualBase(ProtCryoEtSegApplyBase):
    """Base of the protocols that make one tomogram from each."""

    _possibleOutputs = {TOMOGRAMS: SetOfTomograms}
    _modelMethod = DUAL
    _done = ""  # what happened to the tomograms, for summary and methods

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegDualBase

    def _getSeed(self, tsId: str) -> int:
        return seedOf(super()._getSeed(tsId), tsId)

    def _registerResult(self, tsId: str, result: Result) -> None:
        made = tomogramLike(self._tomograms()[tsId], self._getOutputFile(tsId, result, "tomogram"))
        self._extendOutput(TOMOGRAMS, self._createTomograms, tsId, [made], self._sources())

    def _createTomograms(self) -> SetOfTomograms:
        tomograms = SetOfTomograms.create(self._getPath(), suffix=TOMOGRAMS)
        tomograms.copyInfo(self.inTomos.get())
        return tomograms

    def getBeforeAndAfter(self) -> Dict[str, List[str]]:
        """Files of the tomogram that went in and of the one that came out, by tilt-series id."""
        files = {}
        for tsId in self._getFinishedIds():
            result = self._readResult(tsId)
            files[tsId] = [self._tomogramFile(tsId).path, self._getOutputFile(tsId, result, "tomogram")]
        return files

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        return [f"{counted(len(results), 'tomogram')} {self._done}.", self._modelLine(), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, TOMOGRAMS):
            return []
        names = self._getFinishedIds()
        tomograms = f"{counted(len(names), 'tomogram', '')} ({listed(names)})"
        return [f"{tomograms} {'was' if len(names) == 1 else 'were'} {self._done} after [Zeng2024] by a network trained for "
                f"{self._modelText()}.", *otherThanPublished(self._model, parametersOf(self, self._model))]

    def _citations(self) -> List[str]:
        return ["Zeng2024"]


class ProtCryoEtSegDenoiseDual(ProtCryoEtSegDualBase):
    """Denoise tomograms with a model of *train DUAL*.

    One tomogram is enough: no halves from odd and even tilts or frames are needed. Output: tomograms with the id, origin, voxel size, grey
    scale and contrast of the input. *Analyze Results* shows both side by side, and their power spectra.
    """

    _label = "denoise with DUAL"
    _method, _model, _done = DENOISE_DUAL, DenoiseParameters, "denoised"


class ProtCryoEtSegConvertDual(ProtCryoEtSegDualBase):
    """Bring tomograms into the style of the clean or of the noisy set that a model of *train DUAL* has learned.

    With better tomograms as the clean set, *to clean* lifts tomograms to their quality, and *to noisy* shows them as the poorer set would.
    """

    _label = "convert style"
    _method, _model, _done = CONVERT_DUAL, ConvertParameters, "converted"

    def _addOwnParams(self, form: Any) -> None:
        self._addSeed(form)


class ProtCryoEtSegSimulateDual(ProtCryoEtSegDualBase):
    """Make tomograms from grand models in the style of the noisy set that a model of *train DUAL* has learned.

    Noise, missing wedge and blur are those of your own data. What is in the grand models is known, so the tomograms can train networks:
    see *label by simulation*. Another seed draws other noise.
    """

    _label = "simulate with DUAL"
    _method, _model, _done = SIMULATE_DUAL, SimulateDualParameters, "simulated from grand models"
    _inputHelp = "Grand models: density, particles bright, as *simulate tomograms* makes them."

    def _addContrast(self, form: Any) -> None:
        """The only contrast asked for is that of the output; grand models are bright."""

    def _addOwnParams(self, form: Any) -> None:
        self._addSeed(form)

    def _tomogramFile(self, tsId: str) -> InputFile:
        return inputFile(self._tomograms()[tsId], "grand_model", "bright")


class ProtCryoEtSegFillWedge(ProtCryoEtSegDualBase):
    """Fill the missing wedge of tomograms with a model of *train DUAL* or of *train missing wedge*.

    What the tilt series measured stays as it is; only Fourier coefficients inside the wedge come from the network. A model of *train DUAL*
    fills in the density that it sees behind the noise. Output: tomograms with the id, origin and voxel size of the input.
    """

    _label = "compensate missing wedge"
    _method, _model, _done = FILL_WEDGE, WedgeParameters, "filled in their missing wedge"

    def _addOwnParams(self, form: Any) -> None:
        self._addSeed(form)

    def _modelErrors(self, folder: str) -> List[str]:
        return modelErrors(folder, DUAL_WEDGE) if modelErrors(folder, DUAL) else []
