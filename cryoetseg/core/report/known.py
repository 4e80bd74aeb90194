"""Picks beside positions that are known, where there are more particles than are known: recall counts, precision would mislead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .comparison import AS_MANY, OURS, blobs, recalls
from .figures import draw_recall, new_figure, save_figure
from .html import Picture, Table

Curves = Mapping[str, np.ndarray]  # by method, the share of the known points that its best 1, 2, ... picks find


class Known(NamedTuple):
    """Positions (n, 3) in voxels (z, y, x) of some particles of a tomogram: what a picture calls them, and what to know about them.

    A pick finds one within ``radius_px``; recall is told for so many of the best picks as ``counts`` says.
    """

    title: str
    about: str
    points: np.ndarray
    radius_px: float
    counts: tuple[int, ...]


def recall_curves(volume: np.ndarray, points: np.ndarray, known: Known, diameter_px: float) -> Curves:
    """Recall of ranked ``points`` (n, 3), and of as many blobs, in a volume (z, y, x) with bright particles."""
    ranked = {OURS: points, AS_MANY: blobs(volume, diameter_px)[: len(points)]}
    return {method: recalls(found, known.points, known.radius_px) for method, found in ranked.items()}


def known_table(curves: Curves, known: Known) -> Table:
    """Methods as rows; recall among so many of the best picks, and among all, as columns."""
    columns = [*(f"in the best {count}" for count in known.counts), "in all", "picks"]
    rows = [[method, *(_recall_at(curve, count) for count in known.counts), _recall_at(curve, len(curve)), len(curve)]
            for method, curve in curves.items()]
    caption = (f"Recall: share of the {len(known.points)} known particles with a pick within {known.radius_px:g} voxels. More are there "
               "than are known, so a pick beside them need not be wrong.")
    return Table(["method", *columns], rows, caption)


def _recall_at(curve: np.ndarray, count: int) -> float:
    """Recall of the first ``count`` picks, or of all where there are fewer."""
    return float(curve[min(count, len(curve)) - 1]) if len(curve) else 0.0


def recall_picture(path: Path, curves: Curves, known: Known) -> Picture:
    """Recall over the number of picks."""
    figure = new_figure(6.0, 3.5)
    draw_recall(figure.add_subplot(), curves, known.counts)
    return Picture(save_figure(path, figure), "Recall of the known particles by the best picks; dotted: the counts of the table.")
