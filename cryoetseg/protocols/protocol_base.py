"""What every protocol of the package shares: one job a tomogram, run by the core as a program, its result registered once."""
import logging
import os
import time
from typing import Any, Callable, Dict, Iterable, List, Sequence, Type

from pwem.objects import EMSet
from pwem.protocols import EMProtocol
from pyworkflow import BETA
from pyworkflow.object import Pointer, Set
from pyworkflow.protocol import (
    GPU_LIST,
    LEVEL_ADVANCED,
    MODE_RESUME,
    STEPS_PARALLEL,
    USE_GPU,
    BooleanParam,
    EnumParam,
    Form,
    IntParam,
    StringParam,
)
from pyworkflow.utils import cyanStr

from cryoetseg._plugin import Plugin
from cryoetseg.convert import tsIdsOf
from cryoetseg.core.runtime.errors import CryoetsegError, JobError
from cryoetseg.core.runtime.job import JOB_FILE, RESULT_FILE, InputFile, Job, Result, read_job, read_result, write_job
from cryoetseg.core.runtime.params import Parameters, parameters_from
from cryoetseg.core.runtime.temporary import remove_parts

from .form_builder import parametersOf, presetValues
from .input_checks import Writers, hasOtherContent
from .item_failures import ItemFailures
from .launch_checks import gpuErrors, precisionErrors
from .run_times import RunTimes

logger = logging.getLogger(__name__)
CONTRASTS = ("dark", "bright")


