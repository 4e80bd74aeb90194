"""The training curve as a picture, drawn with matplotlib's objects so that no display and no global figure is touched."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..runtime.files import atomic_path

NOT_DRAWN = {"step", "epoch", "learning_rate"}
VALIDATION = "validation_"


def draw_curve(rows: Sequence[dict[str, float]], path: Path) -> None:
    """Losses on the left, other metrics (when there are any) on the right, against the step; validation dotted."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in NOT_DRAWN]
    losses = [name for name in names if "loss" in name]
    others = [name for name in names if "loss" not in name]
    panels = [panel for panel in (losses, others) if panel]
    figure = Figure(figsize=(5.5 * max(len(panels), 1), 4), layout="constrained")
    for axes, panel in zip(figure.subplots(1, max(len(panels), 1), squeeze=False)[0], panels):
        _draw_panel(axes, rows, panel)
    with atomic_path(path) as part:
        FigureCanvasAgg(figure).print_png(str(part))


def _draw_panel(axes: Axes, rows: Sequence[dict[str, float]], names: Sequence[str]) -> None:
    values: list[float] = []
    for name in names:
        points = [(row["step"], row[name]) for row in rows if name in row]
        values += [value for _, value in points]
        style = {"linestyle": ":", "marker": "o", "markersize": 3} if name.startswith(VALIDATION) else {"linewidth": 1}
        axes.plot(*zip(*points), label=name.replace("_", " "), **style)
    if "loss" in names[0] and min(values) > 0 and max(values) > 20 * min(values):
        axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
