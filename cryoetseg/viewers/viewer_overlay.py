"""Masks and coordinates on their tomogram, whoever made them: in the right-click menu of every such set."""
from typing import Any, List

from pyworkflow.viewer import DESKTOP_TKINTER, View, Viewer
from tomo.objects import SetOfCoordinates3D, SetOfTomoMasks

from .slice_browser import SliceBrowser
from .slice_stack import entriesOfCoordinates, entriesOfMasks


class CryoEtSegOverlayViewer(Viewer):
    """Slices of the tomograms with the mask or the particles on them."""

    _name = "CryoETSeg slices"
    _label = "CryoETSeg slices"
    _targets = [SetOfTomoMasks, SetOfCoordinates3D]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        if not obj.getSize():
            return [self.infoMessage("The set is empty.", "Nothing to show")]
        entries = entriesOfCoordinates(obj) if isinstance(obj, SetOfCoordinates3D) else entriesOfMasks(obj)
        return [SliceBrowser(entries, "Masks" if isinstance(obj, SetOfTomoMasks) else "Particles")]