class ProtCryoEtSegBase(ItemFailures, RunTimes, EMProtocol):
    """Base of the protocols: form helpers, the three steps, checks. A protocol names its method and its parameter model.

    Every tomogram has a folder ``extra/<tsId>`` with ``job.json``, ``result.json`` and the files of its result.
    """

    _devStatus = BETA
    _method = ""
    _model: Type[Parameters] = Parameters
    # at class level: pyworkflow reads it before __init__ has run
    stepsExecutionMode = STEPS_PARALLEL

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegBase

    # --------------------------- form --------------------------------------
    def _addContrast(self, form: Form) -> None:
        form.addParam("contrast", EnumParam, choices=["dark", "bright"], default=0, display=EnumParam.DISPLAY_HLIST,
                      label="Particles look", help="Dark on a bright ground, as most reconstructions, or bright on a dark ground.")

    def _addSeed(self, form: Form) -> None:
        form.addParam("seed", IntParam, default=0, expertLevel=LEVEL_ADVANCED, label="Random seed",
                      help="The same seed, input and parameters give the same result.")

    def _addGpu(self, form: Form) -> None:
        form.addHidden(USE_GPU, BooleanParam, default=Plugin.hasGpu(), label="Use GPU?",
                       help="Without a GPU everything runs on the processor, slower.")
        form.addHidden(GPU_LIST, StringParam, default="0", label="GPU IDs",
                       help="Numbers of the GPUs, separated by spaces. With as many Scipion threads plus one, each takes a tomogram.")

    def _addParallel(self, form: Form) -> None:
        form.addParallelSection(threads=1, mpi=0, binThreads=os.cpu_count() or 1,
                                binThreadsHelp="Processor cores that the program uses for one tomogram.")

    def presetValues(self, preset: str) -> Dict[str, Any]:
        """What the form shows with a preset, by attribute, of all that has a published value."""
        return presetValues(self._model, preset)

    # --------------------------- steps -------------------------------------
    def _insertAllSteps(self) -> None:
        remove_parts(self._getExtraPath())
        self._forgetFailures()
        registered = []
        # sorted, because Continue compares the n-th step of now with the n-th of before
        for tsId in sorted(self._getItemIds()):
            done = self._insertFunctionStep(self.runCoreStep, tsId, prerequisites=[], needsGPU=self.usesGpu())
            registered.append(self._insertFunctionStep(self.createOutputStep, tsId, prerequisites=[done], needsGPU=False))
        self._insertFunctionStep(self.closeOutputSetsStep, prerequisites=registered, needsGPU=False)

    def runCoreStep(self, tsId: str) -> List[str]:
        """Write the job of one tomogram and run it; a tomogram that fails does not stop the others."""
        jobFile = self._getItemFile(tsId, JOB_FILE)
        try:
            with self._lock:  # one walk of an input set at a time
                self._writeInputs(tsId)
                write_job(jobFile, self._makeJob(tsId))
            self._forgetFailure(tsId)
            begin = time.monotonic()
            Plugin.runCore(self, jobFile)
            self._rememberRun(tsId, time.monotonic() - begin)
        except Exception as error:  # whatever goes wrong with one item is told, and the others go on
            self._noteFailure(tsId, error)
            logger.error(f"tsId = {tsId} failed; the reason is above, in run.stderr", exc_info=error)
        return [jobFile]

    def _rememberRun(self, tsId: str, seconds: float) -> None:
        """For later estimates; a job that was done already, which took no time, tells nothing."""
        if self._hasResult(tsId) and seconds >= self._readResult(tsId).seconds:
            with self._lock:
                self._rememberTime(tsId, seconds)

    def createOutputStep(self, tsId: str) -> List[str]:
        """Register the files of one finished tomogram in the output sets."""
        if self._hasResult(tsId):
            with self._lock:
                self._registerResult(tsId, self._readResult(tsId))
            logger.info(cyanStr(f"tsId = {tsId}: results registered"))
        return [self._getItemFile(tsId, JOB_FILE)]

    def closeOutputSetsStep(self) -> List[str]:
        """Close the output sets; raises when no item at all has a result."""
        finished = self._getFinishedIds()
        if not finished:
            count = len(self._getItemIds())
            raise JobError(f"none of {count} items was finished. {self._failureReasons()}",
                           advice="correct that, then continue; all of it is in run.stderr")
        for tsId in finished:
            # again, since Scipion forgets outputs of a killed run that its window had not noticed yet; what is there stays as it is
            self._registerResult(tsId, self._readResult(tsId))
        self._registerEnd(finished)
        self._closeOutputSet()
        return [self._getItemFile(tsId, JOB_FILE) for tsId in self._getItemIds()]

    def _runSteps(self, doneSteps: int) -> None:
        """Run the steps, and fail the run where pyworkflow forgot to.

        With threads, its executor can end without reading a last step that failed and call the run finished. Here its threads
        are joined, so what the steps say is final.
        """
        super()._runSteps(doneSteps)
        failed = [step for step in self._steps if step.isFailed()]
        if failed and not self.isFailed():
            self.setFailed(failed[0].getErrorMessage())
            self._store(self.status)

    # --------------------------- what a protocol says ----------------------
    def _getItemIds(self) -> List[str]:
        """Ids of the tomograms of this run; one job each."""
        raise TypeError(f"{self.getClassName()} must say which items it works on")

    def _getInputs(self, tsId: str) -> List[InputFile]:
        """Input files of one tomogram's job."""
        return []

    def _writeInputs(self, tsId: str) -> None:
        """Write those input files of one tomogram's job that do not exist as files yet."""

    def _getParameters(self, tsId: str) -> Dict[str, Any]:
        """Parameters of one tomogram's job, from the form."""
        return parametersOf(self, self._model)

    def _getSeed(self, tsId: str) -> int:
        return int(self.seed.get()) if hasattr(self, "seed") else 0

    def _registerResult(self, tsId: str, result: Result) -> None:
        """Add what one tomogram gave to the output sets."""

    def _registerEnd(self, finished: List[str]) -> None:
        """Called once, when all tomograms are through."""

    # --------------------------- files and sets ----------------------------
    def _makeJob(self, tsId: str) -> Job:
        return Job(method=self._method, parameters=self._getParameters(tsId), inputs=self._getInputs(tsId),
                   output_folder=self._getItemFile(tsId), seed=self._getSeed(tsId), device="cuda" if self.usesGpu() else "cpu")

    def _getItemFile(self, tsId: str, *names: str) -> str:
        return self._getExtraPath(tsId, *names)

    def _readResult(self, tsId: str) -> Result:
        return read_result(self._getItemFile(tsId, RESULT_FILE))

    def getResultFiles(self) -> Dict[str, str]:
        """The ``result.json`` of every finished tomogram, by tilt-series id; relative to the project's folder."""
        return {tsId: self._getItemFile(tsId, RESULT_FILE) for tsId in self._getFinishedIds()}

    def _getFinishedIds(self) -> List[str]:
        return [tsId for tsId in sorted(self._getItemIds()) if self._hasResult(tsId)]

    def _getOutputFile(self, tsId: str, result: Result, kind: str) -> str:
        """File of the first output of a kind; raises :class:`JobError` where the core made none."""
        outputs = result.outputs_of(kind)
        if not outputs:
            raise JobError(f"the result of {tsId} holds no {kind}", advice="restart the run")
        return self._getItemFile(tsId, outputs[0].path)

    def _extendOutput(self, name: str, create: Callable[[], EMSet], tsId: str, items: Iterable[Any], sources: Sequence[Pointer]) -> None:
        """Append the items of one tomogram to an output set, made at its first item.

        A run killed between "stored" and "step finished" comes here a second time: what is in the set already is not added again.
        """
        outputSet = getattr(self, name, None)
        isNew = outputSet is None
        if isNew:
            items = list(items)
            if not items:  # Scipion cannot read back a set that never had an item
                return
            outputSet = create()
        else:
            outputSet.enableAppend()
            if tsId in tsIdsOf(outputSet):
                self._store(outputSet)
                return
        for item in items:
            outputSet.append(item)
        outputSet.setStreamState(Set.STREAM_OPEN)
        outputSet.write()
        if isNew:
            self._defineOutputs(**{name: outputSet})
            for source in sources:
                self._defineSourceRelation(source, outputSet)
        self._store(outputSet)

    def _outputPointer(self, name: str) -> Pointer:
        """A pointer to an output of this run, to be stored in another output of it."""
        return Pointer(self, extended=name)

    # --------------------------- information -------------------------------
    def _validate(self) -> List[str]:
        errors = self._validateInputs()
        try:
            parameters_from(self._model, parametersOf(self, self._model))
        except CryoetsegError as error:
            errors.append(str(error))
        return errors or self._validateLaunch() or self._validateContinue()

    def _validateInputs(self) -> List[str]:
        return []

    def _validateLaunch(self) -> List[str]:
        """What this machine lacks for the chosen parameters, which would only show after the launch."""
        return gpuErrors(self) + precisionErrors(self, parametersOf(self, self._model))

    def _validateContinue(self) -> List[str]:
        """Continue keeps finished tomograms, so their parameters may not change under them."""
        if self.getRunMode() != MODE_RESUME or not self.workingDir.hasValue():
            return []
        changed = [tsId for tsId in self._getFinishedIds() if self._hasOtherJob(tsId)]
        if not changed:
            return []
        return [f"Input or parameters changed since {', '.join(changed[:5])} was done. Allowed when continuing: the same ones. "
                "What to do: choose Restart, or copy the run."]

    def _hasOtherJob(self, tsId: str) -> bool:
        try:
            before, now = read_job(self._getItemFile(tsId, JOB_FILE)), self._makeJob(tsId)
        except JobError:
            return True
        return (before.parameters, before.inputs, before.seed) != (now.parameters, now.inputs, now.seed) or self._hasOtherData(tsId)

    def _hasOtherData(self, tsId: str) -> bool:
        """Whether an input file is not the one that was worked on, as after a restart of the run that made it."""
        known = self._readResult(tsId).sha256 if self._hasResult(tsId) else {}
        return hasOtherContent(known, [item.path for item in self._getInputs(tsId)], self._wantedLists(tsId))

    def _wantedLists(self, tsId: str) -> Writers:
        """The input files that :meth:`_writeInputs` makes, each with what writes it under another name."""
        return {}

    def _summary(self) -> List[str]:
        if not (self.isFinished() or self.isFailed() or self.isAborted()):
            return ["Output is not ready yet.", *self._estimateLines(), *filter(None, [self.getProgress()])]
        finished = self._getFinishedIds()
        failed = sorted(set(self._getItemIds()) - set(finished))
        lines = self._summarise({tsId: self._readResult(tsId) for tsId in finished}) if finished else []
        return lines + self._failureLines(failed)

    def _summarise(self, results: Dict[str, Result]) -> List[str]:
        """Lines of the summary from the results by tilt-series id."""
        return []


def evenBox(length: float, samplingRate: float) -> int:
    """Smallest even number of voxels that holds ``length`` Angstrom."""
    return 2 * max(1, -int(-length // (2 * samplingRate)))
