"""What the wizards share: a preview of the first tomogram of the form's input, and errors told in a window."""
from typing import Any, Dict, Optional

from pyworkflow.gui.dialog import showError
from pyworkflow.wizard import Wizard
from tomo.objects import SetOfCoordinates3D

from cryoetseg.convert import byTsId, fileOf
from cryoetseg.core.runtime.errors import CryoetsegError, InputError
from cryoetseg.protocols.protocol_base import CONTRASTS
from cryoetseg.viewers.slice_stack import openArray

from .slab_preview import SlabPreview


def previewOf(protocol: Any) -> SlabPreview:
    """A preview of the first tomogram of the input; raises :class:`InputError` when there is none."""
    volumes = _volumesOf(protocol)
    if volumes is None or not volumes.getSize():
        raise InputError("no tomograms are chosen", "a set of tomograms", "choose the input first")
    tsId, volume = sorted(byTsId(volumes).items())[0]
    contrast = CONTRASTS[protocol.contrast.get()] if hasattr(protocol, "contrast") else CONTRASTS[0]
    return SlabPreview(tsId, openArray(fileOf(volume)), volume.getSamplingRate(), contrast)


def _volumesOf(protocol: Any) -> Any:
    """The tomograms of the form; of an evaluation those of its truth, or its masks."""
    if hasattr(protocol, "inTomos"):
        return protocol.inTomos.get()
    truth = protocol.truth.get()
    return truth.getPrecedents() if isinstance(truth, SetOfCoordinates3D) else truth


class PreviewWizard(Wizard):
    """Opens the preview of the first tomogram, and writes what was chosen into the form."""

    def show(self, form: Any, *params: Any) -> None:
        """Called by the form's wizard button."""
        try:
            chosen = self.choose(form.root, form.protocol, previewOf(form.protocol))
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
