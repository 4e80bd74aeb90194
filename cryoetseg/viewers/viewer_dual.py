"""Tomograms before and after DUAL: slices side by side, power spectra with the missing wedge."""
from typing import Any, Callable, Dict, List

import numpy as np
from pyworkflow.protocol.params import EnumParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.core.report.restoration import draw_before_after, draw_radial, draw_sections, names_of, tilt_range_of
from cryoetseg.protocols import (
    ProtCryoEtSegConvertDual,
    ProtCryoEtSegDenoiseDual,
    ProtCryoEtSegFillWedge,
    ProtCryoEtSegSimulateDual,
)

from .slice_browser import FigureView
from .slice_stack import openArray


class CryoEtSegDualViewer(ProtocolViewer):
    """What went in and what came out, tomogram by tomogram."""

    _label = "Before and after"
    _targets = [ProtCryoEtSegDenoiseDual, ProtCryoEtSegSimulateDual, ProtCryoEtSegConvertDual, ProtCryoEtSegFillWedge]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        names = sorted(self.protocol.getBeforeAndAfter()) or ["none is finished"]
        form.addSection(label="Before and after")
        form.addParam("tomogram", EnumParam, choices=names, default=0, label="Tomogram")
        form.addParam("showSlices", LabelParam, label="Slices side by side at the same contrast")
        form.addParam("showSections", LabelParam, label="Power spectra, section through kz and kx",
                      help="Lines are the edges of the missing wedge, where the tilt range is known.")
        form.addParam("showRadial", LabelParam, label="Radial power spectra")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showSlices": self._slices, "showSections": self._sections, "showRadial": self._radial}

    def volumes(self) -> Dict[str, np.ndarray]:
        """The chosen tomogram before and after, by what they are called; empty before any is finished."""
        files = self.protocol.getBeforeAndAfter()
        if not files:
            return {}
        chosen = sorted(files)[self.tomogram.get() or 0]
        return {name: openArray(path) for name, path in zip(names_of(self.protocol._method), files[chosen])}

    def _slices(self, paramName: str = "") -> List[View]:
        return self._shown(lambda figure, volumes: draw_before_after(figure, volumes, self._samplingRate()), (11, 9))

    def _sections(self, paramName: str = "") -> List[View]:
        return self._shown(lambda figure, volumes: draw_sections(figure, volumes, self._tiltRange()), (11, 5.5))

    def _radial(self, paramName: str = "") -> List[View]:
        return self._shown(lambda figure, volumes: draw_radial(figure.subplots(), volumes, self._samplingRate()), (7, 5))

    def _shown(self, draw: Callable[[Any, Dict[str, np.ndarray]], None], size: Any) -> List[View]:
        volumes = self.volumes()
        if not volumes:
            return [self.infoMessage("No tomogram is finished yet.", "Nothing to show")]
        view = FigureView(windowTitle=self._label, figsize=size)
        draw(view.figure, volumes)
        view.figure.tight_layout()
        return [view]

    def _samplingRate(self) -> float:
        return float(self.protocol.inTomos.get().getSamplingRate())

    def _tiltRange(self) -> Any:
        """Of the run's own parameters, else of the tomograms' acquisition."""
        if hasattr(self.protocol, "tiltMin"):
            return tilt_range_of({"tilt_min": self.protocol.tiltMin.get(), "tilt_max": self.protocol.tiltMax.get()})
        acquisition = self.protocol.inTomos.get().getAcquisition()
        if acquisition is None:
            return None
        return tilt_range_of({"tilt_min": acquisition.getAngleMin(), "tilt_max": acquisition.getAngleMax()})
