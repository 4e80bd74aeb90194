"""One colour for each class, the same in every program."""
from __future__ import annotations

# the ten of Tableau, which people with colour blindness tell apart best when there are ten
CLASS_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")
MEMBRANE_COLOUR = "#e0c068"


def class_colour(number: int) -> str:
    """The colour of class ``number`` as #rrggbb; after ten they start again."""
    return CLASS_COLOURS[(number - 1) % len(CLASS_COLOURS)]


def rgba(colour: str) -> tuple[int, int, int, int]:
    """#rrggbb as red, green, blue and opacity from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255
