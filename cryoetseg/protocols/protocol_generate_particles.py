"""New subtomograms from a trained generator."""
import os
from typing import Any, Dict, List, Optional

from pyworkflow.object import Float, Integer, String
from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfSubTomograms, SubTomogram, TomoAcquisition

from cryoetseg.constants import GENERATE_PARTICLES, GENERATOR
from cryoetseg.core.generation.params import SampleParameters
from cryoetseg.core.runtime.files import read_json
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.model_folder import modelErrors
from cryoetseg.objects import CryoEtSegModel

from .form_builder import addGroups
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted

SUBTOMOGRAMS = "subtomograms"
ITEM = "generated"  # the one job of a run, and its folder
WHAT = ("classes", "count", "position", "contrast")
HOW = ("sampler", "steps", "guidance", "batch_size", "precision")


class ProtCryoEtSegGenerateParticles(ProtCryoEtSegBase):
    """Make new subtomograms of particles with a model of *train particle generator*.

    Output: subtomograms, each with the number and the name of its class, its place in the tomogram (fractions of the sides) and how it was
    sampled. They are made, not recorded: use them to train or to test other programs, not as evidence of a structure. *Analyze
    Results* shows them in three planes beside particles that the model was trained on, and compares their spectra.
    """

    _label = "generate particles"
    _method = GENERATE_PARTICLES
    _model = SampleParameters
    _possibleOutputs = {SUBTOMOGRAMS: SetOfSubTomograms}

    # --------------------------- form --------------------------------------
    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inModel", PointerParam, pointerClass="CryoEtSegModel", important=True, label="Model",
                      help="Output of *train particle generator*, or such a model brought in with *import model*.")
        addGroups(form, self._model, [("What to make", ["name", *WHAT]), ("Sampling", HOW)])
        self._addSeed(form)
        self._addGpu(form)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [ITEM]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [InputFile(path=self.inModel.get().getPath(), role="model")]

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        if hasattr(self, SUBTOMOGRAMS):
            return  # a run killed after this step comes here a second time
        record = self.getRecord()
        subtomograms = SetOfSubTomograms.create(self._getPath())
        subtomograms.setSamplingRate(record["voxel_size"])
        subtomograms.setAcquisition(TomoAcquisition())
        classes = {name: number for number, name in self.inModel.get().getClasses().items()}
        for row in record["subtomograms"]:
            subtomograms.append(self._subtomogram(row, record, classes))
        self._defineOutputs(**{SUBTOMOGRAMS: subtomograms})
        self._defineSourceRelation(self.inModel, subtomograms)

    def _subtomogram(self, row: Dict[str, Any], record: Dict[str, Any], classes: Dict[str, int]) -> SubTomogram:
        item, sampling = SubTomogram(), record["sampling"]
        item.setLocation(self._getItemFile(ITEM, row["file"]))
        item.setSamplingRate(record["voxel_size"])
        item.setVolName(os.path.splitext(row["file"])[0])
        item.setAcquisition(TomoAcquisition())
        item.setClassId(classes[row["class"]] + 1)
        item._particleClass = String(row["class"])
        item._positionZ, item._positionY, item._positionX = (Float(value) for value in row["position_zyx"])
        item._sampler, item._steps = String(sampling["sampler"]), Integer(sampling["steps"])
        item._guidance, item._seed = Float(sampling["guidance"]), Integer(record["seed"])
        return item

    def getListFile(self) -> str:
        """The list of what was made, with class, place and sampling; relative to the project's folder."""
        return self._getOutputFile(ITEM, self._readResult(ITEM), "report")

    def getRecord(self) -> Dict[str, Any]:
        """The content of :meth:`getListFile`."""
        return read_json(self.getListFile())

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        model = self.inModel.get()
        if model is None:
            return []
        errors = modelErrors(model.getPath(), GENERATOR, "*train particle generator*")
        if errors:
            return errors
        return classErrors(model, self.classes.get())

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        counts = ", ".join(f"{count} {name}" for name, count in results[ITEM].metrics["classes"].items())
        return [f"{counted(results[ITEM].metrics['subtomograms'], 'subtomogram')}: {counts}.", f"Model: {self.inModel.get().describe()}."]

    def _methods(self) -> List[str]:
        if not hasattr(self, SUBTOMOGRAMS):
            return []
        sampling = self.getRecord()["sampling"]
        return [f"{self.subtomograms.getSize()} subtomograms were generated by a conditional diffusion model [Passi2025] with the "
                f"sampler {sampling['sampler']} in {sampling['steps']} steps (seed {self.seed.get()})."]

    def _citations(self) -> List[str]:
        return ["Passi2025", "Ho2020"]


def classErrors(model: CryoEtSegModel, classes: Optional[str]) -> List[str]:
    """What speaks against the names ``classes`` (with commas, or all) of a generator's classes."""
    known = list(model.getClasses().values())
    wanted = [name.strip() for name in (classes or "all").split(",")]
    unknown = [name for name in wanted if name != "all" and name not in known]
    return [f"*Classes*: unknown class '{unknown[0]}'. Allowed: all, {', '.join(known)}."] if unknown else []
