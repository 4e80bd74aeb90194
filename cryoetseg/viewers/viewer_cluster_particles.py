"""The kinds that *cluster particles* found: map and averages, its pictures, and the coordinates on the slices."""
import os
from functools import partial
from typing import Any, Callable, Dict, List

from matplotlib.image import imread
from pyworkflow.protocol.params import LabelParam
from pyworkflow.viewer import TextView, View

from cryoetseg.convert import byTsId, fileOf
from cryoetseg.protocols import ProtCryoEtSegClusterParticles, ProtCryoEtSegSelectByCluster

from .cluster_map import ClusterMap
from .cluster_window import ClusterWindow
from .slice_browser import FigureView
from .viewer_coordinates import CryoEtSegPicksViewer, launched

GALLERY, COUNTS = "gallery.png", "counts.png"  # what the engine draws
TABLES = ("clusters.csv", "counts.csv")
LARGEST = (14.0, 8.4)  # inches of a window with a picture


class CryoEtSegClustersViewer(CryoEtSegPicksViewer):
    """Kinds of particles, chosen on the map and on the averages, and everything that picks have."""

    _label = "Kinds of particles"
    _targets = [ProtCryoEtSegClusterParticles]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Kinds")
        form.addParam("showMap", LabelParam, label="Map and averages, to choose kinds",
                      help="A click on a point opens the slices about that particle. A click on an average chooses its cluster; the button "
                           "writes the particles of the chosen clusters as a new set: a run of *select coordinates by cluster*.")
        form.addParam("showGallery", LabelParam, label="Averages and members",
                      help="A row for each kind: three planes of its average, then some of its members, the most certain first.")
        form.addParam("showCounts", LabelParam, label="How many there are, and where",
                      help="Particles in a cubic micrometre of sample, neighbours of the same kind over chance, and how many the scores "
                           "promise to be true.")
        form.addParam("showTables", LabelParam, label="Tables of kinds and counts",
                      help="A row for each kind: particles, diameter, contrast, distance to the next one, share near membranes; lengths in "
                           "Å. Then a row for each tomogram and kind.")
        self._addPicks(form)

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMap": self._map, "showGallery": partial(self._picture, "Averages and members", GALLERY),
                "showCounts": partial(self._picture, "Counts", COUNTS), "showTables": self._tables, **super()._getVisualizeDict()}

    def _files(self, *names: str) -> List[str]:
        """Those of the files of the run that are there."""
        folders = [os.path.dirname(picture) for picture in self.protocol.getPictures()[:1]]
        return [path for path in (os.path.join(folder, name) for folder in folders for name in names) if os.path.isfile(path)]

    def _picture(self, title: str, name: str, paramName: str = "") -> List[View]:
        files = self._files(name)
        return [PictureView(title, files[0]) if files else self._nothing()]

    def _tables(self, paramName: str = "") -> List[View]:
        files = self._files(*TABLES)
        return [TextView(files, tkParent=self.getWindow()) if files else self._nothing()]

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


class PictureView(FigureView):
    """A picture file in a window with zoom."""

    def __init__(self, title: str, path: str) -> None:
        picture = imread(path)
        height, width = picture.shape[:2]
        scale = min(LARGEST[0] / width, LARGEST[1] / height)
        super().__init__(windowTitle=title, figsize=(width * scale, height * scale))
        axes = self.figure.add_axes((0, 0, 1, 1))
        axes.imshow(picture, interpolation="antialiased")
        axes.set_axis_off()
