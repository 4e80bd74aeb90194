"""Masks and coordinates on their tomogram, whoever made them: in the right-click menu of every such set, and of runs that have both."""
from typing import Any, List

from pyworkflow.viewer import DESKTOP_TKINTER, View, Viewer
from tomo.objects import SetOfCoordinates3D, SetOfTomograms, SetOfTomoMasks

from cryoetseg.convert import byTsId
from cryoetseg.protocols import ProtCryoEtSegImportCopick, ProtCryoEtSegSegmentVoxUda, ProtCryoEtSegTransferDual

from .slice_browser import SliceBrowser
from .slice_stack import entriesOf, entriesOfCoordinates, entriesOfMasks


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


class CryoEtSegResultViewer(Viewer):
    """Slices of the tomograms of a run with the masks and the particles that it has put out."""

    _name = "CryoETSeg results"
    _label = "CryoETSeg results"
    _targets = [ProtCryoEtSegImportCopick, ProtCryoEtSegSegmentVoxUda, ProtCryoEtSegTransferDual]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        outputs = [output for _, output in obj.iterOutputAttributes(SetOfTomograms)]  # masks are such sets too
        masks = next((output for output in outputs if isinstance(output, SetOfTomoMasks)), None)
        coordinates = next((output for _, output in obj.iterOutputAttributes(SetOfCoordinates3D)), None)
        tomograms = next((output for output in outputs if not isinstance(output, SetOfTomoMasks)), None)
        if tomograms is None:
            tomograms = obj.inTomos.get() if masks is not None or coordinates is not None else None
        if tomograms is None:
            return [self.infoMessage("Not yet: nothing is finished.", "Nothing to show")]
        return [SliceBrowser(entriesOf([item for _, item in sorted(byTsId(tomograms).items())], masks, coordinates), "Results")]
