"""What kinds of particles a set of coordinates holds."""
from functools import partial
from typing import Any, Dict, List

from pyworkflow.protocol import Form, PointerParam
from pyworkflow.utils import Message
from tomo.objects import SetOfCoordinates3D, Tomogram

from cryoetseg.constants import CLUSTER_PARTICLES
from cryoetseg.convert import byTsId, coordinatesOf, inputFile, particlesByTsId, particlesOf, tsIdsOf, writeParticles
from cryoetseg.core.clusters.params import ClusterParticlesParameters
from cryoetseg.core.runtime.job import InputFile, Result

from .form_builder import addFields, byHand, narrow
from .input_checks import Writers, checkIds
from .protocol_base import CONTRASTS, ProtCryoEtSegBase
from .protocol_tomograms_base import counted
from .selection import copySet

CLUSTERED = "coordinates"
CLUSTERS = "clusters"  # the one item of a run: all tomograms are clustered together


class ProtCryoEtSegClusterParticles(ProtCryoEtSegBase):
    """Sort coordinates into kinds without labels or references.

    A network that has learned on simulated molecules turns a box about each coordinate into a few numbers, alike for alike particles.
    Clusters of them are found, and how many there are. Junk, such as gold or pieces of membranes, makes clusters of its own.

    Output: the coordinates with the cluster as group and the confidence as score; group 0 is unsure. The folder of the run holds
    gallery.png (averages and members), map.png, clusters.csv and the averages. *Analyze Results* shows map and averages; the clusters
    that you choose there become a set, as *select coordinates by cluster* makes it.
    """

    _label = "cluster particles"
    _possibleOutputs = {CLUSTERED: SetOfCoordinates3D}
    _method = CLUSTER_PARTICLES
    _model = ClusterParticlesParameters

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        form.addParam("inCoordinates", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Coordinates",
                      help="Coordinates of any picker, as complete as you like: what is no particle is a kind as well.")
        form.addParam("inMasks", PointerParam, pointerClass="SetOfTomoMasks", allowsNull=True, label="Membranes (optional)",
                      help="Masks of the membranes in the same tomograms; tell how many of each kind are near one.")
        form.addParam("inExamples", PointerParam, pointerClass=byHand("SetOfCoordinates3D"), allowsNull=True, label="Examples (optional)",
                      help="A few coordinates of what you look for: all are ranked by likeness to them in ranked.star.")
        self._addContrast(form)
        addFields(form.addGroup("Cluster particles"), self._model, self._model.model_fields)
        narrow(form, "near_membrane", "inMasks")
        self._addSeed(form)
        self._addGpu(form)
        self._addParallel(form)

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [CLUSTERS]

    def _getInputs(self, tsId: str) -> List[InputFile]:
        masks = byTsId(self.inMasks.get()) if self.inMasks.get() is not None else {}
        files = []
        for name, tomogram in self._tomograms().items():
            files.append(inputFile(tomogram, contrast=CONTRASTS[self.contrast.get()]))
            files.append(self._list("particles", name, tomogram))
            if name in masks:
                files.append(inputFile(masks[name], "mask"))
            if self.inExamples.get() is not None and name in tsIdsOf(self.inExamples.get()):
                files.append(self._list("like", name, tomogram))
        return files

    def _list(self, role: str, tsId: str, tomogram: Tomogram) -> InputFile:
        return InputFile(path=self._listFile(role, tsId), role=role, voxel_size=tomogram.getSamplingRate(), tilt_series_id=tsId)

    def _listFile(self, role: str, tsId: str) -> str:
        return self._getItemFile(CLUSTERS, "input", f"{role}_{tsId}.star")

    def _writeInputs(self, tsId: str) -> None:
        for path, write in self._wantedLists(tsId).items():
            write(path)

    def _wantedLists(self, tsId: str) -> Writers:
        wanted = {}
        for name, tomogram in self._tomograms().items():
            wanted[self._listFile("particles", name)] = partial(self._writeList, self.inCoordinates, name, tomogram)
            if self.inExamples.get() is not None and name in tsIdsOf(self.inExamples.get()):
                wanted[self._listFile("like", name)] = partial(self._writeList, self.inExamples, name, tomogram)
        return wanted

    def _writeList(self, source: Any, name: str, tomogram: Tomogram, path: str) -> None:
        writeParticles(path, name, tomogram.getSamplingRate(), particlesOf(source.get(), tomogram, tomogram.getSamplingRate()))

    def _tomograms(self) -> Dict[str, Tomogram]:
        """The tomograms that coordinates lie in, by tilt-series id in order."""
        coordinates = self.inCoordinates.get()
        tomograms = byTsId(coordinates.getPrecedents())
        return {name: tomograms[name] for name in tsIdsOf(coordinates) if name in tomograms}

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        found = particlesByTsId(self._getOutputFile(tsId, result, "particles"))
        for name, tomogram in self._tomograms().items():
            self._extendOutput(CLUSTERED, self._createCoordinates, name, coordinatesOf(found.get(name, []), tomogram), [self.inCoordinates])

    def _createCoordinates(self) -> SetOfCoordinates3D:
        source = self.inCoordinates.get()
        coordinates = SetOfCoordinates3D.create(self._getPath(), suffix=CLUSTERED)
        copySet(source, coordinates)
        precedents = source.getPrecedents()
        coordinates.setSamplingRate(precedents.getSamplingRate())
        coordinates.setBoxSize(max(2, round(source.getBoxSize() * source.getSamplingRate() / precedents.getSamplingRate())))
        return coordinates

    # --------------------------- information -------------------------------
    def getPictures(self) -> List[str]:
        """Map, gallery and counts, relative to the project's folder; none before the end."""
        return [self._getItemFile(name, item.path) for name in self._getFinishedIds()
                for item in self._readResult(name).outputs_of("figure")]

    def _validateInputs(self) -> List[str]:
        return checkIds(self.inCoordinates, "Coordinates")

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        (result,) = results.values()
        metrics = result.metrics
        return [f"{counted(metrics['clusters'], 'kind')} among {counted(metrics['particles'], 'coordinate')}, "
                f"{metrics['unsure_share']:.0%} unsure. *Analyze Results* shows averages, members and counts; as files they are in "
                f"{self._getItemFile(CLUSTERS)}", *result.warnings]

    def _methods(self) -> List[str]:
        if not hasattr(self, CLUSTERED):
            return []
        return [f"{self.coordinates.getSize()} coordinates were sorted into kinds by an embedding learned on simulated molecules "
                "(supervised contrastive loss [Khosla2020])."]

    def _citations(self) -> List[str]:
        return ["Khosla2020"]
