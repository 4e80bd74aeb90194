"""Parameters of correcting membrane masks by hand.

Imported by Scipion's own interpreter: valid Python 3.8, no dependency but pydantic.
"""
import json
from typing import Iterable, List, NamedTuple

from pydantic import field_validator

from ...runtime.params import Parameters, other_than, parameter

WRITTEN = 'JSON such as [["TS_1", 10, 20, 30]], the tilt series and x, y, z in voxels of the mask, counted from 0 at a corner'


class Place(NamedTuple):
    """What a click points at: a tilt series and a position in voxels of its mask, counted from 0 at a corner."""

    series: str
    x: float
    y: float
    z: float


def places_in(text: str) -> List[Place]:
    """The places that are written as JSON; raises ValueError for any other text."""
    try:
        places = [Place(row[0], *map(float, row[1:])) for row in json.loads(text or "[]")]
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ValueError(f"{WRITTEN} is allowed") from error
    if not all(isinstance(place.series, str) for place in places):
        raise ValueError(f"{WRITTEN} is allowed")
    return places


def places_text(places: Iterable[Place]) -> str:
    """Places as :func:`places_in` reads them; empty without any."""
    rows = [list(place) for place in places]
    return json.dumps(rows) if rows else ""


def _checked(text: str) -> str:
    places_in(text)
    return text


class CurateMembranesParameters(Parameters):
    """Which membranes are taken out of a mask by hand, and which are put in."""

    removed: str = parameter("", f"Membranes that are taken out, each by a place in it: {WRITTEN}.", label="Taken out")
    added: str = parameter("", f"Membranes that are put in, each by a place in what the probabilities hold beside the mask: {WRITTEN}.",
                           label="Put in")
    candidates_from: float = parameter(
        0.25, "What is put in are connected voxels beside the mask whose probability reaches this.", gt=0, lt=1,
        acts_when={"added": other_than("")}, label="Put in from a probability of")

    _places = field_validator("removed", "added")(_checked)
