"""Simulated tomograms with their truth."""
from typing import Any, Dict, List

from pyworkflow.protocol import Form, IntParam, MultiPointerParam
from tomo.convert.mdoc import normalizeTSId
from tomo.objects import SetOfCoordinates3D, SetOfTomograms, SetOfTomoMasks, TomoAcquisition, Tomogram

from cryoetseg.constants import SIMULATE
from cryoetseg.convert import coordinatesOf, maskLike, newTomogram, readParticles, templateFiles, tomogramLike
from cryoetseg.core.runtime.job import InputFile, Result
from cryoetseg.core.simulation.params import SimulationParameters

from .form_builder import addGroups, groupsFrom, parametersOf
from .protocol_base import ProtCryoEtSegBase, evenBox
from .protocol_tomograms_base import counted

AUTOMATIC_BOX = 400.0  # Angstrom: room for the largest built-in macromolecule and its surroundings

# Tabs of the form: groups by the first of their fields, in the order of the model
TABS = {
    "Sample": [("Volume", "name"), ("Macromolecules", "particles")],
    "Membranes": [("Membranes", "vesicle_count"), ("Filaments and gold", "actin_count")],
    "Microscope": [("Tilt series", "tilt_min"), ("Optics", "optics"), ("Noise", "snr")],
    "Reconstruction": [("Reconstruction", "weighting")],
}


# Names of the outputs. Not an Enum: there two outputs of one class would be one and the same member.
TOMOGRAMS, GRAND_MODELS, CLASS_MASKS = "tomograms", "grandModels", "classMasks"
MEMBRANE_MASKS, COORDINATES = "membraneMasks", "coordinates"
VOLUME_SETS = {TOMOGRAMS: SetOfTomograms, GRAND_MODELS: SetOfTomograms, CLASS_MASKS: SetOfTomoMasks, MEMBRANE_MASKS: SetOfTomoMasks}


