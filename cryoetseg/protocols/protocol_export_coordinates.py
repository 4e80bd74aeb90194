"""Coordinates as files that other programs read."""
import os
import shutil
from functools import partial
from typing import Any, Dict, List

from pyworkflow.protocol import FolderParam, Form, PointerParam
from pyworkflow.utils import Message

from cryoetseg.constants import EXPORT_PARTICLES
from cryoetseg.convert import byTsId, inputFile, particlesOf, tsIdsOf, writeParticles
from cryoetseg.core.particles.params import ExportParticlesParameters
from cryoetseg.core.runtime.files import atomic_path
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.runtime.params import describe

from .form_builder import addFields, narrow, parametersOf
from .input_checks import Writers, checkIds
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted

OF_TILT_SERIES = "relion5"  # the format that names the pixel size of the tilt series
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
        (format_, _) = describe(self._model)
        addFields(form, self._model, [format_.name])
        form.addParam("inTiltSeries", PointerParam, pointerClass="SetOfTiltSeries", allowsNull=True, label="Tilt series (optional)",
                      condition=f"format == {format_.choices.index(OF_TILT_SERIES)}",
                      help="The tilt series as they were recorded, not binned: RELION 5's optics names their pixel size.")
        addFields(form, self._model, ["tilt_series_pixel"])
        narrow(form, "tilt_series_pixel", "not inTiltSeries")
        form.addParam("folder", FolderParam, default="", allowsNull=True, label="Destination",
                      help="Folder that gets a copy of each file; files of the same names there are replaced. Empty: they stay in the "
                           "folder of the run.")
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getParameters(self, tsId: str) -> Dict[str, Any]:
        """With the pixel size of the tilt series where they are given."""
        values = super()._getParameters(tsId)
        return {**values, "tilt_series_pixel": self._pixelSize() or values["tilt_series_pixel"]}

    def _pixelSize(self) -> float:
        """That of the tilt series; 0 without any, and for formats that have no use for it."""
        series = self.inTiltSeries.get()
        return float(series.getSamplingRate()) if series is not None and self._isForRelion5() else 0.0

    def _isForRelion5(self) -> bool:
        return bool(parametersOf(self, self._model, ["format"])["format"] == OF_TILT_SERIES)

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

    def _registerEnd(self, finished: List[str]) -> None:
        """Copy the files to their destination, with the names of tomograms that a format knows by number."""
        target, written = self.getFolder(), self.getFiles()
        if os.path.abspath(target) == os.path.abspath(self._getItemFile(EXPORTED)):
            return
        for path in dict.fromkeys([*written, *(f"{os.path.splitext(path)[0]}_tomograms.csv" for path in written)]):
            if os.path.isfile(path):
                with atomic_path(os.path.join(target, os.path.basename(path))) as part:
                    shutil.copyfile(path, part)

    # --------------------------- information -------------------------------
    def getFolder(self) -> str:
        """Where the files lie: the destination, else the folder of the run."""
        return (self.folder.get() or "").strip() or self._getItemFile(EXPORTED)

    def getFiles(self) -> List[str]:
        """The written files, relative to the project's folder; none before the end."""
        return [self._getItemFile(name, item.path) for name in self._getFinishedIds() for item in self._readResult(name).outputs]

    def _validateInputs(self) -> List[str]:
        return checkIds(self.inCoordinates, "Coordinates") + self._folderErrors()

    def _folderErrors(self) -> List[str]:
        """A destination that no folder can be made at."""
        above = os.path.abspath((self.folder.get() or "").strip() or ".")
        while not os.path.exists(above):
            above = os.path.dirname(above)
        if os.path.isdir(above) and os.access(above, os.W_OK):
            return []
        return [f"*Destination* = {self.folder.get()}: {above} is no folder that you may write to. What to do: choose another one."]

    def _warnings(self) -> List[str]:
        rate = self.inCoordinates.get().getPrecedents().getSamplingRate() if self.inCoordinates.get() is not None else None
        if not self._isForRelion5() or self._pixelSize() or self.tiltSeriesPixel.get() or rate is None:
            return super()._warnings()
        return [*super()._warnings(), f"RELION's optics will name {rate:g} Å, the voxel size of the tomograms, as the pixel size of the "
                "tilt series. If the tomograms are binned, choose the *Tilt series* or give their *Pixel size*."]

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        (result,) = results.values()
        files = self.getFiles()
        where = os.path.abspath(os.path.join(self.getFolder(), os.path.basename(files[0])) if len(files) == 1 else self.getFolder())
        return [f"{counted(result.metrics['particles'], 'coordinate')} in {counted(len(files), 'file')}: {where}", *result.warnings]

    def _methods(self) -> List[str]:
        return []

    def _citations(self) -> List[str]:
        return []
