"""What protocols share that apply a trained model to tomograms."""
from typing import List

from pyworkflow.object import Pointer
from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message

from cryoetseg.core.runtime.job import InputFile
from cryoetseg.model_folder import modelErrors

from .protocol_tomograms_base import ProtCryoEtSegTomogramsBase, counted, listed

ALIKE_VOXEL_SIZE = 0.05  # larger differences make the core resample the tomogram to the model's voxel size


class ProtCryoEtSegApplyBase(ProtCryoEtSegTomogramsBase):
    """Base of the protocols with inputs ``inTomos`` and ``inModel``: one job a tomogram."""

    _modelMethod = ""  # what the card of a fitting model says

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegApplyBase

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._addTomograms(form)
        form.addParam("inModel", PointerParam, pointerClass="CryoEtSegModel", important=True, label="Model",
                      help="A trained model, or one imported with *import model*, best trained on tomograms like these. Tomograms of "
                           "another voxel size are resampled to the model's and the results brought back.")
        self._addParameters(form)
        self._addOwnParams(form)
        self._addGpu(form)
        self._addParallel(form)

    def _addOwnParams(self, form: Form) -> None:
        """Parameters that only this protocol has, beside those of the core."""

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [self._tomogramFile(tsId), InputFile(path=self.inModel.get().getPath(), role="model")]

    def _sources(self) -> List[Pointer]:
        return [self.inTomos, self.inModel]

    def _validateInputs(self) -> List[str]:
        model = self.inModel.get()
        return super()._validateInputs() + (self._modelErrors(model.getPath()) if model is not None else [])

    def _modelErrors(self, folder: str) -> List[str]:
        """What speaks against a model in this folder."""
        return modelErrors(folder, self._modelMethod)

    def _warnings(self) -> List[str]:
        tomograms, model = self.inTomos.get(), self.inModel.get()
        rate = model.getSamplingRate() if model is not None else None
        if tomograms is None or not rate or abs(tomograms.getSamplingRate() / rate - 1) <= ALIKE_VOXEL_SIZE:
            return []
        return [f"The tomograms have voxels of {tomograms.getSamplingRate():g} Å, the model was trained at {rate:g} Å: they will be "
                "resampled to the model's voxels and the results brought back. A model trained at their own voxel size is better."]

    def _modelLine(self) -> str:
        """What was applied, for the summary."""
        return f"Model: {self.inModel.get().describe()}."

    def _methodsOf(self, found: str) -> str:
        names = self._getFinishedIds()
        tomograms = counted(len(names), "tomogram", "")
        return f"{found} in {tomograms} ({listed(names)}) by a network trained for {self.inModel.get().describe()}"
