"""copick projects come in as Scipion's sets, and Scipion's sets go out into copick projects."""
import os
import re
from functools import partial
from pathlib import Path
from typing import Any, Dict, List

from pyworkflow.protocol import Form, MultiPointerParam, PathParam, PointerParam
from pyworkflow.utils import Message
from tomo.convert.mdoc import normalizeTSId
from tomo.objects import SetOfCoordinates3D, SetOfTomograms, SetOfTomoMasks, Tomogram

from cryoetseg.constants import EXPORT_COPICK, IMPORT_COPICK
from cryoetseg.convert import byTsId, coordinatesOf, inputFile, maskLike, newTomogram, particlesOf, readParticles, tsIdsOf, writeParticles
from cryoetseg.core.interchange.copick_project import Entry, Project, parse_pattern, read_project
from cryoetseg.core.interchange.params import ExportCopickParameters, ImportCopickParameters
from cryoetseg.core.runtime.errors import CryoetsegError
from cryoetseg.core.runtime.job import InputFile, Result

from .form_builder import addFields
from .input_checks import Writers, checkIds, checkTomograms
from .protocol_base import ProtCryoEtSegBase, evenBox
from .protocol_tomograms_base import BOX_PER_DIAMETER, counted

TOMOGRAMS, COORDINATES, MASKS = "tomograms", "coordinates", "masks"
PROJECT = "project"  # the one item of a run, and the folder of its files
USUAL_RADIUS = 125.0  # Angstrom, where no object of the project states one
CONFIG_HELP = "The JSON file of the project. Its data must lie on this machine; 'cryoetseg data fetch' brings them from elsewhere."


class ProtCryoEtSegImportCopick(ProtCryoEtSegBase):
    """Import a copick project: tomograms, picks and segmentations of its runs.

    Each run of the project is a tilt series. Objects are groups of the coordinates, with their names; each segmentation becomes a set of
    masks, called by its name, user and session. Tomograms are copied as MRC files.
    """

    _label = "import copick project"
    _possibleOutputs = {TOMOGRAMS: SetOfTomograms, COORDINATES: SetOfCoordinates3D, MASKS: SetOfTomoMasks}
    _method = IMPORT_COPICK
    _model = ImportCopickParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("config", PathParam, important=True, label="Configuration of the project", help=CONFIG_HELP)
        addFields(form, self._model, self._model.model_fields)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [PROJECT]  # one job, since an object has one number in all runs

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return [InputFile(path=_absolute(self.config.get()), role="copick")]

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        tomograms = {}
        for output in result.outputs_of("tomogram"):
            name = normalizeTSId(output.tilt_series_id)
            tomograms[name] = newTomogram(self._getItemFile(PROJECT, output.path), name, output.voxel_size)
            self._addVolume(TOMOGRAMS, SetOfTomograms, tomograms[name])
        for output in result.outputs_of("mask"):
            name = normalizeTSId(output.tilt_series_id)
            shown = os.path.splitext(output.path)[0][len(output.tilt_series_id):]
            self._addVolume(MASKS + re.sub(r"\W", "_", shown), SetOfTomoMasks,
                            maskLike(tomograms[name], self._getItemFile(PROJECT, output.path)))
        for output in result.outputs_of("particles"):
            tomogram = tomograms[normalizeTSId(output.tilt_series_id)]
            particles = readParticles(self._getItemFile(PROJECT, output.path))
            self._extendOutput(COORDINATES, partial(self._createCoordinates, tomogram), tomogram.getTsId(),
                               coordinatesOf(particles, tomogram), [])

    def _addVolume(self, name: str, setClass: type, item: Tomogram) -> None:
        def create() -> Any:
            volumes = setClass.create(self._getPath(), suffix=name)
            volumes.setSamplingRate(item.getSamplingRate())
            volumes.setAcquisition(item.getAcquisition())
            return volumes

        self._extendOutput(name, create, item.getTsId(), [item], [])

    def _createCoordinates(self, tomogram: Tomogram) -> SetOfCoordinates3D:
        radii = [float(item.get("radius") or 0) for item in _project(self.config.get()).objects().values() if item.get("is_particle", True)]
        coordinates = SetOfCoordinates3D.create(self._getPath(), suffix=COORDINATES)
        coordinates.setSamplingRate(tomogram.getSamplingRate())
        coordinates.setBoxSize(evenBox(2 * BOX_PER_DIAMETER * (max(radii, default=0) or USUAL_RADIUS), tomogram.getSamplingRate()))
        coordinates.setPrecedents(self._outputPointer(TOMOGRAMS))
        return coordinates

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        if not (self.config.get() or "").strip():
            return []  # Scipion itself asks for a value
        try:
            found = _project(self.config.get()).tomograms(parse_pattern(self.tomogram.get() or "*"), self.runNames.get() or "*")
        except CryoetsegError as error:
            return [f"*Configuration of the project*: {error}"]
        if not found:
            return [f"No tomogram of {self.config.get()} fits *Tomogram* and *Runs*. What to do: leave both at *."]
        first: Dict[str, Entry] = {}
        for entry in found:
            first.setdefault(entry.run, entry)
        sizes = sorted({entry.voxel_size for entry in first.values() if entry.voxel_size})
        if len(sizes) > 1:
            return [f"The chosen tomograms have voxels of {', '.join(f'{size:g}' for size in sizes)} Å. Allowed: one voxel size in a set. "
                    f"What to do: write it into *Tomogram*, such as {found[0].uri}."]
        if len({normalizeTSId(run) for run in first}) < len(first):
            return ["Two runs get the same tilt-series id in Scipion, which takes letters, digits and _ alone. What to do: import them one "
                    "by one with *Runs*."]
        return []

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        (result,) = results.values()
        picked = sum(item.get("particles", 0) for item in result.metrics.values() if isinstance(item, dict))
        return [f"{counted(len(result.outputs_of('tomogram')), 'tomogram')}, {counted(len(result.outputs_of('mask')), 'mask')} and "
                f"{counted(picked, 'coordinate')} of {self.config.get()}", *result.warnings]


