"""Sets of subtomograms as inputs of jobs, and checks of them."""
from typing import Any, List

from pyworkflow.object import Pointer

from cryoetseg.convert import fileOf
from cryoetseg.core.runtime.job import InputFile


def subtomogramFiles(subtomograms: Any, role: str, contrast: str = "dark") -> List[InputFile]:
    """Every item of a set of subtomograms or volumes as an input; Scipion's sampling rate overrules the files' headers."""
    rate = subtomograms.getSamplingRate()
    return [InputFile(path=fileOf(item), role=role, voxel_size=rate, contrast=contrast) for item in subtomograms.iterItems()]


def checkSubtomograms(pointer: Pointer, label: str, least: int = 1) -> List[str]:
    """Messages about a set that is too small or whose items lie in one stack."""
    items = pointer.get()
    if items is None:
        return []
    if items.getSize() < least:
        return [f"*{label}* holds {items.getSize()} subtomograms. Allowed: {least} or more."]
    files = [fileOf(item) for item in items.iterItems()]
    if len(set(files)) < len(files):
        return [f"*{label}* lies in a stack: several items share a file. Allowed: one volume file for each subtomogram. "
                "What to do: extract the particles as single 3D subtomograms."]
    return []
