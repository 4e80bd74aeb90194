"""The curve of a training in a window that follows it while it runs."""
from typing import Any, Callable, List

from cryoetseg.core.training.curve import draw_rows
from cryoetseg.core.training.log import Row, read_table

from .slice_browser import FigureView

MILLISECONDS = 5000  # between two looks at the table of a running training


class TrainingWindow(FigureView):
    """``tables`` names the metrics of each round so far, ``isActive`` says whether more may come."""

    def __init__(self, title: str, tables: Callable[[], List[str]], isActive: Callable[[], bool] = lambda: False) -> None:
        super().__init__(windowTitle=title, figsize=(10, 4.6))
        self._title, self._tables, self._isActive = title, tables, isActive
        self.update()
        # kept as an attribute, because a timer that nobody holds stops
        self.timer = self.figure.canvas.new_timer(interval=MILLISECONDS)
        self.timer.add_callback(self.follow)
        self.figure.canvas.mpl_connect("close_event", lambda event: self.timer.stop())
        if isActive():
            self.timer.start()

    def rows(self) -> List[Row]:
        """The rows of all rounds, with steps that count on from round to round."""
        joined: List[Row] = []
        for table in self._tables():
            start = joined[-1]["step"] if joined else 0
            joined += [{**row, "step": row["step"] + start} for row in read_table(table)]
        return joined

    def update(self) -> None:
        """Draw the curve anew."""
        rows = self.rows()
        self.figure.clear()
        if rows:
            draw_rows(self.figure, rows)
        state = f"step {rows[-1]['step']}" if rows else "no step is logged yet"
        self.figure.suptitle(f"{self._title}: {state}{', running' if self._isActive() else ''}", fontsize="medium")
        self.figure.subplots_adjust(left=0.07, right=0.98, bottom=0.12, top=0.9)
        self.figure.canvas.draw_idle()

    def follow(self, *arguments: Any) -> None:
        """Look again; after the end of the training this was the last look."""
        active = self._isActive()
        self.update()
        if not active:
            self.timer.stop()
