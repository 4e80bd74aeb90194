"""The output of protocols that keep some of a set's coordinates."""
from typing import Any, Sequence

from pyworkflow.object import Pointer
from tomo.objects import Coordinate3D, SetOfCoordinates3D

SELECTED = "selected"


def defineSelection(protocol: Any, source: Pointer, kept: Sequence[Coordinate3D], name: str = SELECTED) -> None:
    """Give ``protocol`` the output ``name``: a set like the one that ``source`` points to, of the coordinates ``kept``."""
    selected = SetOfCoordinates3D.create(protocol._getPath(), suffix=name)
    selected.copyInfo(source.get())
    selected.setPrecedents(source.get().getPrecedents())
    for item in kept:
        selected.append(item)
    protocol._defineOutputs(**{name: selected})
    protocol._defineSourceRelation(source, selected)
