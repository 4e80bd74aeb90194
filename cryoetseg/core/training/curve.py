"""The training curve as a picture, drawn with matplotlib's objects so that no display and no global figure is touched.

Also imported by Scipion's own interpreter, whose window shows the curve while it grows: valid Python 3.8.
"""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..runtime.files import atomic_path

NOT_DRAWN = {"step", "epoch", "learning_rate"}
VALIDATION = "validation_"


def draw_curve(rows: Sequence[dict[str, float]], path: Path) -> None:
    """Write the picture of :func:`draw_rows` as PNG."""
    figure = Figure(figsize=(5.5 * len(panels_of(rows)), 4), layout="constrained")
    draw_rows(figure, rows)
    with atomic_path(path) as part:
        FigureCanvasAgg(figure).print_png(str(part))


def draw_rows(figure: Any, rows: Sequence[dict[str, float]]) -> None:
    """Losses on the left, other metrics (when there are any) on the right, against the step; validation dotted."""
    panels = panels_of(rows)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        _draw_panel(axes, rows, panel)


def panels_of(rows: Sequence[dict[str, float]]) -> list[list[str]]:
    """The names of the metrics in each panel; at least one panel, which is empty without rows."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in NOT_DRAWN]
    losses = [name for name in names if "loss" in name]
    others = [name for name in names if "loss" not in name]
    return [panel for panel in (losses, others) if panel] or [[]]


def _draw_panel(axes: Axes, rows: Sequence[dict[str, float]], names: Sequence[str]) -> None:
    values: list[float] = []
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        values += [value for _, value in points]
        style = {"linestyle": ":", "marker": "o", "markersize": 3} if name.startswith(VALIDATION) else {"linewidth": 1}
        axes.plot(*zip(*points), label=name.replace("_", " "), **style)
    if not names:
        return
    if "loss" in names[0] and min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
