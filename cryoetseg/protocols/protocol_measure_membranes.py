"""Each membrane of a mask by itself."""
from typing import Dict, List

from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfTomoMasks

from cryoetseg.constants import MEASURE_MEMBRANES
from cryoetseg.convert import byTsId, inputFile, tsIdsOf
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.surfaces.params import MeasureMembranesParameters

from .form_builder import addFields
from .input_checks import checkIds
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted

INSTANCES = "membraneInstances"


class ProtCryoEtSegMeasureMembranes(ProtCryoEtSegBase):
    """Label and measure each membrane of a mask: area, length, thickness, curvature, enclosed volume, distance to the nearest one.

    Membranes that touch are taken apart where their normals part.

    Output: masks in which each membrane has its number. The table with a row for each and the meshes lie in the folder of the run.
    """

    _label = "measure membranes"
    _possibleOutputs = {INSTANCES: SetOfTomoMasks}
    _method = MEASURE_MEMBRANES
    _model = MeasureMembranesParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inMasks", PointerParam, pointerClass="SetOfTomoMasks", important=True, label="Membrane masks",
                      help="Masks above 0 where membrane is, of *segment membranes* or any other program.")
        addFields(form.addGroup("Measure membranes"), self._model, self._model.model_fields)
        self._addParallel(form)

    def _getItemIds(self) -> List[str]:
        return tsIdsOf(self.inMasks.get())

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [inputFile(byTsId(self.inMasks.get())[tsId], "mask")]

    def _registerResult(self, tsId: str, result: Result) -> None:
        mask = byTsId(self.inMasks.get())[tsId]
        mask.setObjId(None)
        mask.setFileName(self._getOutputFile(tsId, result, "membrane_instances"))
        self._extendOutput(INSTANCES, self._createMasks, tsId, [mask], [self.inMasks])

    def _createMasks(self) -> SetOfTomoMasks:
        masks = SetOfTomoMasks.create(self._getPath(), suffix=INSTANCES)
        masks.copyInfo(self.inMasks.get())
        return masks

    def getTables(self) -> List[str]:
        """The table of each finished tomogram, relative to the project's folder."""
        return [self._getOutputFile(tsId, self._readResult(tsId), "table") for tsId in self._getFinishedIds()]

    def _validateInputs(self) -> List[str]:
        return checkIds(self.inMasks, "Membrane masks")

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        lines = [f"{tsId}: {counted(result.metrics['membranes'], 'membrane')}, {result.metrics['area_um2']:.3f} µm²; "
                 f"{self._getOutputFile(tsId, result, 'table')}" for tsId, result in results.items()]
        return lines

    def _methods(self) -> List[str]:
        return ["Each membrane was labelled and measured on the mesh through its middle."] if hasattr(self, INSTANCES) else []

    def _citations(self) -> List[str]:
        return []
