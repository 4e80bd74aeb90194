"""A window that walks through tomograms: sliders for slice and contrast, switch of the axis, mask and particles on or off."""
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from matplotlib.widgets import Button, CheckButtons, RadioButtons, Slider
from pwem.viewers import EmPlotter

from cryoetseg.core.report.figures import GREY_RANGE, MASK_COLOUR, POINT_COLOURS, draw_slice

from .slice_stack import AXES, Entry, Plane, SliceStack

MASK, PARTICLES = "mask", "particles"
LEFT = 1  # mouse button
LABEL_COLOURS = (MASK_COLOUR, *POINT_COLOURS)  # of masks with several labels, one after the other
MOST_CUT = 20.0  # percent of the grey values that the contrast may cut at either end


class FigureView(EmPlotter):
    """A Scipion plot window whose layout is left as it is drawn, instead of being tightened over the widgets."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tightLayoutOn = False

    def isClick(self, event: Any) -> bool:
        """Whether a press of a mouse button means a place: the left one, and no zooming or moving is switched on."""
        toolbar = getattr(self.figure.canvas, "toolbar", None)
        return bool(event.button == LEFT and not (toolbar is not None and toolbar.mode))


class Level(NamedTuple):
    """A threshold that moves in the window: of the probabilities of the mask, or of the scores of particles.

    ``write`` is called with it when the button is pressed, and says what it did.
    """

    label: str
    lowest: float
    highest: float
    start: float
    ofMask: bool
    write: Callable[[float], str]


class SliceBrowser(FigureView):
    """The window. ``entries`` are the tomograms, opened one at a time when they are looked at; ``level`` a threshold to move."""

    def __init__(self, entries: List[Entry], title: str = "Slices", level: Optional[Level] = None) -> None:
        super().__init__(windowTitle=title, figsize=(8, 8.4))
        self.entries, self.number, self.axis, self.level = entries, 0, AXES[0], level
        self.shown = {MASK: True, PARTICLES: True}
        self.axes = self.figure.add_axes((0.03, 0.17, 0.94, 0.79))
        self._addWidgets()
        if level is not None:
            self._addLevel(level)
        self.open(0)

    def _addWidgets(self) -> None:
        """Widgets are kept as attributes, because matplotlib forgets those that nobody holds."""
        add = self.figure.add_axes
        self.slider = Slider(add((0.12, 0.125, 0.7, 0.03)), "slice", 0, 1, valinit=0, valstep=1, valfmt="%d")
        self.contrast = Slider(add((0.12, 0.092, 0.7, 0.03)), "contrast", 0, MOST_CUT, valinit=GREY_RANGE[0], valfmt="%.1f %% cut")
        self.radio = RadioButtons(add((0.03, 0.005, 0.1, 0.085), frameon=False), AXES)
        self.checks = {name: CheckButtons(add((0.15, bottom, 0.2, 0.042), frameon=False), [name], [True])
                       for name, bottom in ((MASK, 0.047), (PARTICLES, 0.005))}
        self.back = Button(add((0.42, 0.025, 0.06, 0.045)), "<")
        self.forth = Button(add((0.91, 0.025, 0.06, 0.045)), ">")
        self.label = self.figure.text(0.695, 0.047, "", ha="center", va="center", fontsize=9)
        self.slider.on_changed(lambda value: self.draw())
        self.contrast.on_changed(lambda value: self.draw())
        self.radio.on_clicked(self.turn)
        for check in self.checks.values():
            check.on_clicked(self.toggle)
        self.back.on_clicked(lambda event: self.open(self.number - 1))
        self.forth.on_clicked(lambda event: self.open(self.number + 1))
        self.figure.canvas.mpl_connect("scroll_event", self._scroll)
        for button in (self.back, self.forth):
            button.ax.set_visible(len(self.entries) > 1)

    def _addLevel(self, level: Level) -> None:
        """A slider for the threshold and a button that writes a set with it, above the other widgets."""
        self.axes.set_position((0.03, 0.2, 0.94, 0.76))
        self.levelSlider = Slider(self.figure.add_axes((0.12, 0.158, 0.45, 0.03)), level.label, level.lowest,
                                  max(level.highest, level.lowest + 1e-6), valinit=level.start, valfmt="%.3g")
        self.writer = Button(self.figure.add_axes((0.66, 0.156, 0.14, 0.034)), "Write a set")
        self.told = self.figure.text(0.81, 0.173, "", va="center", fontsize=7)
        self.levelSlider.on_changed(lambda value: self.draw())
        self.writer.on_clicked(lambda event: self.write())

    def _addWriter(self, label: str, hint: str) -> None:
        """A button that calls :meth:`write`, above the other widgets, and room for what it says."""
        self.axes.set_position((0.03, 0.2, 0.94, 0.76))
        self.writer = Button(self.figure.add_axes((0.12, 0.156, 0.25, 0.034)), label)
        self.told = self.figure.text(0.39, 0.173, hint, va="center", fontsize=8)
        self.writer.on_clicked(lambda event: self.write())

    def write(self) -> None:
        """Write a set with the threshold that the slider is at."""
        assert self.level is not None
        self.told.set_text(self.level.write(float(self.levelSlider.val)).replace(": ", ":\n"))
        self.figure.canvas.draw_idle()

    def _moveLevel(self) -> None:
        """Give the threshold of the slider to what is shown."""
        if self.level is not None:
            setattr(self.stack, "cut" if self.level.ofMask else "least", float(self.levelSlider.val))

    def open(self, number: int) -> None:
        """Show the tomogram number ``number``, counted round."""
        self.number = number % len(self.entries)
        name = self.entries[self.number][0]
        self.stack: SliceStack = self._opened(self.entries[self.number])
        # what a tomogram does not have is not offered
        self._offer(MASK, self.stack.mask is not None)
        self._offer(PARTICLES, len(self.stack.points) > 0)
        self.label.set_text(f"{name}  ({self.number + 1} of {len(self.entries)})")
        self.turn(self.axis)

    def _offer(self, name: str, isThere: bool) -> None:
        """Show or hide a box and its cross, which matplotlib draws also where the box is hidden."""
        self.checks[name].ax.set_visible(isThere)
        self.checks[name].set_check_props({"visible": isThere})

    def _opened(self, entry: Entry) -> SliceStack:
        """The tomogram of an entry."""
        return entry[1]()

    def turn(self, axis: str) -> None:
        """Look along another axis."""
        self.axis = axis
        self.slider.valmax = self.stack.length(axis) - 1
        self.slider.ax.set_xlim(0, max(1, self.slider.valmax))
        self.slider.set_val(self.stack.start(axis))

    def toggle(self, name: str) -> None:
        """Show or hide the mask or the particles."""
        self.shown[name] = not self.shown[name]
        self.draw()

    def _scroll(self, event: Any) -> None:
        step = 1 if event.button == "up" else -1
        self.slider.set_val(min(max(self.slider.val + step, 0), self.slider.valmax))

    def draw(self) -> None:
        """Draw the slice that the slider is at."""
        self._moveLevel()
        plane = self.stack.plane(self.axis, int(self.slider.val))
        cut = float(self.contrast.val)
        self.axes.clear()
        mask, colours = self._pictured(plane)
        points = plane.points if self.shown[PARTICLES] else None
        draw_slice(self.axes, plane.image, mask, points, title=self._titleOf(plane), mask_colours=colours, classes=plane.classes,
                   voxel_size=self.stack.voxelSize, diameter_px=plane.diameters, percentiles=(cut, 100.0 - cut))
        self.figure.canvas.draw_idle()

    def _pictured(self, plane: Plane) -> Tuple[Optional[np.ndarray], Sequence[str]]:
        """The labels (rows, columns) to draw over the slice, and the colours of label 1, 2, ..."""
        return (plane.mask if self.shown[MASK] else None), LABEL_COLOURS

    def _titleOf(self, plane: Plane) -> str:
        """What the slice is; of particles only where the tomogram has a list of them."""
        return f"{plane.title},   {len(plane.points)} particles" if len(self.stack.points) else plane.title
