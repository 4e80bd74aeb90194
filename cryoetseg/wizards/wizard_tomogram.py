"""Previews for forms that ask for a particle diameter, a tilt range or a voxel size."""
from typing import Any, Dict, List, Optional

from matplotlib.figure import Figure

from cryoetseg.protocols import (
    ProtCryoEtSegFillWedge,
    ProtCryoEtSegPickDog,
    ProtCryoEtSegTrainDual,
    ProtCryoEtSegTrainPicker,
    ProtCryoEtSegTrainSegmenter,
    ProtCryoEtSegTrainWedge,
)

from .preview_wizard import PreviewWizard
from .slab_preview import SlabPreview
from .tomogram_preview import drawDiameter, drawTiltRange, drawVoxelSize, spectrumOf

LARGEST_DIAMETER = 800.0  # Angstrom, of the slider; a larger value of the form moves its end
LARGEST_VOXEL = 40.0
STEEPEST = 89.0  # degrees
LEAST_RANGE = 1.0


class CryoEtSegDiameterWizard(PreviewWizard):
    """Choose the particle diameter by circles around what is about so large."""

    _targets = [(protocol, ["particleDiameter"])
                for protocol in (ProtCryoEtSegPickDog, ProtCryoEtSegTrainPicker, ProtCryoEtSegTrainSegmenter)]

    def choose(self, parent: Any, protocol: Any, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Sliders for the slice and the diameter."""
        from .preview_window import PreviewWindow, Scale

        def draw(figure: Figure, values: List[float]) -> None:
            drawDiameter(figure, preview, int(values[0]), values[1])

        start = protocol.particleDiameter.get() or 250.0
        scales = [Scale("Slice", 0, preview.depth - 1, 1, preview.depth // 2),
                  Scale("Particle diameter (Å)", 20, max(LARGEST_DIAMETER, start), 5, start)]
        window = PreviewWindow(parent, "Particle diameter", scales, draw,
                               "The circles should just enclose the particles. They mark what is about so large, of whatever kind.")
        return {"particleDiameter": window.values[1]} if window.resultYes() else None


class CryoEtSegTiltRangeWizard(PreviewWizard):
    """Choose the tilt range where the power spectrum of the tomogram ends."""

    _targets = [(protocol, ["tiltMin", "tiltMax"]) for protocol in (ProtCryoEtSegTrainWedge, ProtCryoEtSegFillWedge)]

    def choose(self, parent: Any, protocol: Any, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Sliders for both ends."""
        from .preview_window import PreviewWindow, Scale

        power = spectrumOf(preview)

        def draw(figure: Figure, values: List[float]) -> None:
            chosen = self.accepted(values)
            drawTiltRange(figure, preview.name, power, chosen["tiltMin"], chosen["tiltMax"])

        scales = [Scale("First tilt angle (°)", -STEEPEST, STEEPEST, 1, protocol.tiltMin.get()),
                  Scale("Last tilt angle (°)", -STEEPEST, STEEPEST, 1, protocol.tiltMax.get())]
        window = PreviewWindow(parent, "Tilt range", scales, draw,
                               "Seen along the tilt axis (y). Between the lines, left and right, is what was measured; above and below is "
                               "the missing wedge, which is darker.")
        return self.accepted(window.values) if window.resultYes() else None

    @staticmethod
    def accepted(values: List[float]) -> Dict[str, Any]:
        """The form's values from those of the sliders: in order, and never without a range."""
        first, last = sorted(float(value) for value in values)
        first = min(first, STEEPEST - LEAST_RANGE)
        return {"tiltMin": first, "tiltMax": max(last, first + LEAST_RANGE)}


class CryoEtSegVoxelSizeWizard(PreviewWizard):
    """Choose the voxel size of a model by what is left to see."""

    _targets = [(protocol, ["modelVoxelSize"]) for protocol in (ProtCryoEtSegTrainDual, ProtCryoEtSegTrainWedge)]

    def choose(self, parent: Any, protocol: Any, preview: SlabPreview) -> Optional[Dict[str, Any]]:
        """Sliders for the slice and the voxel size."""
        from .preview_window import PreviewWindow, Scale

        def draw(figure: Figure, values: List[float]) -> None:
            drawVoxelSize(figure, preview, int(values[0]), values[1])

        start = protocol.modelVoxelSize.get() or preview.voxelSize
        scales = [Scale("Slice", 0, preview.depth - 1, 1, preview.depth // 2),
                  Scale("Voxel size (Å)", 2, max(LARGEST_VOXEL, start), 0.5, start)]
        window = PreviewWindow(parent, "Voxel size", scales, draw,
                               "Coarser voxels train faster and see further. The finest detail that a model can show is two of its voxels; "
                               "finer voxels than those of the tomogram add nothing.")
        return {"modelVoxelSize": window.values[1]} if window.resultYes() else None
