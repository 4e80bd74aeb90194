"""Picks of any picker: on the slices, their scores with a threshold that writes a new set, and in three dimensions with membranes."""
from types import MappingProxyType
from typing import Any, Callable, Dict, List, Mapping, Set, Tuple

from pyworkflow.protocol.params import EnumParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View, Viewer
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from cryoetseg.convert import tsIdsOf
from cryoetseg.protocols import (
    ProtCryoEtSegCurateCoordinates,
    ProtCryoEtSegPasteParticles,
    ProtCryoEtSegPickDog,
    ProtCryoEtSegPickParticles,
    ProtCryoEtSegSegmentClasses,
    ProtCryoEtSegSegmentFilaments,
    ProtCryoEtSegSelectByCluster,
    ProtCryoEtSegSelectByScore,
)
from cryoetseg.protocols.protocol_curate_coordinates import Added

from .curation_window import CurationWindow, textOf
from .scatter_browser import ScatterBrowser
from .score_window import ScoreWindow
from .slice_browser import Level, SliceBrowser
from .slice_stack import entriesOfCoordinates

NOTHING = "Nothing to show"
NO_MASKS = "none"
MEMBRANES = "membranemasks"  # in the name of the output that is shown unless another one is chosen


class CryoEtSegPicksViewer(ProtocolViewer):
    """Picks on the tomograms, their scores, and the picture in three dimensions."""

    _label = "Picks"
    _targets = [ProtCryoEtSegPickDog, ProtCryoEtSegPickParticles, ProtCryoEtSegSelectByScore, ProtCryoEtSegSegmentClasses,
                ProtCryoEtSegSegmentFilaments, ProtCryoEtSegCurateCoordinates, ProtCryoEtSegPasteParticles,
                ProtCryoEtSegSelectByCluster]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Picks")
        self._addPicks(form)

    def _addPicks(self, form: Any) -> None:
        """The entries for coordinates, in the current section of the form."""
        form.addParam("showSlices", LabelParam, label="Picks on the tomogram, with a threshold to move",
                      help="Picks below the threshold vanish as it moves; the button writes what is left as a new set.")
        form.addParam("showCuration", LabelParam, label="Correct picks by clicks",
                      help="A click on a pick takes it away, a click beside one adds a pick; the button writes the corrected set.")
        form.addParam("showScores", LabelParam, label="Scores, with a threshold to choose",
                      help="Move the threshold, then write what lies above it as a new set: a run of *select coordinates by score*.")
        form.addParam("showScatter", LabelParam, label="Picks and membranes in 3D")
        names = [NO_MASKS, *(name for name, _ in self.maskSets())]
        newest = max((number for number, name in enumerate(names) if MEMBRANES in name.lower()), default=0)
        form.addParam("masks", EnumParam, choices=names, default=newest, label="Membranes in 3D",
                      help="Masks of this project that belong to the same tomograms.")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showSlices": self._slices, "showCuration": self._curation, "showScores": self._scores, "showScatter": self._scatter}

    def coordinates(self) -> Any:
        """The first set of coordinates of the run, or None."""
        return next((output for _, output in self.protocol.iterOutputAttributes(SetOfCoordinates3D)), None)

    def maskSets(self) -> List[Tuple[str, Any]]:
        """Mask sets of the project, by name, that share a tilt series with the picks."""
        coordinates, project = self.coordinates(), self.getProject()
        if coordinates is None or project is None:
            return []
        wanted = set(tsIdsOf(coordinates))
        return [(f"{run.getObjLabel()}: {name}", output) for run in project.getRuns()
                for name, output in run.iterOutputAttributes(SetOfTomoMasks) if wanted & set(tsIdsOf(output))]

    def _slices(self, paramName: str = "") -> List[View]:
        coordinates = self.coordinates()
        if not coordinates:
            return [self._nothing()]
        return [SliceBrowser(entriesOfCoordinates(coordinates), "Picks", scoreLevel(self.getProject(), self.protocol, coordinates))]

    def _curation(self, paramName: str = "") -> List[View]:
        coordinates = self.coordinates()
        return [curationWindow(self.getProject(), self.protocol, coordinates) if coordinates else self._nothing()]

    def _scores(self, paramName: str = "") -> List[View]:
        coordinates = self.coordinates()
        return [scoreWindow(self.getProject(), self.protocol, coordinates) if coordinates else self._nothing()]

    def _scatter(self, paramName: str = "") -> List[View]:
        coordinates, chosen = self.coordinates(), self.masks.get()
        if not coordinates:
            return [self._nothing()]
        return [ScatterBrowser(coordinates, self.maskSets()[chosen - 1][1] if chosen else None)]

    def _nothing(self) -> View:
        if self.protocol.isActive():
            return self.infoMessage("Not yet: no tomogram is finished.", NOTHING)
        return self.infoMessage("No particle was picked.", NOTHING)


