"""The kinds that *cluster particles* found: map and averages, its pictures, and the coordinates on the slices."""
import os
from typing import Any, Callable, Dict, List

from pyworkflow.protocol.params import LabelParam
from pyworkflow.viewer import View

from cryoetseg.convert import byTsId, fileOf
from cryoetseg.protocols import ProtCryoEtSegClusterParticles, ProtCryoEtSegSelectByCluster

from .cluster_map import ClusterMap
from .cluster_window import ClusterWindow
from .viewer_coordinates import CryoEtSegPicksViewer, launched


class CryoEtSegClustersViewer(CryoEtSegPicksViewer):
    """Kinds of particles, chosen on the map and on the averages, and everything that picks have."""

    _label = "Kinds of particles"
    _targets = [ProtCryoEtSegClusterParticles]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Kinds")
        form.addParam("showMap", LabelParam, label="Map and averages, to choose kinds",
                      help="A click on a point opens the slices about that particle. A click on an average chooses its cluster; the button "
                           "writes the particles of the chosen clusters as a new set: a run of *select coordinates by cluster*.")
        self._addPicks(form)

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMap": self._map, **super()._getVisualizeDict()}

    def _map(self, paramName: str = "") -> List[View]:
        coordinates, pictures = self.coordinates(), self.protocol.getPictures()
        if not coordinates or not pictures:
            return [self._nothing()]
        files = {tsId: fileOf(tomogram) for tsId, tomogram in byTsId(coordinates.getPrecedents()).items()}

        def choose(clusters: List[int]) -> str:
            numbers = ",".join(map(str, clusters))
            return launched(self.getProject(), ProtCryoEtSegSelectByCluster, f"clusters {numbers}", self.protocol, coordinates,
                            clusters=numbers)

        return [ClusterWindow(ClusterMap(os.path.dirname(pictures[0])), files, choose)]
