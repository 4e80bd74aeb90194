"""The output of protocols that keep some of a set's coordinates."""
from typing import Any, Sequence

from pyworkflow.object import Pointer
from tomo.objects import Coordinate3D, SetOfCoordinates3D

SELECTED = "selected"


def copySet(source: SetOfCoordinates3D, made: SetOfCoordinates3D) -> None:
    """Give ``made`` everything but the items of ``source``, its tomograms as ``source`` names them: by a run and its output.

    Scipion's copyInfo names the set itself by its number, which another one has in the database of each run: what follows in a workflow
    that is launched as a whole would find no tomograms.
    """
    made.copyInfo(source)
    made.setPrecedents(source._precedentsPointer)


def defineSelection(protocol: Any, source: Pointer, kept: Sequence[Coordinate3D], name: str = SELECTED) -> None:
    """Give ``protocol`` the output ``name``: a set like the one that ``source`` points to, of the coordinates ``kept``."""
    selected = SetOfCoordinates3D.create(protocol._getPath(), suffix=name)
    copySet(source.get(), selected)
    for item in kept:
        selected.append(item)
    protocol._defineOutputs(**{name: selected})
    protocol._defineSourceRelation(source, selected)
