"""Previews for the form of segment slabs: the slab range, and the threshold on a slice."""
from typing import Any, Dict, List, Optional

from matplotlib.figure import Figure

from cryoetseg.core.foundation.params import SegmentSlabsParameters
from cryoetseg.core.runtime.params import describe
from cryoetseg.protocols import (
    ProtCryoEtSegEvaluatePicking,
    ProtCryoEtSegEvaluateSegmentation,
    ProtCryoEtSegSegmentFilaments,
    ProtCryoEtSegSegmentMembranes,
    ProtCryoEtSegSegmentSlabs,
    ProtCryoEtSegTrainMembranes,
    ProtCryoEtSegTrainPicker,
)
from cryoetseg.protocols.form_builder import attributeName, labelOf, parametersOf
from cryoetseg.protocols.slice_ranges import FIRST_ATTRIBUTE, LAST_ATTRIBUTE, endOf, formRange, lastOf, rangeOf

from .preview_wizard import PreviewWizard
from .slab_preview import SlabPreview, drawRange, drawThreshold

# Sliders of the threshold preview by separation: field of the form, lowest, highest, step
SLIDERS = {
    "volume": [("membrane_threshold", 0.0, 5.0, 0.05), ("particle_threshold", 0.0, 20.0, 0.1), ("particle_diameter", 20.0, 800.0, 5.0)],
    "slices": [("threshold_offset", 0.0, 40.0, 0.5), ("particle_diameter", 20.0, 800.0, 5.0)],
}


class CryoEtSegSlabRangeWizard(PreviewWizard):
    """Choose the first and the last slice on the profile along z."""

    _targets = [(protocol, [FIRST_ATTRIBUTE, LAST_ATTRIBUTE]) for protocol in (
        ProtCryoEtSegSegmentSlabs, ProtCryoEtSegSegmentMembranes, ProtCryoEtSegSegmentFilaments, ProtCryoEtSegTrainMembranes,
        ProtCryoEtSegTrainPicker, ProtCryoEtSegEvaluateSegmentation, ProtCryoEtSegEvaluatePicking)]

    def choose(self, parent: Any, protocol: Any, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Two sliders over the profile."""
        from .preview_window import PreviewWindow, Scale

        def draw(figure: Figure, values: List[float]) -> None:
            drawRange(figure, preview, int(values[0]), endOf(int(values[1])))

        first, end = preview.clampedRange(*rangeOf(protocol, preview.depth))
        scales = [Scale("First slice", 0, preview.depth - 1, 1, first), Scale("Last slice", 0, preview.depth - 1, 1, lastOf(end))]
        window = PreviewWindow(parent, "Slab range", scales, draw,
                               "Choose slices with content: the profile is high where there is some. Dashed lines: the slices that "
                               "'Slices that hold the sample' would take, where ice and sample can be told apart.")
        return self.accepted(protocol, preview, window.values) if window.resultYes() else None

    @staticmethod
    def accepted(protocol: Any, preview: SlabPreview, values: List[float]) -> Dict[str, Any]:
        """The form's values from those of the sliders."""
        return formRange(protocol, *preview.clampedRange(int(values[0]), int(values[1]) + 1), preview.depth)


class CryoEtSegThresholdWizard(PreviewWizard):
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
        first, end = preview.clampedRange(*rangeOf(protocol, preview.depth))
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
