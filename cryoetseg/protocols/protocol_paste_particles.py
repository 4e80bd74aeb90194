"""Labelled tomograms: particles of a generator set into real ones."""
from typing import Dict, List, Optional

from pyworkflow.object import Pointer
from pyworkflow.protocol import Form, PointerParam
from tomo.objects import SetOfCoordinates3D, SetOfTomograms

from cryoetseg.constants import GENERATOR, PASTE_PARTICLES
from cryoetseg.convert import coordinatesOf, readParticles, tomogramLike
from cryoetseg.core.generation.params import VOXEL_SIZE_TOLERANCE, PasteParameters
from cryoetseg.core.runtime.job import InputFile, Result

from .form_builder import byHand
from .input_checks import Writers, checkIds
from .protocol_apply_base import ProtCryoEtSegApplyBase, seedOf
from .protocol_generate_particles import classErrors
from .protocol_tomograms_base import counted, tellingWarnings
from .training_labels import CoordinateLabels

TOMOGRAMS, COORDINATES = "tomograms", "coordinates"
KNOWN = "Known particles"  # label of their field


class ProtCryoEtSegPasteParticles(ProtCryoEtSegApplyBase):
    """Set particles that a model of *train particle generator* makes into tomograms, which then have labels for a training.

    Made particles fade into the tomogram at its own mean and contrast, at places inside the sample where no other particle is near.
    Output: the tomograms, under the ids of the input, and coordinates of the made and of the known particles; their groups are the
    classes. Give both to *train DeepETPicker* or *train segmenter*. Whatever else a tomogram holds is taught as background there, so take
    one that is empty or listed in full. They are made, not recorded: average nothing from them.
    """

    _label = "paste particles"
    _method = PASTE_PARTICLES
    _model = PasteParameters
    _modelMethod = GENERATOR
    _possibleOutputs = {TOMOGRAMS: SetOfTomograms, COORDINATES: SetOfCoordinates3D}
    _inputHelp = "Denoised tomograms of the model's voxel size, empty or listed in full."
    _modelHelp = "Output of *train particle generator*, or such a model brought in with *import model*."
    _followsInput = False  # the list of known particles has to be complete

    # --------------------------- form --------------------------------------
    def _addTomograms(self, form: Form) -> None:
        super()._addTomograms(form)
        form.addParam("inCoordinates", PointerParam, pointerClass=byHand("SetOfCoordinates3D"), allowsNull=True, label=KNOWN,
                      help="Particles that the tomograms hold already; they stay, are kept clear of and are listed too.")

    def _addOwnParams(self, form: Form) -> None:
        self._addSeed(form)

    # --------------------------- jobs --------------------------------------
    def _getInputs(self, tsId: str) -> List[InputFile]:
        labels = self._labels(tsId)
        return [*super()._getInputs(tsId), *([labels.inputFile(self._tomograms()[tsId], self._getItemFile(tsId))] if labels else [])]

    def _writeInputs(self, tsId: str) -> None:
        labels = self._labels(tsId)
        if labels:
            labels.write(self._tomograms()[tsId], self._getItemFile(tsId))

    def _wantedLists(self, tsId: str) -> Writers:
        labels, tomogram = self._labels(tsId), self._tomograms()[tsId]
        return {labels.inputFile(tomogram, self._getItemFile(tsId)).path: lambda path: labels.writeTo(tomogram, path)} if labels else {}

    def _labels(self, tsId: str) -> Optional[CoordinateLabels]:
        """The known particles, where there are any in this tomogram."""
        if self.inCoordinates.get() is None:
            return None
        labels = CoordinateLabels(self.inCoordinates, KNOWN)
        return labels if tsId in labels.tsIds() else None

    def _getSeed(self, tsId: str) -> int:
        return seedOf(super()._getSeed(tsId), tsId)

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        tomogram = tomogramLike(self._tomograms()[tsId], self._getOutputFile(tsId, result, "tomogram"))
        particles = readParticles(self._getOutputFile(tsId, result, "particles"))
        self._extendOutput(TOMOGRAMS, self._createTomograms, tsId, [tomogram], self._sources())
        self._extendOutput(COORDINATES, lambda: self._createPasted(result.metrics["box_px"]), tsId, coordinatesOf(particles, tomogram),
                           self._sources())

    def _createTomograms(self) -> SetOfTomograms:
        tomograms = SetOfTomograms.create(self._getPath(), suffix=TOMOGRAMS)
        tomograms.copyInfo(self.inTomos.get())
        return tomograms

    def _createPasted(self, box: int) -> SetOfCoordinates3D:
        coordinates = SetOfCoordinates3D.create(self._getPath(), suffix=COORDINATES)
        coordinates.setSamplingRate(self.inTomos.get().getSamplingRate())
        coordinates.setBoxSize(box)
        coordinates.setPrecedents(self._outputPointer(TOMOGRAMS))
        return coordinates

    def _sources(self) -> List[Pointer]:
        return super()._sources() + ([self.inCoordinates] if self.inCoordinates.get() is not None else [])

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = super()._validateInputs()
        known = self.inCoordinates.get()
        errors += checkIds(self.inCoordinates, KNOWN) if known is not None else []
        if errors or self.inTomos.get() is None or self.inModel.get() is None:
            return errors
        return self._voxelErrors() + classErrors(self.inModel.get(), self.classes.get()) + self._knownErrors()

    def _voxelErrors(self) -> List[str]:
        own, models = self.inTomos.get().getSamplingRate(), self.inModel.get().getSamplingRate()
        if not models or abs(own / models - 1) <= VOXEL_SIZE_TOLERANCE:
            return []
        return [f"*Tomograms* have voxels of {own:.4g} Å. Allowed: {models:.4g} Å, those of the model, since particles are not resampled. "
                "What to do: bring the tomograms to that voxel size, or train the generator at theirs."]

    def _voxelWarnings(self) -> List[str]:
        return []  # another voxel size is refused

    def _knownErrors(self) -> List[str]:
        labelled = [(self._labels(tsId), tomogram) for tsId, tomogram in self._tomograms().items()]
        return [line for labels, tomogram in labelled if labels for line in labels.validate([tomogram])]

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        pasted, known = (sum(int(result.metrics[name]) for result in results.values()) for name in ("pasted", "known"))
        return [f"{counted(pasted, 'particle')} set into {counted(len(results), 'tomogram')}, which held *{known}* known ones.",
                self._modelLine(), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, TOMOGRAMS):
            return []
        pasted = sum(int(self._readResult(tsId).metrics["pasted"]) for tsId in self._getFinishedIds())
        return [f"{self._methodsOf(f'{pasted} particles that a conditional diffusion model [Passi2025] made were set')} "
                f"(seed {self.seed.get()})."]

    def _citations(self) -> List[str]:
        return ["Passi2025", "Ho2020"]
