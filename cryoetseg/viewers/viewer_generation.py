"""Generated particles beside those the model was trained on, and their spectra."""
import os
from typing import Any, Callable, Dict, List, Optional

import numpy as np
from pyworkflow.protocol.params import IntParam, LabelParam
from pyworkflow.viewer import DESKTOP_TKINTER, ProtocolViewer, View

from cryoetseg.core.generation.comparison import radial_power
from cryoetseg.core.report.generation import draw_montage, draw_spectra, montage_size
from cryoetseg.core.volumes.contrast import particles_bright
from cryoetseg.core.volumes.io import read_volume
from cryoetseg.protocols import ProtCryoEtSegGenerateParticles

from .slice_browser import FigureView

EXAMPLES = "examples.npz"
MOST_FOR_SPECTRA = 64


class CryoEtSegGenerationViewer(ProtocolViewer):
    """Three planes of generated and real particles by class, and the power of both over frequency."""

    _label = "Generated particles"
    _targets = [ProtCryoEtSegGenerateParticles]
    _environments = [DESKTOP_TKINTER]

    def _defineParams(self, form: Any) -> None:
        form.addSection(label="Generated particles")
        form.addParam("first", IntParam, default=1, label="Show from number", help="Two of each class are shown, from this one on.")
        form.addParam("showMontage", LabelParam, label="Planes by class, beside real particles")
        form.addParam("showSpectra", LabelParam, label="Power over frequency, beside real particles")

    def _getVisualizeDict(self) -> Dict[str, Callable[..., List[View]]]:
        return {"showMontage": self._montage, "showSpectra": self._spectra}

    def cubes(self, first: int, count: int) -> Dict[str, List[np.ndarray]]:
        """Up to ``count`` generated cubes of each class from number ``first`` (1 is the first), particles bright."""
        record = self.protocol.getRecord()
        folder = os.path.dirname(self.protocol.getListFile())
        files: Dict[str, List[str]] = {}
        for row in record["subtomograms"]:
            files.setdefault(row["class"], []).append(os.path.join(folder, row["file"]))
        return {name: [particles_bright(read_volume(path)[0], record["contrast"]) for path in paths[first - 1 : first - 1 + count]]
                for name, paths in files.items()}

    def real(self) -> Optional[Dict[str, Any]]:
        """Real cubes and power by class that the training left beside its model; None for a model from elsewhere."""
        path = os.path.join(os.path.dirname(self.protocol.inModel.get().getPath()), EXAMPLES)
        if not os.path.exists(path):
            return None
        with np.load(path) as arrays:
            classes = arrays["classes"].tolist()
            return {key: dict(zip(classes, arrays[key].astype(np.float32))) for key in ("cubes", "power")}

    def _montage(self, paramName: str = "") -> List[View]:
        made, real = self.cubes(max(1, self.first.get()), 2), self.real()
        if not all(made.values()):
            return [self.infoMessage("There are fewer subtomograms of each class than this number.", "Nothing to show")]
        columns = {f"generated {number + 1}": [cubes[number] for cubes in made.values()] for number in range(min(map(len, made.values())))}
        for number in range(2 if real else 0):
            columns[f"real {number + 1}"] = [real["cubes"][name][number] for name in made]
        view = FigureView(windowTitle="Generated particles", figsize=montage_size(len(made), len(columns)))
        draw_montage(view.figure, list(made), columns)
        return [view]

    def _spectra(self, paramName: str = "") -> List[View]:
        made, real = self.cubes(1, MOST_FOR_SPECTRA), self.real()
        spectra = {name: (radial_power(np.stack(cubes)), real["power"][name] if real else None) for name, cubes in made.items()}
        view = FigureView(windowTitle="Power over frequency", figsize=(9, 2.6 * -(-len(spectra) // 3)))
        draw_spectra(view.figure, spectra, self.protocol.getRecord()["voxel_size"])
        view.figure.subplots_adjust(left=0.08, right=0.98, bottom=0.14, top=0.92, hspace=0.4)
        return [view]
