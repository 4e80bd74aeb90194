"""Particle positions against the truth."""
import csv
import os
import re
from functools import partial
from typing import Dict, List, Set

from pyworkflow.object import Float
from pyworkflow.protocol import Form, PointerParam, StringParam
from tomo.objects import SetOfCoordinates3D

from cryoetseg.constants import EVALUATE_PICKING
from cryoetseg.convert import Particle, byTsId, particlesOf, tsIdsOf, writeParticles
from cryoetseg.core.metrics.params import EvaluatePickingParameters
from cryoetseg.core.runtime.job import InputFile

from .form_builder import byHand
from .input_checks import Writers
from .protocol_evaluate_base import ProtCryoEtSegEvaluateBase, outputName
from .protocol_tomograms_base import counted

MAIN_SCORES = {"f1": "F1", "precision": "precision", "recall": "recall", "mean_class_f1": "mean class F1"}
CURVE_FILE = "precision_recall.csv"
GROUPS = re.compile(r"\s*(\d+(\s*,\s*|\s+|\s*$))*")


class ProtCryoEtSegEvaluatePicking(ProtCryoEtSegEvaluateBase):
    """Compare particle positions with the truth: precision, recall and F1 by one-to-one matching within a radius.

    Result and truth are joined by their tilt-series id; the distance is counted in voxels of the truth's tomograms. A tomogram
    without a single candidate counts as one where everything was missed.

    The scores of each tomogram lie in its result.json; their means are outputs of the run. *Analyze Results* plots them.
    """

    _label = "evaluate picking"
    _method = EVALUATE_PICKING
    _model = EvaluatePickingParameters
    _mainScores = MAIN_SCORES
    _possibleOutputs = {outputName(name): Float for name in MAIN_SCORES}

    def _addInputs(self, form: Form) -> None:
        form.addParam("predicted", PointerParam, pointerClass="SetOfCoordinates3D", important=True, label="Result",
                      help="The coordinates to score.")
        form.addParam("truth", PointerParam, pointerClass=byHand("SetOfCoordinates3D"), important=True, label="Truth",
                      help="True coordinates in the same tomograms: simulated, or picked by hand.")
        form.addParam("truthGroups", StringParam, default="", allowsNull=True, label="Groups of the truth",
                      help="Numbers of the groups (classes) of the truth that count, separated by commas; empty takes all.")

    def _getItemIds(self) -> List[str]:
        predicted = self.predicted.get()
        searched = tsIdsOf(predicted.getPrecedents()) if predicted is not None else []
        return sorted(set(tsIdsOf(self.truth.get())) & set(searched))

    def _getGroups(self) -> Set[int]:
        return {int(number) for number in re.findall(r"\d+", self.truthGroups.get() or "")}

    def _getInputs(self, tsId: str) -> List[InputFile]:
        samplingRate = self.truth.get().getSamplingRate()
        return [InputFile(path=self._getListFile(tsId, role), role=role, voxel_size=samplingRate, tilt_series_id=tsId)
                for role in ("predicted", "truth")]

    def _getListFile(self, tsId: str, role: str) -> str:
        return self._getItemFile(tsId, f"{role}.star")

    def _writeInputs(self, tsId: str) -> None:
        for path, write in self._wantedLists(tsId).items():
            write(path)

    def _wantedLists(self, tsId: str) -> Writers:
        return {self._getListFile(tsId, role): partial(self._writeList, tsId, role) for role in ("predicted", "truth")}

    def _writeList(self, tsId: str, role: str, path: str) -> None:
        groups = self._getGroups()
        particles = self._particles((self.predicted if role == "predicted" else self.truth).get(), tsId)
        if role == "truth" and groups:
            particles = [item for item in particles if item.classId in groups]
        writeParticles(path, tsId, self.truth.get().getSamplingRate(), particles)

    def _particles(self, coordinates: SetOfCoordinates3D, tsId: str) -> List[Particle]:
        """The coordinates in one tomogram, in voxels of the truth."""
        tomogram = byTsId(coordinates.getPrecedents()).get(tsId)
        return particlesOf(coordinates, tomogram, self.truth.get().getSamplingRate()) if tomogram is not None else []

    def _validateInputs(self) -> List[str]:
        errors = super()._validateInputs()
        if not GROUPS.fullmatch(self.truthGroups.get() or ""):
            errors.append(f"*Groups of the truth* = {self.truthGroups.get()}. Allowed: numbers separated by commas, or nothing.")
        return errors

    def getCurves(self) -> Dict[str, Dict[str, List[float]]]:
        """Precision and recall over falling score, by tilt-series id; only of tomograms whose candidates have scores."""
        curves = {}
        for tsId in self._getFinishedIds():
            path = self._getItemFile(tsId, CURVE_FILE)
            if os.path.exists(path):
                with open(path, newline="", encoding="utf-8") as stream:
                    rows = list(csv.DictReader(stream))
                curves[tsId] = {name: [float(row[name]) for row in rows] for name in ("recall", "precision")}
        return curves

    def _methods(self) -> List[str]:
        means = self.getMeanScores()
        if not means:
            return []
        scores = ", ".join(f"{label} {means[name]:.3f}" for name, label in MAIN_SCORES.items() if name in means)
        return [f"Particle positions in {counted(len(self._getFinishedIds()), 'tomogram', '')} were matched one to one with the truth "
                f"within {self.radiusPx.get():g} voxels: {scores}."]