class ProtCryoEtSegExportCopick(ProtCryoEtSegBase):
    """Write tomograms, coordinates and masks into a copick project, a new one or one that exists.

    Tilt series are its runs. A group of the coordinates is an object by its name, a mask a segmentation; user and session tell yours from
    those that are there.
    """

    _label = "export copick project"
    _method = EXPORT_COPICK
    _model = ExportCopickParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inTomos", PointerParam, pointerClass="SetOfTomograms", important=True, label="Tomograms",
                      help="Tomograms that coordinates and masks belong to.")
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", allowsNull=True, label="Coordinates",
                      help="Coordinates of any picker; may stay empty.")
        form.addParam("inMasks", MultiPointerParam, pointerClass="SetOfTomoMasks", allowsNull=True, label="Masks",
                      help="Masks or label volumes; what the name of their files adds to that of the tomogram names the segmentation.")
        form.addParam("copickProject", PathParam, default="", allowsNull=True, label="Project",
                      help=self._model.model_fields["project"].description)
        addFields(form, self._model, [name for name in self._model.model_fields if name != "project"])
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [PROJECT]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        tomograms = byTsId(self.inTomos.get())
        files = [inputFile(tomogram) for tomogram in tomograms.values()]
        files += [InputFile(path=self._listFile(name), role="particles", voxel_size=tomograms[name].getSamplingRate(), tilt_series_id=name)
                  for name in self._picked()]
        return files + [inputFile(mask, role="mask") for pointer in self.inMasks for name, mask in byTsId(pointer.get()).items()
                        if name in tomograms]

    def _getParameters(self, tsId: str) -> Dict[str, Any]:
        parameters = super()._getParameters(tsId)
        return {**parameters, "project": _absolute(parameters["project"]) if parameters["project"] else ""}

    def _writeInputs(self, tsId: str) -> None:
        for path, write in self._wantedLists(tsId).items():
            write(path)

    def _wantedLists(self, tsId: str) -> Writers:
        return {self._listFile(name): partial(self._writeList, name) for name in self._picked()}

    def _writeList(self, name: str, path: str) -> None:
        coordinates, rate = self.inCoordinates.get(), self.inTomos.get().getSamplingRate()
        writeParticles(path, name, rate, particlesOf(coordinates, byTsId(coordinates.getPrecedents())[name], rate))

    def _picked(self) -> List[str]:
        """The tilt series that have both a tomogram and coordinates."""
        return sorted(set(tsIdsOf(self.inCoordinates.get())) & set(tsIdsOf(self.inTomos.get())))

    def _listFile(self, tsId: str) -> str:
        return self._getItemFile(PROJECT, "input", f"{tsId}.star")

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = checkTomograms(self.inTomos, "Tomograms") + checkIds(self.inCoordinates, "Coordinates")
        if errors or not (self.copickProject.get() or "").strip():
            return errors
        try:
            _project(self.copickProject.get())
        except CryoetsegError as error:
            return [f"*Project*: {error}"]
        return []

    def getFolder(self) -> str:
        """Where the configuration of the project lies that was written."""
        return os.path.dirname(self._getOutputFile(PROJECT, self._readResult(PROJECT), "copick"))

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        (result,) = results.values()
        (made,) = result.outputs_of("copick")
        kinds = {kind: len(result.outputs_of(kind)) for kind in ("tomogram", "particles", "mask")}
        written = ", ".join(counted(number, {"particles": "pick list"}.get(kind, kind)) for kind, number in kinds.items() if number)
        return [f"{written} in {os.path.abspath(self._getItemFile(PROJECT, made.path))}", *result.warnings]


def _project(path: str) -> Project:
    return read_project(Path(_absolute(path)))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser((path or "").strip()))
