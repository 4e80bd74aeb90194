"""A window with a figure and sliders below it; what it draws is given to it."""
import tkinter as tk
from typing import Any, Callable, Dict, List, NamedTuple

from matplotlib.backends.backend_tkagg import FigureCanvasTkAgg
from matplotlib.figure import Figure
from pyworkflow.gui.dialog import Dialog

REDRAW_DELAY = 120  # milliseconds without a move of a slider before the figure is drawn again


class Scale(NamedTuple):
    """One slider: its label, range, step and where it starts."""

    label: str
    lowest: float
    highest: float
    step: float
    start: float


class PreviewWindow(Dialog):
    """Shows ``draw(figure, values)`` for the values of the sliders; after OK they are in ``values``, in the order of ``scales``."""

    def __init__(self, parent: Any, title: str, scales: List[Scale], draw: Callable[[Figure, List[float]], None], note: str = "") -> None:
        self.scales, self.drawFigure, self.note = scales, draw, note
        self.variables: List[tk.DoubleVar] = []
        self._pending: Dict[str, str] = {}
        super().__init__(parent, title)

    @property
    def values(self) -> List[float]:
        """Values of the sliders."""
        return [variable.get() for variable in self.variables]

    def body(self, master: tk.Frame) -> None:
        """Build the figure and the sliders; called by Scipion's dialog."""
        self.figure = Figure(figsize=(9, 5.2), dpi=100, layout="constrained")
        self.canvas = FigureCanvasTkAgg(self.figure, master=master)
        self.canvas.get_tk_widget().grid(row=0, column=0, columnspan=2, sticky="news")
        for row, scale in enumerate(self.scales, start=1):
            self._addScale(master, row, scale)
        tk.Label(master, text=self.note, wraplength=850, justify="left").grid(row=len(self.scales) + 1, column=0, columnspan=2, sticky="w")
        master.columnconfigure(1, weight=1)
        master.rowconfigure(0, weight=1)
        self._redraw()

    def _addScale(self, master: tk.Frame, row: int, scale: Scale) -> None:
        variable = tk.DoubleVar(master, value=scale.start)
        self.variables.append(variable)
        tk.Label(master, text=scale.label).grid(row=row, column=0, sticky="e", padx=5)
        tk.Scale(master, variable=variable, from_=scale.lowest, to=scale.highest, resolution=scale.step, orient="horizontal",
                 command=lambda value: self._plan()).grid(row=row, column=1, sticky="ew", padx=5)

    def _plan(self) -> None:
        """Draw when the slider has come to rest, as drawing takes longer than moving."""
        if "redraw" in self._pending:
            self.after_cancel(self._pending["redraw"])
        self._pending["redraw"] = self.after(REDRAW_DELAY, self._redraw)

    def _redraw(self) -> None:
        self._pending.clear()
        self.drawFigure(self.figure, self.values)
        self.canvas.draw()
