"""A window that shows the particles of one tomogram after the other in three dimensions, with its membranes."""
from typing import Any

import numpy as np
from matplotlib.widgets import Button

from cryoetseg.convert import byTsId, fileOf, particlesOf, tsIdsOf
from cryoetseg.core.report.scatter import draw_scatter, membrane_points

from .slice_browser import FigureView
from .slice_stack import PROBABILITY_CUT, openArray

BOX_PER_DIAMETER = 1.5  # boxes of ours are so much wider than the particle


class ScatterBrowser(FigureView):
    """Particles of ``coordinates`` coloured by their group; ``masks`` (may be None) are matched by tilt-series id."""

    def __init__(self, coordinates: Any, masks: Any = None) -> None:
        super().__init__(windowTitle="Particles and membranes", figsize=(8, 8))
        self.coordinates, self.number = coordinates, 0
        tomograms = byTsId(coordinates.getPrecedents())
        self.tomograms = {tsId: tomograms[tsId] for tsId in tsIdsOf(coordinates) if tsId in tomograms}
        self.maskFiles = {tsId: fileOf(mask) for tsId, mask in byTsId(masks).items()} if masks is not None else {}
        self.axes = self.figure.add_axes((0.0, 0.08, 0.88, 0.88), projection="3d")
        add = self.figure.add_axes
        self.back, self.forth = Button(add((0.05, 0.015, 0.06, 0.045)), "<"), Button(add((0.89, 0.015, 0.06, 0.045)), ">")
        self.back.on_clicked(lambda event: self.open(self.number - 1))
        self.forth.on_clicked(lambda event: self.open(self.number + 1))
        for button in (self.back, self.forth):
            button.ax.set_visible(len(self.tomograms) > 1)
        self.open(0)

    def open(self, number: int) -> None:
        """Show the tomogram number ``number``, counted round."""
        self.number = number % len(self.tomograms)
        tsId, tomogram = list(self.tomograms.items())[self.number]
        samplingRate = tomogram.getSamplingRate()
        particles = particlesOf(self.coordinates, tomogram, samplingRate)
        usual = (self.coordinates.getBoxSize() or 12) * self.coordinates.getSamplingRate() / BOX_PER_DIAMETER
        self.axes.clear()
        draw_scatter(self.axes, np.array([(item.z, item.y, item.x) for item in particles]), tomogram.getDim()[::-1],
                     classes=np.array([item.classId for item in particles]), membranes_zyx=self._membranes(tsId, tomogram),
                     voxel_size=samplingRate, diameter=np.array([item.diameter or usual for item in particles]),
                     title=f"{tsId}  ({self.number + 1} of {len(self.tomograms)})")
        self.figure.canvas.draw_idle()

    def _membranes(self, tsId: str, tomogram: Any) -> Any:
        """Points on the mask of a tomogram in the tomogram's voxels; None without a mask."""
        if tsId not in self.maskFiles:
            return None
        mask = openArray(self.maskFiles[tsId])
        points = membrane_points(mask if mask.dtype.kind != "f" else np.asarray(mask) >= PROBABILITY_CUT)
        return points * (tomogram.getDim()[2] / mask.shape[0])
