"""The record of a training: a CSV table that grows line by line, and the figure drawn from it.

Also imported by Scipion's own interpreter: valid Python 3.8.
"""
from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Dict

from ..runtime.files import write_text
from .curve import VALIDATION, draw_curve

logger = logging.getLogger(__name__)
TABLE, FIGURE = "metrics.csv", "training_curve.png"
SECONDS_BETWEEN_FIGURES = 15.0
Row = Dict[str, float]


class TrainingLog:
    """Means over ``interval`` steps as rows of ``metrics.csv``; validation metrics as rows of their own.

    Without a folder (all processes but the first) the rows are kept and nothing is written.
    """

    def __init__(self, folder: Path | None, interval: int) -> None:
        self._folder = folder
        self._interval = interval
        self._sums: dict[str, float] = {}
        self._count = 0
        self._drawn = time.monotonic()
        self.rows: list[Row] = []

    def add(self, step: int, epoch: int, learning_rate: float, metrics: Mapping[str, float]) -> None:
        """Count the metrics of one step; ``step`` is the number of steps done."""
        for name, value in metrics.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if step % self._interval == 0:
            self.flush(step, epoch, learning_rate)
            self.draw(SECONDS_BETWEEN_FIGURES)

    def flush(self, step: int, epoch: int, learning_rate: float) -> None:
        """Write the mean of the steps counted so far, if any; at the end of a training the last interval may be short."""
        if self._count:
            means = {name: total / self._count for name, total in self._sums.items()}
            self._sums, self._count = {}, 0
            self._append({"step": step, "epoch": epoch, "learning_rate": learning_rate, **means})

    def add_validation(self, step: int, epoch: int, metrics: Mapping[str, float]) -> None:
        """Record validation metrics, each under ``validation_<name>``; a name that begins so stays as it is."""
        named = {name if name.startswith(VALIDATION) else VALIDATION + name: float(value) for name, value in metrics.items()}
        logger.info("step %d: %s", step, ", ".join(f"{name.replace('_', ' ', 1)} {value:.4g}" for name, value in named.items()))
        self._append({"step": step, "epoch": epoch, **named})
        self.draw(SECONDS_BETWEEN_FIGURES)

    def draw(self, seconds_since_last: float = 0.0) -> None:
        """Draw the figure anew unless it is younger than ``seconds_since_last``."""
        if self._folder and self.rows and time.monotonic() - self._drawn >= seconds_since_last:
            draw_curve(self.rows, self._folder / FIGURE)
            self._drawn = time.monotonic()

    def finish(self, step: int, epoch: int, learning_rate: float) -> None:
        """Leave table and figure of all steps so far, also of a run that ended before its first row."""
        self.flush(step, epoch, learning_rate)
        if self._folder:
            self._write_all()
            draw_curve(self.rows, self._folder / FIGURE)

    def state(self) -> dict[str, Any]:
        """The unfinished mean, for the checkpoint."""
        return {"sums": dict(self._sums), "count": self._count}

    def load(self, state: Mapping[str, Any], step: int) -> None:
        """Go back to ``step``: rows written after it are dropped from the table, which is written anew."""
        self._sums, self._count = dict(state["sums"]), state["count"]
        rows = self.rows or (read_table(self._folder / TABLE) if self._folder else [])
        # a mean of this very step that is unfinished was written for a run that ended here, and will be part of a later row
        self.rows = [row for row in rows if row["step"] < step or (row["step"] == step and not (self._count and "learning_rate" in row))]
        self._write_all()

    def _append(self, row: Row) -> None:
        columns = _columns(self.rows)
        self.rows.append(row)
        if self._folder is None:
            return
        if not columns or not set(row) <= set(columns):
            self._write_all()
            return
        with open(self._folder / TABLE, "a", encoding="utf-8", newline="") as stream:
            csv.DictWriter(stream, columns).writerow(row)

    def _write_all(self) -> None:
        if self._folder is None:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, _columns(self.rows))
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self._folder / TABLE, text.getvalue())


def read_table(path: Path) -> list[Row]:
    """The rows of a metrics table, empty cells left out; none when there is no table. A line cut by a kill is dropped.

    Columns of older tables that bear the word of validation twice are read under their present name.
    """
    if not Path(path).exists():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        return [row for row in map(_numbers, csv.DictReader(stream)) if row]


def _numbers(cells: Mapping[Any, Any]) -> Row:
    if None in cells or None in cells.values():
        return {}
    try:
        row = {name: float(cell) for name, cell in cells.items() if cell != ""}
    except ValueError:
        return {}
    return {name.replace(2 * VALIDATION, VALIDATION): int(value) if name in ("step", "epoch") else value for name, value in row.items()}


def _columns(rows: Iterable[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))
