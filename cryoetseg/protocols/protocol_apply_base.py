"""What protocols share that apply a trained model to tomograms."""
from typing import List

from pyworkflow.object import Pointer
from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message

from cryoetseg.core.models.shelf import shipped_folder, shipped_names
from cryoetseg.core.runtime.job import InputFile
from cryoetseg.core.runtime.seeds import stream_seed
from cryoetseg.model_folder import modelErrors, readCard

from .protocol_streamed_base import ProtCryoEtSegStreamedBase
from .protocol_tomograms_base import counted, listed

GENERAL = "general"  # name of the shipped models that know all tomograms
GENERAL_HELP = "Leave it empty for the general model that comes with the plugin, which needs no training and takes any voxel size. Or: "
GENERAL_TEXT = "all tomograms, the general model of the plugin (simulated scenes taught it)"
SEEDS = 2**31
ALIKE_VOXEL_SIZE = 0.05  # larger differences make the core resample the tomogram to the model's voxel size


class ProtCryoEtSegApplyBase(ProtCryoEtSegStreamedBase):
    """Base of the protocols with inputs ``inTomos`` and ``inModel``: one job a tomogram."""

    _modelMethod = ""  # what the card of a fitting model says
    _modelHelp = ("A trained model, or one imported with *import model*, best trained on tomograms like these. Tomograms of another voxel "
                  "size are resampled to the model's and the results brought back.")

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegApplyBase

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._addTomograms(form)
        general = self._hasGeneralModel()
        form.addParam("inModel", PointerParam, pointerClass="CryoEtSegModel", important=True, label="Model", allowsNull=general,
                      help=(GENERAL_HELP if general else "") + self._modelHelp)
        self._addParameters(form)
        self._addOwnParams(form)
        self._addGpu(form)
        self._addParallel(form)

    def _addOwnParams(self, form: Form) -> None:
        """Parameters that only this protocol has, beside those of the core."""

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [self._tomogramFile(tsId), InputFile(path=self._modelFolder(), role="model")]

    def _hasGeneralModel(self) -> bool:
        """Whether a general model for this protocol is shipped, so that none need be chosen."""
        return GENERAL in shipped_names(self._modelMethod)

    def _modelFolder(self) -> str:
        """Folder of the chosen model, or of the shipped general one."""
        model = self.inModel.get()
        return str(shipped_folder(GENERAL, self._modelMethod)) if model is None else model.getPath()

    def _modelText(self) -> str:
        """What the model is, for summaries."""
        model = self.inModel.get()
        return GENERAL_TEXT if model is None else model.describe()

    def _sources(self) -> List[Pointer]:
        return [self.inTomos] if self.inModel.get() is None else [self.inTomos, self.inModel]

    def _validateInputs(self) -> List[str]:
        model = self.inModel.get()
        return super()._validateInputs() + (self._modelErrors(model.getPath()) if model is not None else [])

    def _isGeneral(self) -> bool:
        """Whether the general model is applied, shipped or imported: its network and its training are others."""
        shipped = readCard(str(shipped_folder(GENERAL, self._modelMethod))) if self._hasGeneralModel() else None
        return shipped is not None and readCard(self._modelFolder()).checksum == shipped.checksum

    def _modelErrors(self, folder: str) -> List[str]:
        """What speaks against a model in this folder."""
        return modelErrors(folder, self._modelMethod)

    def _kindOfWork(self) -> str:
        return f"{self._method} by {readCard(self._modelFolder()).network}"

    def _warnings(self) -> List[str]:
        return super()._warnings() + self._voxelWarnings()

    def _voxelWarnings(self) -> List[str]:
        tomograms, model = self.inTomos.get(), self.inModel.get()
        rate = model.getSamplingRate() if model is not None else None
        if tomograms is None or not rate or abs(tomograms.getSamplingRate() / rate - 1) <= ALIKE_VOXEL_SIZE:
            return []
        return [f"The tomograms have voxels of {tomograms.getSamplingRate():g} Å, the model was trained at {rate:g} Å: they will be "
                "resampled to the model's voxels and the results brought back. A model trained at their own voxel size is better."]

    def _modelLine(self) -> str:
        """What was applied, for the summary."""
        return f"Model: {self._modelText()}."

    def _methodsOf(self, found: str) -> str:
        names = self._getFinishedIds()
        tomograms = counted(len(names), "tomogram", "")
        return f"{found} in {tomograms} ({listed(names)}) by a network trained for {self._modelText()}"


def seedOf(seed: int, tsId: str) -> int:
    """A tomogram's own seed, whichever tomograms are there beside it: with one seed for all, all would have the same noise."""
    return stream_seed(seed, tsId) % SEEDS
