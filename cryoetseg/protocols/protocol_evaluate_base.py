"""What the evaluations share: a result, a truth, scores for each tomogram and their means as outputs of the run."""
from typing import Any, Dict, List

from pyworkflow.object import Float
from pyworkflow.protocol import Form
from pyworkflow.utils import Message

from cryoetseg.core.runtime.job import Result

from .form_builder import addFields
from .input_checks import checkIds
from .protocol_base import ProtCryoEtSegBase
from .protocol_tomograms_base import counted
from .slice_ranges import rangeErrors

OUTPUT_PREFIX = "score"


class ProtCryoEtSegEvaluateBase(ProtCryoEtSegBase):
    """Base of the evaluations. Scores lie in each tomogram's ``result.json``; their means are outputs of the run."""

    # scores that a user looks at first, by their names in result.json, with the label in the summary
    _mainScores: Dict[str, str] = {}

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegEvaluateBase

    def _defineParams(self, form: Form) -> None:
        form.addSection(label=Message.LABEL_INPUT)
        self._addInputs(form)
        addFields(form.addGroup("Comparison"), self._model, self._model.model_fields)
        self._addParallel(form)

    def _addInputs(self, form: Form) -> None:
        raise TypeError(f"{self.getClassName()} must say what it compares")

    # --------------------------- outputs -----------------------------------
    def _registerEnd(self, finished: List[str]) -> None:
        means = self.getMeanScores()
        self._defineOutputs(**{outputName(name): Float(means[name]) for name in self._mainScores if name in means})

    def getScores(self) -> Dict[str, Dict[str, Any]]:
        """All scores of every finished tomogram, by tilt-series id."""
        return {tsId: self._readResult(tsId).metrics for tsId in self._getFinishedIds()}

    def getMainScores(self) -> Dict[str, Dict[str, float]]:
        """The main scores of every finished tomogram, by tilt-series id and label; those without a value are left out."""
        return {tsId: {label: float(scores[name]) for name, label in self._mainScores.items() if isNumber(scores.get(name))}
                for tsId, scores in self.getScores().items()}

    def getMeanScores(self) -> Dict[str, float]:
        """Means over the tomograms of all scores that are single numbers."""
        columns: Dict[str, List[float]] = {}
        for scores in self.getScores().values():
            for name, value in scores.items():
                if isNumber(value):
                    columns.setdefault(name, []).append(float(value))
        return {name: sum(values) / len(values) for name, values in columns.items()}

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        errors = checkIds(self.predicted, "Result") + checkIds(self.truth, "Truth")
        if errors or self.predicted.get() is None or self.truth.get() is None:
            return errors
        if self.predicted.get().getObjId() == self.truth.get().getObjId():
            return ["*Result* and *Truth* are the same set, which would score 1 whatever is in it. Allowed: two sets. What to do: choose "
                    "as truth what was simulated, or picked or drawn by hand."]
        if not self._getItemIds():
            return ["*Result* and *Truth* have no tilt-series id in common. What to do: choose sets that come from the same tomograms."]
        return rangeErrors(self, {})

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        means = self.getMeanScores()
        shown = ", ".join(f"{label} *{means[name]:.3f}*" for name, label in self._mainScores.items() if name in means)
        lines = [f"Mean of {counted(len(results), 'tomogram', '')}: {shown}."]
        for tsId, scores in sorted(self.getMainScores().items()):
            lines.append(f"{tsId}: " + ", ".join(f"{label} {value:.3f}" for label, value in scores.items()))
        lines += [f"{tsId}: {warning}" for tsId, result in results.items() for warning in result.warnings]
        return lines


def outputName(score: str) -> str:
    """``surface_dice`` -> ``scoreSurfaceDice``; the prefix keeps scores apart from the form's parameters."""
    return OUTPUT_PREFIX + "".join(part.capitalize() for part in score.split("_"))


def isNumber(value: Any) -> bool:
    """Whether a score is a single number, as against a table, a text or none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
