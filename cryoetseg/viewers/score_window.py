"""The histogram of scores with a threshold that can be moved, and a button that writes what lies above it."""
from typing import Callable

import numpy as np
from matplotlib.widgets import Button, Slider

from cryoetseg.core.report.figures import draw_scores

from .slice_browser import FigureView


class ScoreWindow(FigureView):
    """``choose`` is called with the threshold when the button is pressed, and says what it did."""

    def __init__(self, scores: np.ndarray, choose: Callable[[float], str]) -> None:
        super().__init__(windowTitle="Scores", figsize=(7, 5))
        self.scores, self._choose = np.sort(np.asarray(scores, dtype=np.float64)), choose
        self.axes = self.figure.add_axes((0.11, 0.3, 0.85, 0.61))
        low, high = float(self.scores[0]), float(self.scores[-1])
        add = self.figure.add_axes
        self.slider = Slider(add((0.17, 0.135, 0.65, 0.04)), "threshold", low, max(high, low + 1e-6), valinit=float(np.median(self.scores)),
                             valfmt="%.4g")
        self.button = Button(add((0.17, 0.03, 0.3, 0.07)), "")
        self.told = self.figure.text(0.5, 0.065, "", va="center", fontsize="small")
        self.slider.on_changed(lambda value: self.draw())
        self.button.on_clicked(lambda event: self.choose())
        self.draw()

    @property
    def threshold(self) -> float:
        """The threshold that the slider is at."""
        return float(self.slider.val)

    def draw(self) -> None:
        """Draw the histogram with the threshold."""
        self.axes.clear()
        draw_scores(self.axes, self.scores, self.threshold)
        self.button.label.set_text(f"Write a set of {int((self.scores >= self.threshold).sum())}")
        self.figure.canvas.draw_idle()

    def choose(self) -> None:
        """Write the set of what reaches the threshold."""
        self.told.set_text(self._choose(self.threshold))
        self.figure.canvas.draw_idle()
