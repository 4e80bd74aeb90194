"""Checks of inputs that protocols share: sets that cannot be worked on, files that are not what they were."""
import os
from tempfile import TemporaryDirectory
from typing import Callable, Dict, Iterable, List, Mapping

from pyworkflow.object import Pointer
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from cryoetseg.convert import doubledTsIds, tsIdsOf
from cryoetseg.core.runtime.checksums import checksum
from cryoetseg.core.runtime.job import model_folder

Writers = Dict[str, Callable[[str], None]]  # of input files that a protocol makes: what writes each under another name


def hasOtherContent(known: Mapping[str, str], paths: Iterable[str], written: Writers) -> bool:
    """Whether one of the files is not the one with the ``known`` SHA-256; those in ``written`` count as they would be written now."""
    return any(path in known and os.path.exists(path) and known[path] != _checksum(path, written) for path in paths)


def _checksum(path: str, written: Writers) -> str:
    """SHA-256 of an input as it is now, or as it would be written."""
    if path not in written:
        return checksum(model_folder(path) if os.path.isdir(path) else path)
    with TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(path))
        written[path](copy)
        return checksum(copy)


def checkTomograms(pointer: Pointer, label: str) -> List[str]:
    """Messages about a set of tomograms that cannot be worked on."""
    tomograms = pointer.get()
    if tomograms is None:
        return []
    if isinstance(tomograms, SetOfTomoMasks):
        # masks are a subclass of tomograms, so Scipion offers them in the picker
        return [f"*{label}* holds masks. Allowed: tomograms. What to do: choose the tomograms that the masks belong to."]
    return checkIds(pointer, label)


def checkIds(pointer: Pointer, label: str) -> List[str]:
    """Messages about a set that is empty or whose items lack a tilt-series id."""
    items = pointer.get()
    if items is None:
        return []
    if not items.getSize():
        return [f"*{label}* is empty. Allowed: a set with at least one item."]
    volumes = items.getPrecedents() if isinstance(items, SetOfCoordinates3D) else items
    doubled = doubledTsIds(volumes) if volumes is not None else []
    if doubled:
        return [f"*{label}*: several items have the tilt-series id {', '.join(doubled[:5])}. Allowed: one item for each tilt series, since "
                "results are joined by it. What to do: work on the sets one by one instead of joined, or disable all but one."]
    if not tsIdsOf(items):
        return [f"All items of *{label}* are disabled. What to do: enable those to work on."]
    if not all(tsIdsOf(items)):
        return [f"*{label}* holds items without tilt-series id. What to do: import them with a pattern that has {{TS}}."]
    return []
