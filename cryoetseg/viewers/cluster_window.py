"""The map of the kinds of particles: a click on a point opens its slices, a click on an average chooses its cluster."""
from typing import Any, Callable, Dict, List, Set

import numpy as np
from matplotlib.widgets import Button

from cryoetseg.core.report.clusters import colour_of, draw_map
from cryoetseg.core.report.figures import draw_slice

from .cluster_map import UNSURE, ClusterMap, Member, slicesAbout
from .slice_browser import FigureView
from .slice_stack import openArray

NEAR = 12.0  # pixels of the screen within which a click means a point
ROW = 10  # averages beside each other
CHOSEN, LEFT_OUT = 4.0, 0.6  # widths of the frames of averages
HINT = "click a point: its slices     click an average: choose its cluster"


class ClusterWindow(FigureView):
    """``files`` are the volumes of the tomograms by tilt-series id; ``choose`` gets the chosen clusters and says what it did."""

    def __init__(self, found: ClusterMap, files: Dict[str, str], choose: Callable[[List[int]], str]) -> None:
        super().__init__(windowTitle="Kinds of particles", figsize=(12, 8.6))
        self.found, self._files, self._choose = found, files, choose
        self.chosen: Set[int] = set()
        add = self.figure.add_axes
        self.map = add((0.02, 0.33, 0.56, 0.63))
        self.slices = [add(place) for place in ((0.62, 0.58, 0.36, 0.38), (0.62, 0.33, 0.17, 0.2), (0.81, 0.33, 0.17, 0.2))]
        draw_map(self.map, found.places, found.clusters, HINT)
        self.map.get_legend().remove()  # the averages are the legend
        self.mark = self.map.plot([], [], marker="o", markersize=12, markerfacecolor="none", color="black", markeredgewidth=1.5)[0]
        self.averages = {number: self._average(place, number) for place, number in enumerate(found.numbers)}
        self.button = Button(add((0.02, 0.012, 0.24, 0.04)), "")
        self.told = self.figure.text(0.28, 0.03, "", va="center", fontsize="small")
        self.button.on_clicked(lambda event: self.write())
        self.figure.canvas.mpl_connect("button_press_event", self._click)
        self.draw()
        if found.members:
            self.showParticle(int(np.argmax(found.clusters == found.numbers[0])))

    def _average(self, place: int, number: int) -> Any:
        """The average of a cluster as a small picture below the map."""
        rows = 1 + (len(self.found.numbers) - 1) // ROW
        row, column = divmod(place, ROW)
        height = 0.24 / rows
        axes = self.figure.add_axes((0.02 + column * 0.097, 0.065 + (rows - 1 - row) * height, 0.088, height - 0.035))
        draw_slice(axes, self.found.averages[number], title=f"{number or 'unsure'} ({self.found.counts[number]})")
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        return axes

    def _click(self, event: Any) -> None:
        if not self.isClick(event):
            return
        if event.inaxes is self.map:
            number = self.found.nearest(self.map.transData.transform(self.found.places), (event.x, event.y), NEAR)
            if number >= 0:
                self.showParticle(number)
        for number, axes in self.averages.items():
            if event.inaxes is axes:
                self.toggle(number)

    def toggle(self, number: int) -> None:
        """Choose a cluster, or leave it out again."""
        self.chosen ^= {number}
        self.draw()

    def draw(self) -> None:
        """Draw the frames of the averages and say how many particles are chosen."""
        for number, axes in self.averages.items():
            for side in axes.spines.values():
                side.set(color=colour_of(number), linewidth=CHOSEN if number in self.chosen else LEFT_OUT)
        total = sum(self.found.counts[number] for number in self.chosen)
        self.button.label.set_text(f"Write a set of {total}" if self.chosen else "Choose clusters by their averages")
        self.figure.canvas.draw_idle()

    def showParticle(self, number: int) -> None:
        """Open the slices about the member ``number`` of the map."""
        member = self.found.members[number]
        self.mark.set_data(self.found.places[number:number + 1].T)
        for axes, (title, image, place) in zip(self.slices, slicesAbout(openArray(self._files[member.tsId]), member)):
            axes.clear()
            if axes is self.slices[0]:
                title = f"{member.tsId}, {self._nameOf(member)}, {title}"
            draw_slice(axes, image, None, place[None], title=title, voxel_size=member.voxelSize, diameter_px=_diameter(member))
        self.figure.canvas.draw_idle()

    def _nameOf(self, member: Member) -> str:
        return f"cluster {member.cluster}" if member.cluster != UNSURE else "unsure"

    def write(self) -> None:
        """Hand over the chosen clusters."""
        if self.chosen:
            self.told.set_text(self._choose(sorted(self.chosen)))
            self.figure.canvas.draw_idle()


def _diameter(member: Member) -> float:
    """Diameter of the circle about a member in voxels: its own, else of a particle of 200 Angstrom."""
    return (member.diameter if np.isfinite(member.diameter) and member.diameter > 0 else 200.0) / member.voxelSize
