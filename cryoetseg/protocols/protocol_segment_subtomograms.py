"""Masks of subtomograms by a trained Vox-UDA model."""
from typing import Dict, List

from pyworkflow.object import Set
from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfSubTomograms, SubTomogram

from cryoetseg.constants import SEGMENT_SUBTOMOGRAMS, TRAIN_VOXUDA
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.voxuda.params import SegmentSubtomogramsParameters
from cryoetseg.model_folder import modelErrors

from .form_builder import addGroups, fieldsByBase
from .protocol_base import CONTRASTS, ProtCryoEtSegBase
from .protocol_tomograms_base import counted, tellingWarnings
from .subtomogram_sets import checkSubtomograms, subtomogramFiles

SUBTOMOGRAMS = "subtomograms"  # the one item of a run
MASKS, PROBABILITIES = "masks", "probabilityMaps"
KINDS = {MASKS: "mask", PROBABILITIES: "probability"}


class ProtCryoEtSegSegmentSubtomograms(ProtCryoEtSegBase):
    """Segment subtomograms with a model of *train Vox-UDA*: where is macromolecule, where is background.

    Output: a mask and, where wanted, a probability map for each subtomogram, in its own size and voxel size, with its coordinate.
    """

    _label = "segment subtomograms"
    _possibleOutputs = {MASKS: SetOfSubTomograms, PROBABILITIES: SetOfSubTomograms}
    _method = SEGMENT_SUBTOMOGRAMS
    _model = SegmentSubtomogramsParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inSubtomos", PointerParam, pointerClass="SetOfSubTomograms", important=True, label="Subtomograms",
                      help="Subtomograms of one size and voxel size; of another voxel size than the model's they are resampled.")
        self._addContrast(form)
        form.addParam("inModel", PointerParam, pointerClass="CryoEtSegModel", important=True, label="Model",
                      help="A model of *train Vox-UDA*, best adapted to subtomograms like these.")
        addGroups(form, self._model, fieldsByBase(self._model))
        self._addGpu(form)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [SUBTOMOGRAMS]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        files = subtomogramFiles(self.inSubtomos.get(), "subtomogram", CONTRASTS[self.contrast.get()])
        return [InputFile(path=self.inModel.get().getPath(), role="model"), *files]

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        for name, kind in KINDS.items():
            if hasattr(self, name) or not result.outputs_of(kind):
                continue  # a run killed between "stored" and "step finished" comes here a second time
            found = SetOfSubTomograms.create(self._getPath(), suffix=name)
            found.copyInfo(self.inSubtomos.get())
            # the core answers in the order of its inputs
            for item, output in zip(self.inSubtomos.get().iterItems(), result.outputs_of(kind)):
                found.append(_like(item, self._getItemFile(tsId, output.path)))
            found.setStreamState(Set.STREAM_CLOSED)
            found.write()
            self._defineOutputs(**{name: found})
            for source in (self.inSubtomos, self.inModel):
                self._defineSourceRelation(source, found)

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = checkSubtomograms(self.inSubtomos, "Subtomograms")
        model = self.inModel.get()
        return errors + (modelErrors(model.getPath(), TRAIN_VOXUDA, "*train Vox-UDA*") if model is not None else [])

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        metrics = results[SUBTOMOGRAMS].metrics["subtomograms"]
        return [f"{counted(metrics['count'], 'subtomogram')}, {metrics['foreground_share']:.1%} of the voxels are foreground.",
                f"Model: {self.inModel.get().describe()}.", *tellingWarnings(results)]

    def _methods(self) -> List[str]:
        finished = self._getFinishedIds()
        if not finished:
            return []
        count = self._readResult(finished[0]).metrics["subtomograms"]["count"]
        return [f"{counted(count, 'subtomogram', '')} {'was' if count == 1 else 'were'} segmented by a network trained for "
                f"{self.inModel.get().describe()} [Li2024], at a probability above {self.threshold.get():g}."]

    def _citations(self) -> List[str]:
        return ["Li2024"]


def _like(item: SubTomogram, fileName: str) -> SubTomogram:
    """The item with another file: its coordinate, transform and acquisition stay."""
    found = item.clone()
    found.setLocation(fileName)
    return found
