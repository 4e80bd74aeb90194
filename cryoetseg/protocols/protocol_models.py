"""Models come in from a folder and go out to one."""
import os
from typing import List, Optional

from pwem.protocols import EMProtocol
from pyworkflow import BETA
from pyworkflow.protocol import Form, PathParam, PointerParam
from pyworkflow.utils import Message

from cryoetseg.constants import DUAL, DUAL_WEDGE, GENERATOR, MEMBRANES, PICKER, SEGMENTER, TRAIN_VOXUDA
from cryoetseg.core.runtime.job import model_folder
from cryoetseg.model_folder import CARD, copyModel, modelErrors, targetErrors
from cryoetseg.objects import CryoEtSegModel

MODEL = "model"
# The papers of a model by the method that its card names; those of its training
CITATIONS = {
    MEMBRANES: ["Uddin2026", "Ronneberger2015"], PICKER: ["Liu2024", "Uddin2026"], SEGMENTER: ["Moebel2021"],
    GENERATOR: ["Passi2025", "Ho2020"], DUAL: ["Zeng2024"], DUAL_WEDGE: ["Zeng2024"], TRAIN_VOXUDA: ["Li2024", "Chen2018"],
}


def citationsOf(model: Optional[CryoEtSegModel]) -> List[str]:
    """The papers to cite for a model; none before there is one."""
    return CITATIONS.get(model.getMethod(), []) if model is not None else []


class ProtCryoEtSegImportModel(EMProtocol):
    """Import a trained model from a folder, so that it can be applied in this project.

    The folder is one that a training wrote on the command line (or its *model* folder), that *export model* wrote, or that
    somebody gave you: it holds *model.safetensors* and *card.json*. Its checksum is compared and it is copied into the project.
    """

    _label = "import model"
    _devStatus = BETA
    _possibleOutputs = {MODEL: CryoEtSegModel}

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("folder", PathParam, important=True, label="Folder of the model",
                      help="A folder with model.safetensors and card.json, or the output folder of 'cryoetseg train'.")

    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.importStep, self._source(), needsGPU=False)

    def _source(self) -> str:
        return str(model_folder(os.path.expanduser((self.folder.get() or "").strip())))

    def importStep(self, source: str) -> List[str]:
        """Copy the model into the run and register it."""
        target = self._getExtraPath(MODEL)
        copyModel(source, target)
        self._defineOutputs(**{MODEL: CryoEtSegModel.fromFolder(target)})
        return [os.path.join(target, CARD)]

    def _validate(self) -> List[str]:
        if not (self.folder.get() or "").strip():
            return []  # Scipion itself asks for a value
        return modelErrors(self._source())

    def _summary(self) -> List[str]:
        if not hasattr(self, MODEL):
            return ["Output is not ready yet."]
        return [f"Model: {self.model.describe()}.", f"From {self._source()}"]

    def _methods(self) -> List[str]:
        return [f"A model for {self.model.describe()} was imported."] if hasattr(self, MODEL) else []

    def _citations(self) -> List[str]:
        return citationsOf(getattr(self, MODEL, None))


class ProtCryoEtSegExportModel(EMProtocol):
    """Export a trained model to a folder outside the project: to apply it in another project, on the command line or elsewhere.

    The folder holds *model.safetensors* (the weights) and *card.json* (what they are for); it can be imported again with *import
    model* and named as MODEL on the command line.
    """

    _label = "export model"
    _devStatus = BETA

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inModel", PointerParam, pointerClass="CryoEtSegModel", important=True, label="Model", help="The model to export.")
        form.addParam("folder", PathParam, important=True, label="New folder",
                      help="Folder to write, best with a telling name. An earlier model there is replaced, anything else is refused.")

    def _insertAllSteps(self) -> None:
        self._insertFunctionStep(self.exportStep, self.inModel.get().getPath(), self._target(), needsGPU=False)

    def getFolder(self) -> str:
        """The folder with the model, outside of the project."""
        return self._target()

    def _target(self) -> str:
        return os.path.abspath(os.path.expanduser((self.folder.get() or "").strip()))

    def exportStep(self, source: str, target: str) -> List[str]:
        """Copy the folder of the model."""
        copyModel(source, target)
        return [os.path.join(target, CARD)]

    def _validate(self) -> List[str]:
        if self.inModel.get() is None:
            return []  # Scipion itself asks for a value
        errors = modelErrors(self.inModel.get().getPath())
        if not (self.folder.get() or "").strip():
            return errors
        if os.path.exists(self._target()) and os.path.abspath(self.inModel.get().getPath()) == self._target():
            return [*errors, f"*New folder* = {self._target()} is that of the model itself. What to do: choose another folder."]
        return errors + targetErrors(self._target())

    def _summary(self) -> List[str]:
        if not self.isFinished():
            return ["Output is not ready yet."]
        return [f"Model: {self.inModel.get().describe()}.", f"Written to {self._target()}"]

    def _methods(self) -> List[str]:
        return []

    def _citations(self) -> List[str]:
        return citationsOf(self.inModel.get())