class ProtCryoEtSegSimulateTomograms(ProtCryoEtSegBase):
    """Simulate tomograms of a crowded cell with everything that is in them known.

    Macromolecules (built in, or your own maps and models), membranes, filaments and gold are packed without overlap, imaged as a
    tilt series with contrast transfer, radiation damage and noise of a given signal-to-noise ratio, and reconstructed by weighted
    back-projection.

    Output: the reconstructions, the noise-free density they show (grand models), masks of the classes and of the membranes, and the
    positions of all macromolecules with class (group), orientation and score. Use them to test a method where the truth is known,
    or to train one.
    """

    _label = "simulate tomograms"
    _possibleOutputs = {**VOLUME_SETS, COORDINATES: SetOfCoordinates3D}
    _method = SIMULATE
    _model = SimulationParameters

    # --------------------------- form --------------------------------------
    def _defineParams(self, form: Form) -> None:
        for tab, starts in TABS.items():
            form.addSection(label=tab)
            addGroups(form, self._model, groupsFrom(self._model, starts, [start for group in TABS.values() for start in group]))
            if tab == "Sample":
                self._addOwnParams(form)
        self._addGpu(form)
        self._addParallel(form)

    def _addOwnParams(self, form: Form) -> None:
        form.addParam("templates", MultiPointerParam, pointerClass="Volume, SetOfVolumes, AtomStruct", allowsNull=True,
                      label="Own macromolecules", help="Density maps or atomic models that are packed beside the built-in macromolecules.")
        form.addParam("boxSize", IntParam, default=0, label="Box size (voxels)",
                      help=f"Box of the output coordinates, even; 0 takes {AUTOMATIC_BOX:g} Å.")
        self._addSeed(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        name = normalizeTSId(self.name.get().strip())
        count = self.count.get()
        return [name] if count == 1 else [f"{name}_{number:03d}" for number in range(1, count + 1)]

    def _getParameters(self, tsId: str) -> Dict[str, Any]:
        return {**parametersOf(self, self._model), "name": tsId, "count": 1}

    def _getSeed(self, tsId: str) -> int:
        """Each tomogram is a job of its own with a seed of its own, so any of them can be made again alone."""
        return int(self.seed.get()) + self._getItemIds().index(tsId)

    def _getInputs(self, tsId: str) -> List[InputFile]:
        return templateFiles(self.templates)

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        files = {kind: self._getOutputFile(tsId, result, kind)
                 for kind in ("tomogram", "grand_model", "class_mask", "membrane_mask", "particles")}
        tomogram = newTomogram(files["tomogram"], tsId, self.voxelSize.get(), self._acquisition())
        tomogram.setHalfMaps([self._getItemFile(tsId, half.path) for half in result.outputs_of("half_map")])
        self._addVolumes(TOMOGRAMS, tsId, tomogram)
        self._addVolumes(GRAND_MODELS, tsId, tomogramLike(tomogram, files["grand_model"]))
        self._addVolumes(CLASS_MASKS, tsId, maskLike(tomogram, files["class_mask"]))
        self._addVolumes(MEMBRANE_MASKS, tsId, maskLike(tomogram, files["membrane_mask"]))
        self._extendOutput(COORDINATES, self._createCoordinates, tsId,
                           coordinatesOf(readParticles(files["particles"]), tomogram), [])

    def _addVolumes(self, name: str, tsId: str, item: Tomogram) -> None:
        def create() -> SetOfTomograms:
            volumes = VOLUME_SETS[name].create(self._getPath(), suffix=name)
            volumes.setSamplingRate(self.voxelSize.get())
            volumes.setAcquisition(self._acquisition())
            return volumes

        self._extendOutput(name, create, tsId, [item], [])

    def _createCoordinates(self) -> SetOfCoordinates3D:
        coordinates = SetOfCoordinates3D.create(self._getPath(), suffix=COORDINATES)
        coordinates.setSamplingRate(self.voxelSize.get())
        coordinates.setBoxSize(self.boxSize.get() or evenBox(AUTOMATIC_BOX, self.voxelSize.get()))
        coordinates.setPrecedents(self._outputPointer(TOMOGRAMS))
        return coordinates

    def _acquisition(self) -> TomoAcquisition:
        acquisition = TomoAcquisition(angleMin=self.tiltMin.get(), angleMax=self.tiltMax.get(), step=self.tiltStep.get(),
                                      accumDose=self.totalDose.get(), tiltAxisAngle=0.0)
        acquisition.setVoltage(self.voltage.get())
        acquisition.setSphericalAberration(self.sphericalAberration.get())
        acquisition.setAmplitudeContrast(self.amplitudeContrast.get())
        return acquisition

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = []
        if not (self.name.get() or "").strip():
            errors.append("*Name* is empty. Give the tomograms a name.")
        if self.boxSize.get() % 2 or self.boxSize.get() < 0:
            errors.append(f"*Box size* = {self.boxSize.get()}. Allowed: 0 or a positive even number, as an odd box has no middle voxel.")
        return errors

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        count = self.coordinates.getSize() if hasattr(self, COORDINATES) else 0
        shape = f"{self.sizeX.get()} x {self.sizeY.get()} x {self.sizeZ.get()}"
        lines = [f"{counted(len(results), 'tomogram')} of {shape} voxels of {self.voxelSize.get():g} Å, SNR {self.snr.get():g}, "
                 f"with {counted(count, 'macromolecule')}."]
        classes = self.getClassNames()
        if classes:
            lines.append("Groups of the coordinates: " + ", ".join(f"{number} {name}" for number, name in sorted(classes.items())) + ".")
        return lines

    def getClassNames(self) -> Dict[int, str]:
        """Names of the groups of the output coordinates."""
        particles = [item for tsId in self._getFinishedIds()
                     for item in readParticles(self._getOutputFile(tsId, self._readResult(tsId), "particles"))]
        return {item.classId: item.className for item in particles if item.className}

    def _methods(self) -> List[str]:
        tilts = f"{self.tiltMin.get():g} to {self.tiltMax.get():g} degrees in steps of {self.tiltStep.get():g}"
        return [f"{self.count.get()} tomograms with a voxel size of {self.voxelSize.get():g} Å were simulated from tilt series of {tilts} "
                f"with a signal-to-noise ratio of {self.snr.get():g} [MartinezSanchez2024] [Gubins2020]; radiation damage followed "
                f"[Grant2015]. The seed was {self.seed.get()}."]

    def _citations(self) -> List[str]:
        return ["MartinezSanchez2024", "Gubins2020", "Grant2015"]
