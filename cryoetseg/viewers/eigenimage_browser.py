"""The eigenimages of slabs: which were merged into the canvas, and why: a window that walks through it."""
from typing import List, Tuple

from matplotlib.widgets import Button, Slider

from cryoetseg.core.report.figures import draw_eigenimages
from cryoetseg.core.report.slab_file import read_slabs

from .slice_browser import FigureView


class EigenimageBrowser(FigureView):
    """The window: a slider over slabs, buttons over tomograms. ``files`` are (name, path) of each tomogram's slabs."""

    def __init__(self, files: List[Tuple[str, str]]) -> None:
        super().__init__(windowTitle="Eigenimages", figsize=(12, 6.6))
        self.files, self.number = files, 0
        self.panels, controls = self.figure.subfigures(2, 1, height_ratios=[12, 1])
        add = controls.add_axes
        self.slider = Slider(add((0.08, 0.35, 0.4, 0.4)), "slab", 0, 1, valinit=0, valstep=1, valfmt="%d")
        self.back, self.forth = Button(add((0.6, 0.2, 0.05, 0.7)), "<"), Button(add((0.93, 0.2, 0.05, 0.7)), ">")
        self.label = controls.text(0.79, 0.55, "", ha="center", va="center", fontsize=9)
        self.slider.on_changed(lambda value: self.draw())
        self.back.on_clicked(lambda event: self.open(self.number - 1))
        self.forth.on_clicked(lambda event: self.open(self.number + 1))
        for button in (self.back, self.forth):
            button.ax.set_visible(len(files) > 1)
        self.open(0)

    def open(self, number: int) -> None:
        """Show the slabs of the tomogram number ``number``, counted round."""
        self.number = number % len(self.files)
        name, path = self.files[self.number]
        self.slabs = read_slabs(path)
        self.label.set_text(f"{name}  ({self.number + 1} of {len(self.files)})")
        self.slider.valmax = len(self.slabs) - 1
        self.slider.ax.set_xlim(0, max(1, self.slider.valmax))
        self.slider.set_val(len(self.slabs) // 2)

    def draw(self) -> None:
        """Draw the slab that the slider is at."""
        slab = self.slabs[int(self.slider.val)]
        self.slider.valtext.set_text(f"z = {slab.z}")
        self.panels.clear()
        draw_eigenimages(self.panels, slab.eigenimages, slab.record, slab.canvas)
        self.panels.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=0.92, wspace=0.04, hspace=0.2)
        self.figure.canvas.draw_idle()