def _ofSet(viewer: Viewer, window: Callable[[Any, Any, Any], View], coordinates: Any) -> List[View]:
    """The ``window`` of coordinates of any plugin, whose run is found in the project; a message for none of them."""
    if not coordinates.getSize():
        return [viewer.infoMessage("The set is empty.", NOTHING)]
    project = viewer.getProject()
    return [window(project, project.getProtocol(coordinates.getObjParentId()), coordinates)]


class CryoEtSegScoresViewer(Viewer):
    """The same histogram for coordinates of any plugin: in the right-click menu of the set."""

    _name = "CryoETSeg scores"
    _label = "CryoETSeg scores"
    _targets = [SetOfCoordinates3D]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        return _ofSet(self, scoreWindow, obj)


class CryoEtSegScatterViewer(Viewer):
    """Particles in three dimensions for coordinates of any plugin."""

    _name = "CryoETSeg 3D"
    _label = "CryoETSeg 3D"
    _targets = [SetOfCoordinates3D]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        return [ScatterBrowser(obj) if obj.getSize() else self.infoMessage("The set is empty.", NOTHING)]


class CryoEtSegCurationViewer(Viewer):
    """The same clicks for coordinates of any plugin."""

    _name = "CryoETSeg correct by clicks"
    _label = "CryoETSeg correct by clicks"
    _targets = [SetOfCoordinates3D]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        return _ofSet(self, curationWindow, obj)


def scoreWindow(project: Any, run: Any, coordinates: Any) -> ScoreWindow:
    """The window for the output ``coordinates`` of ``run``; its button launches a selection in the project."""
    return ScoreWindow([item.getScore() or 0.0 for item in coordinates.iterItems()], _selection(project, run, coordinates))


def scoreLevel(project: Any, run: Any, coordinates: Any) -> Level:
    """A threshold of the scores to move over the slices, which writes a selection."""
    scores = [item.getScore() or 0.0 for item in coordinates.iterItems()]
    return Level("score", min(scores), max(scores), min(scores), False, _selection(project, run, coordinates))


def _selection(project: Any, run: Any, coordinates: Any) -> Callable[[float], str]:
    """What launches *select coordinates by score* at a threshold."""
    def choose(threshold: float) -> str:
        return launched(project, ProtCryoEtSegSelectByScore, f"score at least {threshold:.4g}", run, coordinates, threshold=threshold)

    return choose


def curationWindow(project: Any, run: Any, coordinates: Any) -> CurationWindow:
    """The window of clicks for the output ``coordinates`` of ``run``; its button launches the correction."""
    def write(removed: Set[int], added: List[Added]) -> str:
        if not removed and not added:
            return "nothing was clicked"
        return launched(project, ProtCryoEtSegCurateCoordinates, f"{len(removed)} away, {len(added)} added", run, coordinates,
                        removed=" ".join(map(str, sorted(removed))), added=textOf(added))

    return CurationWindow(coordinates, write)


def launched(project: Any, protocolClass: Any, label: str, run: Any, output: Any, inputName: str = "inCoordinates",
             further: Mapping[str, Tuple[Any, Any]] = MappingProxyType({}), **values: Any) -> str:
    """Launch a protocol on an output of a run, and on ``further`` ones (a run and its output) by the name of the input; says so."""
    made = project.newProtocol(protocolClass, **values)
    made.setObjLabel(label)
    for input_, (source, item) in {inputName: (run, output), **further}.items():
        name = next(name for name, made_by in source.iterOutputAttributes(type(item)) if made_by.getObjId() == item.getObjId())
        getattr(made, input_).set(source)
        getattr(made, input_).setExtended(name)
    project.launchProtocol(made, wait=False)
    return f"launched: {label}"
