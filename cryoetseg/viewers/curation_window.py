"""A window in which clicks take particles away and add others; a button writes the corrected set."""
import json
from typing import Any, Callable, Dict, List, Optional, Set

import numpy as np
from tomo.objects import SetOfCoordinates3D

from cryoetseg.convert import byTsId
from cryoetseg.core.report.figures import GREEN, VERMILION
from cryoetseg.protocols.protocol_curate_coordinates import Added

from .slice_browser import SliceBrowser
from .slice_stack import PLANES, entriesOfCoordinates


class CurationWindow(SliceBrowser):
    """Slices with the particles of ``coordinates``; ``write`` gets what was taken away and added, and says what it did.

    A click on a particle takes it away, a second one brings it back; a click elsewhere adds one, a click on an added one drops it.
    """

    def __init__(self, coordinates: SetOfCoordinates3D, write: Callable[[Set[int], List[Added]], str]) -> None:
        self._write = write
        self.removed: Set[int] = set()
        self.added: List[Added] = []
        self._ids = _idsOf(coordinates)
        super().__init__(entriesOfCoordinates(coordinates), "Correct picks by clicks")

    def _addWidgets(self) -> None:
        super()._addWidgets()
        self._addWriter("Write the corrected set", "a click takes a particle away, or back; beside one it adds")
        self.figure.canvas.mpl_connect("button_press_event", self._click)

    def write(self) -> None:
        """Hand over what was clicked."""
        self.told.set_text(self._write(self.removed, self.added))
        self.figure.canvas.draw_idle()

    def _click(self, event: Any) -> None:
        if event.inaxes is self.axes and self.isClick(event):
            self.click(float(event.ydata), float(event.xdata))

    def click(self, row: float, column: float) -> None:
        """What a click at a place (in voxels) of the shown slice does."""
        place = self._placeOf(row, column)
        added = self._addedHere()
        own = _nearest(self.stack.points, self.stack.diameters, place)
        mine = _nearest(added, np.full(len(added), self.stack.diameterPx), place)
        tsId = self.entries[self.number][0]
        if mine is not None:
            self.added.remove([one for one in self.added if one.tsId == tsId][mine])
        elif own is not None:
            self.removed ^= {self._ids[tsId][own]}
        else:
            z, y, x = place
            self.added.append(Added(tsId, round(x, 1), round(y, 1), round(z, 1)))
        self.draw()

    def _placeOf(self, row: float, column: float) -> np.ndarray:
        """Position (z, y, x) of a place in the shown slice."""
        place = np.full(3, float(self.slider.val))
        place[list(PLANES[self.axis])] = row, column
        return place

    def _addedHere(self) -> np.ndarray:
        tsId = self.entries[self.number][0]
        return np.array([(one.z, one.y, one.x) for one in self.added if one.tsId == tsId]).reshape(-1, 3)

    def draw(self) -> None:
        """Draw the slice; what is taken away in red crosses, what is added in green circles."""
        super().draw()
        gone = [number for number, one in enumerate(self._ids[self.entries[self.number][0]]) if one in self.removed]
        added = self._addedHere()
        for points, diameters, marker, colour in ((self.stack.points[gone], self.stack.diameters[gone], "x", VERMILION),
                                                  (added, self.stack.diameterPx, "o", GREEN)):
            shown = points[np.abs(points[:, "zyx".index(self.axis)] - self.slider.val) <= diameters / 2]
            rows, columns = PLANES[self.axis]
            self.axes.plot(shown[:, columns], shown[:, rows], linestyle="", marker=marker, markersize=12, markerfacecolor="none",
                           color=colour, scalex=False, scaley=False)
        self.figure.canvas.draw_idle()


def _nearest(points: np.ndarray, diameters: np.ndarray, place: np.ndarray) -> Optional[int]:
    """The number of the nearest of the points (n, 3) that a place lies in, by their diameters (n,); None where it lies in none."""
    distances = np.linalg.norm(points - place, axis=1)
    distances[distances > diameters / 2] = np.inf
    return int(np.argmin(distances)) if np.isfinite(distances).any() else None


def _idsOf(coordinates: SetOfCoordinates3D) -> Dict[str, List[int]]:
    """Ids of the enabled coordinates by tilt-series id, in the order in which the slices have them."""
    ids: Dict[str, List[int]] = {}
    for tsId, tomogram in byTsId(coordinates.getPrecedents()).items():
        ids[tsId] = [item.getObjId() for item in coordinates.iterCoordinates(tomogram) if item.isEnabled()]
    return ids


def textOf(added: List[Added]) -> str:
    """What is added, as the form of *correct coordinates by hand* takes it."""
    return json.dumps([list(one) for one in added]) if added else ""
