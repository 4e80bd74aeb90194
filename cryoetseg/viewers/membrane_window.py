"""A window in which clicks take membranes out of masks and put others in; a button writes the corrected set."""
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
from matplotlib.patches import Patch
from tomo.objects import SetOfTomoMasks

from cryoetseg.convert import byTsId, fileOf
from cryoetseg.core.report.figures import GREEN, MASK_COLOUR, SKY, VERMILION
from cryoetseg.core.students.membranes.curate_params import Place
from cryoetseg.core.students.membranes.parts import Parts, parts_beside, parts_of_mask

from .slice_browser import MASK, SliceBrowser
from .slice_stack import PLANES, Entry, Plane, SliceStack, entriesOfMasks, openArray

REACH = 2.5  # voxels that a click may miss a membrane by
STAYS, OUT, BESIDE, PUT_IN = 1, 2, 3, 4  # in what is drawn
COLOURS = {STAYS: MASK_COLOUR, OUT: VERMILION, BESIDE: SKY, PUT_IN: GREEN}
NAMES = {STAYS: "membrane", OUT: "taken out", BESIDE: "may be put in", PUT_IN: "put in"}
Write = Callable[[List[Place], List[Place]], str]


class MembraneWindow(SliceBrowser):
    """Slices with the membranes of ``masks``; ``write`` gets the places that were clicked to take out and put in, and says what it did.

    A click on a membrane takes it out, a second one brings it back; a click on what ``probabilities`` (may be None) hold beside it from
    ``candidatesFrom`` on puts that in.
    """

    def __init__(self, masks: SetOfTomoMasks, write: Write, probabilities: Optional[SetOfTomoMasks] = None,
                 candidatesFrom: float = 0.25) -> None:
        self._write, self._candidatesFrom = write, candidatesFrom
        self._maps = {tsId: fileOf(item) for tsId, item in byTsId(probabilities).items()} if probabilities is not None else {}
        self._chosen: Dict[Tuple[str, bool], Dict[int, Place]] = {}  # by tomogram and whether they are put in: the clicked parts
        super().__init__(entriesOfMasks(masks), "Correct membranes by clicks")

    def _addWidgets(self) -> None:
        super()._addWidgets()
        self._addWriter("Write the corrected set", "a click takes a membrane out, back, or puts one in")
        self.figure.canvas.mpl_connect("button_press_event", self._press)

    @property
    def removed(self) -> List[Place]:
        """A place in each membrane that is taken out."""
        return self._places(False)

    @property
    def added(self) -> List[Place]:
        """A place in each that is put in."""
        return self._places(True)

    def _places(self, isPutIn: bool) -> List[Place]:
        return [place for (_, kind), chosen in self._chosen.items() if kind == isPutIn for place in chosen.values()]

    def write(self) -> None:
        """Hand over what was clicked."""
        self.told.set_text(self._write(self.removed, self.added))
        self.figure.canvas.draw_idle()

    def _opened(self, entry: Entry) -> SliceStack:
        """The tomogram, with the parts of its mask and what lies beside them."""
        tsId, opener = entry
        stack = opener()
        self.parts = parts_of_mask(stack.mask)
        self.beside: Optional[Parts] = None
        if tsId in self._maps:
            self.beside = parts_beside(openArray(self._maps[tsId]), self._candidatesFrom, stack.mask)
        return stack

    def _press(self, event: Any) -> None:
        if event.inaxes is self.axes and self.isClick(event):
            self.click(float(event.ydata), float(event.xdata))

    def click(self, row: float, column: float) -> None:
        """What a click at a place (in voxels) of the shown slice does: on the nearest of the membranes and of what lies beside them."""
        for reach in (0.0, REACH):
            for parts, isPutIn in ((self.parts, False), (self.beside, True)):
                hit = None if parts is None else self._hit(parts, row, column, reach)
                if hit is not None:
                    self._turn(isPutIn, *hit)
                    self.draw()
                    return

    def _hit(self, parts: Parts, row: float, column: float, reach: float) -> Optional[Tuple[int, Place]]:
        """The part in the shown slice that lies at a click, or nearest to it within a reach, with the place of its voxel."""
        picture = self._numbers(parts)
        voxels = np.argwhere(picture)
        if not len(voxels):
            return None
        distances = np.linalg.norm(voxels - (row, column), axis=1)
        nearest = int(np.argmin(distances))
        if distances[nearest] > max(reach, np.sqrt(0.5)):
            return None
        position = np.full(3, int(self.slider.val))
        position[list(PLANES[self.axis])] = voxels[nearest]
        z, y, x = (float(value) for value in position)
        return int(picture[tuple(voxels[nearest])]), Place(self.stack.name, x, y, z)

    def _turn(self, isPutIn: bool, part: int, place: Place) -> None:
        """Choose a part, or no more where it was chosen."""
        chosen = self._chosen.setdefault((self.stack.name, isPutIn), {})
        if chosen.pop(part, None) is None:
            chosen[part] = place

    def _numbers(self, parts: Parts) -> np.ndarray:
        return parts.plane("zyx".index(self.axis), int(self.slider.val))

    def _pictured(self, plane: Plane) -> Tuple[Optional[np.ndarray], Tuple[str, ...]]:
        """What stays, goes, might come and comes, each in its colour."""
        if not self.shown[MASK]:
            return None, tuple(COLOURS.values())
        picture = np.zeros(plane.image.shape, dtype=np.int8)
        for parts, isPutIn, as_it_is, chosen in ((self.beside, True, BESIDE, PUT_IN), (self.parts, False, STAYS, OUT)):
            if parts is not None:
                numbers = self._numbers(parts)
                clicked = list(self._chosen.get((self.stack.name, isPutIn), {}))
                picture[numbers > 0] = as_it_is
                picture[np.isin(numbers, clicked) & (numbers > 0)] = chosen
        return picture, tuple(COLOURS.values())

    def draw(self) -> None:
        """Draw the slice and say what the colours mean."""
        super().draw()
        names = [kind for kind in COLOURS if self._maps or kind in (STAYS, OUT)]
        self.axes.legend(handles=[Patch(color=COLOURS[kind], label=NAMES[kind]) for kind in names], loc="upper right", fontsize=7)
        self.figure.canvas.draw_idle()
