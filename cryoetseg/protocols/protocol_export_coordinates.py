"""Coordinates as files that other programs read."""
import os
from functools import partial
from typing import Any, Dict, List

from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message

from cryoetseg.constants import EXPORT_PARTICLES
from cryoetseg.convert import byTsId, inputFile, particlesOf, tsIdsOf, writeParticles
from cryoetseg.core.particles.params import ExportParticlesParameters
from cryoetseg.core.runtime.job import InputFile, Result

from .form_builder import addFields
from .input_checks import Writers, checkIds
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted

EXPORTED = "coordinates"  # the one item of a run, and the folder of its files


class ProtCryoEtSegExportCoordinates(ProtCryoEtSegBase):
    """Write coordinates of any picker as files for RELION, IMOD, Dynamo, copick and others.

    Positions keep their fractions of a voxel, and class, score and orientation go along where the format has room for them. RELION's
    formats and tables give one file for all tomograms, the others one file for each. Inside Scipion nothing needs to be exported:
    extraction takes the coordinates as they are.

    The summary says where the files lie.
    """

    _label = "export coordinates"
    _method = EXPORT_PARTICLES
    _model = ExportParticlesParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Coordinates of any picker.")
        addFields(form, self._model, self._model.model_fields)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [EXPORTED]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        files = []
        for name, tomogram in self._tomograms().items():
            files += [InputFile(path=self._listFile(name), role="particles", voxel_size=tomogram.getSamplingRate(), tilt_series_id=name),
                      inputFile(tomogram)]
        return files

    def _writeInputs(self, tsId: str) -> None:
        for path, write in self._wantedLists(tsId).items():
            write(path)

    def _wantedLists(self, tsId: str) -> Writers:
        return {self._listFile(name): partial(self._writeList, name, tomogram) for name, tomogram in self._tomograms().items()}

    def _writeList(self, name: str, tomogram: Any, path: str) -> None:
        particles = particlesOf(self.inCoordinates.get(), tomogram, tomogram.getSamplingRate())
        writeParticles(path, name, tomogram.getSamplingRate(), particles)

    def _tomograms(self) -> Dict[str, object]:
        """The tomograms that coordinates lie in, by tilt-series id in order."""
        coordinates = self.inCoordinates.get()
        tomograms = byTsId(coordinates.getPrecedents())
        return {name: tomograms[name] for name in tsIdsOf(coordinates) if name in tomograms}

    def _listFile(self, tsId: str) -> str:
        return self._getItemFile(EXPORTED, "input", f"{tsId}.star")

    # --------------------------- information -------------------------------
    def getFiles(self) -> List[str]:
        """The written files, relative to the project's folder; none before the end."""
        return [self._getItemFile(name, item.path) for name in self._getFinishedIds() for item in self._readResult(name).outputs]

    def _validateInputs(self) -> List[str]:
        return checkIds(self.inCoordinates, "Coordinates")

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        (result,) = results.values()
        files = self.getFiles()
        where = os.path.abspath(files[0] if len(files) == 1 else os.path.dirname(files[0]))
        return [f"{counted(result.metrics['particles'], 'coordinate')} in {counted(len(files), 'file')}: {where}", *result.warnings]

    def _methods(self) -> List[str]:
        return []

    def _citations(self) -> List[str]:
        return []
