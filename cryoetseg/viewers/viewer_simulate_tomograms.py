"""Simulated tomograms with their true membranes and particles."""
from typing import Any, List

from pyworkflow.viewer import DESKTOP_TKINTER, View, Viewer

from cryoetseg.convert import byTsId
from cryoetseg.protocols import ProtCryoEtSegSimulateTomograms

from .slice_browser import SliceBrowser
from .slice_stack import entriesOf


class CryoEtSegSimulationViewer(Viewer):
    """Slices of the simulated tomograms with what is in them."""

    _name = "CryoETSeg truth"
    _label = "CryoETSeg truth"
    _targets = [ProtCryoEtSegSimulateTomograms]
    _environments = [DESKTOP_TKINTER]

    def _visualize(self, obj: Any, **kwargs: Any) -> List[View]:
        if not hasattr(obj, "tomograms"):
            return [self.infoMessage("No tomogram is finished yet.", "Nothing to show")]
        tomograms = [tomogram for _, tomogram in sorted(byTsId(obj.tomograms).items())]
        return [SliceBrowser(entriesOf(tomograms, getattr(obj, "membraneMasks", None), getattr(obj, "coordinates", None)), "Truth")]
