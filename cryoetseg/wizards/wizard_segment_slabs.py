"""Previews for the form of segment slabs: the slab range, and the threshold on a slice."""
from typing import Any, Dict, List, Optional

from matplotlib.figure import Figure
from pyworkflow.gui.dialog import showError
from pyworkflow.wizard import Wizard

from cryoetseg.convert import byTsId, fileOf
from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.runtime.errors import CryoetsegError, InputError
from cryoetseg.core.runtime.params import describe
from cryoetseg.protocols import ProtCryoEtSegSegmentSlabs
from cryoetseg.protocols.form_builder import attributeName, labelOf, parametersOf
from cryoetseg.protocols.protocol_base import CONTRASTS
from cryoetseg.viewers.slice_stack import openArray

from .slab_preview import SlabPreview, drawRange, drawThreshold

# Sliders of the threshold preview by separation: field of the form, lowest, highest, step
SLIDERS = {
    "volume": [("membrane_threshold", 0.0, 5.0, 0.05), ("particle_threshold", 0.0, 20.0, 0.1), ("particle_diameter", 20.0, 800.0, 5.0)],
    "slices": [("threshold_offset", 0.0, 40.0, 0.5), ("particle_diameter", 20.0, 800.0, 5.0)],
}


def previewOf(protocol: ProtCryoEtSegSegmentSlabs) -> SlabPreview:
    """A preview of the first tomogram of the input; raises :class:`InputError` when there is none."""
    tomograms = protocol.inTomos.get()
    if tomograms is None or not tomograms.getSize():
        raise InputError("no tomograms are chosen", "a set of tomograms", "choose the input first")
    tsId, tomogram = sorted(byTsId(tomograms).items())[0]
    return SlabPreview(tsId, openArray(fileOf(tomogram)), tomogram.getSamplingRate(), CONTRASTS[protocol.contrast.get()])


class SlabWizard(Wizard):
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

    def choose(self, parent: Any, protocol: ProtCryoEtSegSegmentSlabs, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Let the user choose; the form's new values by name, or None."""
        raise TypeError("a wizard must say what is chosen")


class CryoEtSegSlabRangeWizard(SlabWizard):
    """Choose the first and the last slice on the profile along z."""

    _targets = [(ProtCryoEtSegSegmentSlabs, ["zStart", "zEnd"])]

    def choose(self, parent: Any, protocol: ProtCryoEtSegSegmentSlabs, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Two sliders over the profile."""
        from .preview_window import PreviewWindow, Scale

        def draw(figure: Figure, values: List[float]) -> None:
            drawRange(figure, preview, int(values[0]), int(values[1]))

        first, end = preview.clampedRange(protocol.zStart.get() or 0, protocol.zEnd.get() or 0)
        scales = [Scale("First slice", 0, preview.depth - 1, 1, first), Scale("End slice (not included)", 1, preview.depth, 1, end)]
        window = PreviewWindow(parent, "Slab range", scales, draw, "Choose slices with content: the profile is high where there is some.")
        return self.accepted(preview, window.values) if window.resultYes() else None

    @staticmethod
    def accepted(preview: SlabPreview, values: List[float]) -> Dict[str, Any]:
        """The form's values from those of the sliders."""
        first, end = preview.clampedRange(int(values[0]), int(values[1]))
        return {"zStart": first, "zEnd": end}


class CryoEtSegThresholdWizard(SlabWizard):
    """Choose the thresholds and the particle diameter on a slice."""

    _targets = [(ProtCryoEtSegSegmentSlabs, ["membraneThreshold", "particleThreshold", "thresholdOffset", "particleDiameter"])]

    def choose(self, parent: Any, protocol: ProtCryoEtSegSegmentSlabs, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Sliders for the slice and for the thresholds that count with the chosen separation."""
        from .preview_window import PreviewWindow

        def draw(figure: Figure, values: List[float]) -> None:
            drawThreshold(figure, preview, int(values[0]), self.parameters(protocol, values))

        window = PreviewWindow(parent, "Threshold", self.scales(protocol, preview), draw,
                               "The thresholds are shown on the slice itself; the run applies them to the merged eigenimages, which are "
                               "smoother. The circle has the particle diameter.")
        return self.accepted(protocol, window.values) if window.resultYes() else None

    @staticmethod
    def scales(protocol: ProtCryoEtSegSegmentSlabs, preview: SlabPreview) -> List[Any]:
        """The sliders: the slice first, then the parameters, which start at the form's values."""
        from .preview_window import Scale

        values = parametersOf(protocol, SegmentSlabsParameters)
        fields = {field.name: field for field in describe(SegmentSlabsParameters)}
        first, end = preview.clampedRange(values["z_start"], values["z_end"])
        scales = [Scale("Slice", 0, preview.depth - 1, 1, (first + end - 1) // 2)]
        for name, lowest, highest, step in SLIDERS[values["separation"]]:
            scales.append(Scale(labelOf(fields[name]), lowest, max(highest, values[name]), step, values[name]))
        return scales

    @staticmethod
    def parameters(protocol: ProtCryoEtSegSegmentSlabs, values: List[float]) -> Dict[str, Any]:
        """The method's parameters with the sliders' values in them."""
        formed = parametersOf(protocol, SegmentSlabsParameters)
        names = [name for name, *_ in SLIDERS[formed["separation"]]]
        return {**formed, **dict(zip(names, values[1:]))}

    @staticmethod
    def accepted(protocol: ProtCryoEtSegSegmentSlabs, values: List[float]) -> Dict[str, Any]:
        """The form's values from those of the sliders."""
        separation = parametersOf(protocol, SegmentSlabsParameters)["separation"]
        return {attributeName(name): value for (name, *_), value in zip(SLIDERS[separation], values[1:])}
