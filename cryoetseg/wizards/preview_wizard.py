"""What the wizards share: a preview of a tomogram of the form's input, and errors told in a window."""
from typing import Any, Dict, Optional

from pyworkflow.gui.dialog import ListDialog, showError
from pyworkflow.gui.tree import ListTreeProviderString
from pyworkflow.object import String
from pyworkflow.wizard import Wizard
from tomo.objects import SetOfCoordinates3D

from cryoetseg.convert import byTsId, fileOf, tsIdsOf
from cryoetseg.core.runtime.errors import CryoetsegError, InputError
from cryoetseg.protocols.protocol_base import CONTRASTS
from cryoetseg.viewers.slice_stack import openArray

from .slab_preview import SlabPreview


def previewOf(protocol: Any, tsId: str = "") -> SlabPreview:
    """A preview of one tomogram of the input, the first unless named; raises :class:`InputError` when there is none."""
    volumes = _volumesOf(protocol)
    if volumes is None or not volumes.getSize():
        raise InputError("no tomograms are chosen", "a set of tomograms", "choose the input first")
    byName = byTsId(volumes)
    tsId = tsId or min(byName)
    volume = byName[tsId]
    contrast = CONTRASTS[protocol.contrast.get()] if hasattr(protocol, "contrast") else CONTRASTS[0]
    return SlabPreview(tsId, openArray(fileOf(volume)), volume.getSamplingRate(), contrast)


def _volumesOf(protocol: Any) -> Any:
    """The tomograms of the form; of an evaluation those of its truth, or its masks."""
    if hasattr(protocol, "inTomos"):
        return protocol.inTomos.get()
    truth = protocol.truth.get()
    return truth.getPrecedents() if isinstance(truth, SetOfCoordinates3D) else truth


def chosenTomogram(parent: Any, protocol: Any) -> Optional[str]:
    """Let the user choose which tomogram of the input is looked at; empty where there is no choice, None when the window was closed."""
    names = tsIdsOf(_volumesOf(protocol))
    if len(names) < 2:
        return ""
    provider = ListTreeProviderString([String(name) for name in names])
    window = ListDialog(parent, "Tomogram", provider, "Which tomogram shall be looked at? What is chosen there counts for all of them.")
    return str(window.values[0].get()) if window.values else None


class PreviewWizard(Wizard):
    """Opens the preview of a tomogram, and writes what was chosen into the form."""

    def show(self, form: Any, *params: Any) -> None:
        """Called by the form's wizard button."""
        try:
            tsId = chosenTomogram(form.root, form.protocol)
            chosen = None if tsId is None else self.choose(form.root, form.protocol, previewOf(form.protocol, tsId))
        except CryoetsegError as error:
            showError("Preview", str(error), form.root)
        except ImportError as error:
            message = f"This preview needs {error.name} in Scipion's own Python, which lacks it. The run itself does not."
            showError("Preview", message, form.root)
        else:
            for name, value in (chosen or {}).items():
                form.setVar(name, value)

    def choose(self, parent: Any, protocol: Any, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Let the user choose; the form's new values by name, or None."""
        raise TypeError("a wizard must say what is chosen")
