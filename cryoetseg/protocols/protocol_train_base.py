"""What the trainings share: one job of all labelled tomograms, which goes on where it stopped, and a model as output."""
import os
from functools import partial
from typing import Any, Dict, List

from pyworkflow.object import Pointer
from pyworkflow.protocol import Form
from pyworkflow.utils import Message

from cryoetseg.convert import tsIdsOf
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.job import JOB_FILE, RESULT_FILE, InputFile, Job, Result, read_job
from cryoetseg.core.training.params import FREE_ON_RESUME
from cryoetseg.model_folder import metricTables
from cryoetseg.objects import CryoEtSegModel

from .form_builder import addGroups, addPreset, fieldsByBase, parametersOf
from .input_checks import Writers
from .methods_text import otherThanPublished
from .protocol_tomograms_base import ProtCryoEtSegTomogramsBase, counted, listed, tellingWarnings
from .slice_ranges import FIRST_ATTRIBUTE, rangeErrors
from .training_labels import TrainingLabels

MODEL = "model"
TRAINING = "training"  # the one item of a training, and the folder of its checkpoints
COSTLY = ("patch_px", "crop_px", "size", "width", "channels", "taught_by")  # parameters that the time of one patch depends on
LOOP_GROUP = "Training"  # label of the group of parameters that all trainings share


