"""Labels by simulation: synthetic tomograms with known classes train the network that segments the real ones."""
from typing import Any, Dict, List

from pyworkflow.object import Pointer
from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from cryoetseg.constants import DUAL, TRANSFER_DUAL
from cryoetseg.convert import byTsId, coordinatesOf, inputFile, maskLike, readParticles, tsIdsOf
from cryoetseg.core.recipes.dual_chain.params import TransferParameters
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.objects import CryoEtSegModel

from .form_builder import addGroups, addPreset, byHand, fieldsByBase, narrow
from .input_checks import checkIds, checkTomograms
from .protocol_apply_base import ProtCryoEtSegApplyBase
from .protocol_tomograms_base import counted, tellingWarnings

MODEL, CLASS_MASKS, COORDINATES = "model", "classMasks", "coordinates"
CHAIN = "chain"  # the one item of this run
LARGEST_DIAMETER = 300.0  # Angstrom; the box of the coordinates


class ProtCryoEtSegTransferDual(ProtCryoEtSegApplyBase):
    """Segment tomograms into classes without a label of your own: the labels come from simulation (DUAL).

    A model of *train DUAL* makes synthetic tomograms in the style of your data from grand models whose classes are known; DeepFinder's
    network is trained on them and segments your tomograms.

    Output: the trained model, masks of the classes and coordinates with class (group) and score in your tomograms.
    """

    _label = "label by simulation"
    _possibleOutputs = {MODEL: CryoEtSegModel, CLASS_MASKS: SetOfTomoMasks, COORDINATES: SetOfCoordinates3D}
    _method = TRANSFER_DUAL
    _model = TransferParameters
    _modelMethod = DUAL
    _followsInput = False  # one training for all tomograms

    # --------------------------- form --------------------------------------
    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._addTomograms(form)
        form.addParam("inModel", PointerParam, pointerClass="CryoEtSegModel", important=True, label="DUAL model",
                      help="Output of *train DUAL*, trained on these tomograms or on others like them.")
        form.addParam("inGrandModels", PointerParam, pointerClass=byHand("SetOfTomograms"), important=True, label="Grand models",
                      help="Density of simulated samples with the macromolecules that you look for.")
        form.addParam("inMasks", PointerParam, pointerClass="SetOfTomoMasks", important=True, label="Class masks",
                      help="The classes in these grand models, with the same tilt-series ids.")
        groups = fieldsByBase(self._model)
        form.addSection(label="Training of the segmenter")
        addPreset(form, self._model)
        addGroups(form, self._model, groups)
        for name in ("resample_labels", "particle_diameter", "class_diameters"):
            narrow(form, name, "False")  # the labels are masks of the same simulation
        self._addSeed(form)
        self._addGpu(form)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [CHAIN]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        models, masks = byTsId(self.inGrandModels.get()), byTsId(self.inMasks.get())
        common = sorted(set(models) & set(masks))
        files = [InputFile(path=self.inModel.get().getPath(), role="model")]
        files += [inputFile(models[name], "grand_model", "bright") for name in common]
        files += [inputFile(masks[name], "labels") for name in common]
        return files + [self._tomogramFile(name) for name in sorted(self._tomograms())]

    def _sources(self) -> List[Pointer]:
        return [self.inTomos, self.inModel, self.inGrandModels, self.inMasks]

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        if not hasattr(self, MODEL):
            self._defineOutputs(**{MODEL: CryoEtSegModel.fromFolder(self._getOutputFile(tsId, result, "model"))})
            for source in self._sources():
                self._defineSourceRelation(source, self.model)
        for mask in result.outputs_of("class_mask"):
            tomogram = self._tomograms()[mask.tilt_series_id]
            item = maskLike(tomogram, self._getItemFile(tsId, mask.path))
            self._extendOutput(CLASS_MASKS, lambda: self._createMasks(CLASS_MASKS), mask.tilt_series_id, [item], self._sources())
        for particles in result.outputs_of("particles"):
            tomogram = self._tomograms()[particles.tilt_series_id]
            found = coordinatesOf(readParticles(self._getItemFile(tsId, particles.path)), tomogram)
            self._extendOutput(COORDINATES, self._createAllCoordinates, particles.tilt_series_id, found, self._sources())

    def _createAllCoordinates(self) -> SetOfCoordinates3D:
        return self._createCoordinates(COORDINATES, LARGEST_DIAMETER)

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = super()._validateInputs() + checkTomograms(self.inGrandModels, "Grand models") + checkIds(self.inMasks, "Class masks")
        if errors or self.inGrandModels.get() is None or self.inMasks.get() is None:
            return errors
        if not set(tsIdsOf(self.inGrandModels.get())) & set(tsIdsOf(self.inMasks.get())):
            return ["*Grand models* and *Class masks* have no tilt-series id in common. Allowed: both of one simulation. "
                    "What to do: choose two outputs of the same run of *simulate tomograms*."]
        return []

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        result = results[CHAIN]
        return [f"Classes in {counted(len(result.outputs_of('class_mask')), 'tomogram')} by a network trained on "
                f"*{len(result.outputs_of('synthetic_tomogram'))}* synthetic ones.", self._modelLine(), *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        if not hasattr(self, MODEL):
            return []
        return ["Synthetic tomograms made by DUAL [Zeng2024] from grand models with known classes trained DeepFinder's network "
                f"[Moebel2021], which segmented {len(self._tomograms())} tomograms."]

    def _citations(self) -> List[Any]:
        return ["Zeng2024", "Moebel2021"]