class ProtCryoEtSegTrainBase(ProtCryoEtSegTomogramsBase):
    """Base of the trainings. Tomograms and labels are joined by their tilt-series id; tomograms without labels are left out.

    *Continue* goes on from the last checkpoint after an interruption or a time limit, and also with more epochs or steps.
    """

    _possibleOutputs = {MODEL: CryoEtSegModel}
    _inputHelp = "Tomograms to learn from. Those without labels are left out."

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegTrainBase

    # --------------------------- form --------------------------------------
    def _defineParams(self, form: Form) -> None:
        groups = fieldsByBase(self._model)
        form.addSection(label=Message.LABEL_INPUT)
        self._addTomograms(form)
        self._addLabels(form)
        addPreset(form, self._model)
        addGroups(form, self._model, [("Labels and network", names) for title, names in groups if title != LOOP_GROUP])
        form.addSection(label=LOOP_GROUP)
        addGroups(form, self._model, [("Length, speed, care", names) for title, names in groups if title == LOOP_GROUP])
        self._addSeed(form)
        self._addGpu(form)
        form.addParallelSection(threads=1, mpi=0, binThreads=os.cpu_count() or 1,
                                binThreadsHelp="Processor cores of the training. It is one step on one GPU, the first of those named.")

    def _addLabels(self, form: Form) -> None:
        raise TypeError(f"{self.getClassName()} must say which labels it learns from")

    def _labels(self) -> TrainingLabels:
        """The chosen labels; a new object at each call, as the form may have changed."""
        raise TypeError(f"{self.getClassName()} must say which labels it learns from")

    # --------------------------- jobs --------------------------------------
    def _getItemIds(self) -> List[str]:
        return [TRAINING]

    def getTrainingIds(self) -> List[str]:
        """Tilt-series ids of the tomograms that have labels."""
        return sorted(set(tsIdsOf(self.inTomos.get())) & set(self._labels().tsIds()))

    def _getInputs(self, tsId: str) -> List[InputFile]:
        labels = self._labels()
        return [file for name in self.getTrainingIds()
                for file in (self._tomogramFile(name), labels.inputFile(self._tomograms()[name], self._getItemFile(TRAINING)))]

    def _writeInputs(self, tsId: str) -> None:
        labels = self._labels()
        for name in self.getTrainingIds():
            labels.write(self._tomograms()[name], self._getItemFile(TRAINING))

    # --------------------------- going on ----------------------------------
    def _forgetFailures(self) -> None:
        """Besides what failed, forget a training that is finished but shall go on: its checkpoints stay."""
        super()._forgetFailures()
        if self._goesOn():
            for name in (RESULT_FILE, JOB_FILE):
                os.remove(self._getItemFile(TRAINING, name))

    def _goesOn(self) -> bool:
        if not self._hasResult(TRAINING) or not os.path.exists(self._getItemFile(TRAINING, JOB_FILE)):
            return False
        limited = self._readResult(TRAINING).metrics.get("ended_by") == "time limit"
        return limited or _lengths(read_job(self._getItemFile(TRAINING, JOB_FILE))) != _lengths(self._makeJob(TRAINING))

    def _hasOtherJob(self, tsId: str) -> bool:
        """Whether something changed that a training cannot go on with; its length may change."""
        try:
            before, now = read_job(self._getItemFile(tsId, JOB_FILE)), self._makeJob(tsId)
        except JobError:
            return True
        return (_shaping(before), before.inputs, before.seed) != (_shaping(now), now.inputs, now.seed) or self._hasOtherData(tsId)

    def _wantedLists(self, tsId: str) -> Writers:
        labels, folder = self._labels(), self._getItemFile(TRAINING)
        tomograms = [self._tomograms()[name] for name in self.getTrainingIds()]
        return {labels.inputFile(tomogram, folder).path: partial(labels.writeTo, tomogram) for tomogram in tomograms if labels.isWritten}

    # --------------------------- outputs -----------------------------------
    def _registerResult(self, tsId: str, result: Result) -> None:
        model = CryoEtSegModel.fromFolder(self._getOutputFile(tsId, result, "model"))
        if hasattr(self, MODEL):  # the training went on: what is chained to the model stays chained
            self.model.copy(model, copyId=False)
            self._store(self.model)
            return
        self._defineOutputs(**{MODEL: model})
        for source in self._sources():
            self._defineSourceRelation(source, model)

    def _sources(self) -> List[Pointer]:
        return [self.inTomos, self._labels().pointer]

    def _workOf(self, tsId: str) -> float:
        """Patches that are learned from; unknown before where epochs count."""
        values = parametersOf(self, self._model)
        return float(values.get("iterations", 0) * values.get("batch_size", 0))

    def _kindOfWork(self) -> str:
        values = parametersOf(self, self._model)
        return ", ".join([self._method, *(f"{name} {values[name]}" for name in COSTLY if name in values)])

    def getMetricFiles(self) -> List[str]:
        """The tables of losses and validations so far, one for each round of the training; also while it runs."""
        return metricTables(self._getItemFile(TRAINING, TRAINING))

    # --------------------------- information -------------------------------
    def _validateInputs(self) -> List[str]:
        labels = self._labels()
        errors = super()._validateInputs() + labels.validateSet()
        if errors or self.inTomos.get() is None or labels.pointer.get() is None:
            return errors
        names = self.getTrainingIds()
        if not names:
            return [f"*Tomograms* and *{labels.label}* have no tilt-series id in common: {listed(tsIdsOf(self.inTomos.get()))} against "
                    f"{listed(labels.tsIds())}. What to do: choose labels of these tomograms, or import them with the same ids."]
        tomograms = {name: self._tomograms()[name] for name in names}
        hasRange = hasattr(self, FIRST_ATTRIBUTE)
        heights = {name: tomogram.getDim()[2] for name, tomogram in tomograms.items()}
        return labels.validate(list(tomograms.values())) + (rangeErrors(self, heights) if hasRange else [])

    def _summary(self) -> List[str]:
        if self.isFinished() or self._hasResult(TRAINING):
            return super()._summary()
        return [*super()._summary(), "*Analyze Results* shows the training curve while it grows."]

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        metrics = results[TRAINING].metrics
        left = len(tsIdsOf(self.inTomos.get())) - len(self.getTrainingIds())
        lines = [f"{counted(metrics.get('steps', 0), 'step')} on {counted(len(self.getTrainingIds()), 'tomogram')} in "
                 f"{results[TRAINING].seconds / 60:.1f} minutes" + (f"; {left} without labels were left out." if left else ".")]
        if metrics.get("best_value") is not None:
            lines.append(f"Best validation *{metrics['best_value']:.4g}* after {metrics.get('best_step')} steps.")
        if metrics.get("ended_by") == "time limit":
            lines.append("The time limit ended it; *Continue* goes on from there.")
        if hasattr(self, MODEL):
            lines.append(f"Model: {self.model.describe()}.")
        return lines + tellingWarnings(results)

    def _methodsOf(self, network: str, labels: str) -> List[str]:
        if not hasattr(self, MODEL):
            return []
        steps, parameters = self._readResult(TRAINING).metrics.get("steps", 0), self._getParameters(TRAINING)
        tomograms = counted(len(self.getTrainingIds()), "tomogram", "")
        return [f"{network} was trained for {steps} steps on {tomograms} with {labels} "
                f"(learning rate {parameters['learning_rate']:g}, batch size {parameters['batch_size']}, seed {self.seed.get()}).",
                *otherThanPublished(self._model, parameters)]


def _shaping(job: Job) -> Dict[str, Any]:
    """The parameters that shape the weights."""
    return {name: value for name, value in job.parameters.items() if name not in FREE_ON_RESUME}


def _lengths(job: Job) -> List[Any]:
    """How long a job trains; a time limit is not compared, as what it ended is told by the result."""
    return [job.parameters.get(name) for name in ("epochs", "iterations", "rounds")]
