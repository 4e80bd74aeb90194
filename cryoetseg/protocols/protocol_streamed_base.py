"""What protocols share that work tomogram by tomogram: they follow a set that still grows, and end when it is closed."""
import logging
import os
import time
from datetime import datetime
from subprocess import SubprocessError
from tempfile import TemporaryDirectory
from typing import Any, Dict, List, Optional, Set

from pyworkflow.protocol import ProtStreamingBase
from pyworkflow.utils import cyanStr

from cryoetseg._plugin import Plugin
from cryoetseg.core.runtime.errors import CryoetsegError
from cryoetseg.core.runtime.job import JOB_FILE, write_job

from .protocol_tomograms_base import ProtCryoEtSegTomogramsBase
from .run_times import Estimate, remember
from .slice_ranges import END, FIRST_ATTRIBUTE, START, isPercent, isWhole, rangeErrors, rangeOf

logger = logging.getLogger(__name__)
POLL_SECONDS = 10.0  # between two looks at an open set
LEAST_THREADS = 3  # Scipion's own, the one that waits for tomograms, and one that works


class ProtCryoEtSegStreamedBase(ProtCryoEtSegTomogramsBase, ProtStreamingBase):
    """Base of the protocols with one job a tomogram.

    A closed set is worked through as it is, with any number of threads. An open one is followed: a tomogram is worked on when it arrives,
    and its results are there for what follows, which may be scheduled already.
    """

    _followsInput = True

    @classmethod
    def isBase(cls) -> bool:
        """Keeps the base class out of Scipion's menu."""
        return cls is ProtCryoEtSegStreamedBase

    @classmethod
    def worksInStreaming(cls) -> bool:
        """Whether Scipion may launch this on a set that still grows."""
        return cls._followsInput

    # --------------------------- range of slices ---------------------------
    def _getParameters(self, tsId: str) -> Dict[str, Any]:
        """Those of the form; a range in percent becomes that of the tomogram."""
        values = super()._getParameters(tsId)
        if isPercent(self):
            values[START], values[END] = rangeOf(self, self._tomograms()[tsId].getDim()[2])
        return values

    def _validateInputs(self) -> List[str]:
        errors = super()._validateInputs()
        if errors or self.inTomos.get() is None or not hasattr(self, FIRST_ATTRIBUTE) or isWhole(self):
            return errors
        return rangeErrors(self, {tsId: tomogram.getDim()[2] for tsId, tomogram in self._tomograms().items()})

    # --------------------------- steps -------------------------------------
    def _insertAllSteps(self) -> None:
        if self._followsInput and self.inTomos.get().isStreamOpen():
            self._forgetFailures()
            self._insertFunctionStep(self.resumableStepGeneratorStep, str(datetime.now()), needsGPU=False)
        else:
            super()._insertAllSteps()

    def stepsGeneratorStep(self) -> None:
        """Insert the steps of every tomogram as it arrives, and the last one when the set is closed; called by Scipion."""
        known: Set[str] = set()
        registered: List[int] = []
        while True:
            isOpen = self._lookAgain()
            for tsId in sorted(set(self._getItemIds()) - known):
                known.add(tsId)
                registered.append(self._insertItem(tsId))
                logger.info(cyanStr(f"tsId = {tsId} has arrived"))
            if not isOpen:
                break
            time.sleep(POLL_SECONDS)
        self._insertFunctionStep(self.closeOutputSetsStep, prerequisites=registered, needsGPU=False)

    def _lookAgain(self) -> bool:
        """Read the input set anew; whether it was open before its tomograms were read, so that none of a closed one is missed."""
        with self._lock:
            tomograms = self.inTomos.get()
            tomograms.loadAllProperties()
            self.__dict__.pop("_tomogramsById", None)
            isOpen = bool(tomograms.isStreamOpen())
            self._tomograms()
        return isOpen

    def _insertItem(self, tsId: str) -> int:
        """The steps of one tomogram; what an earlier launch has finished is only registered."""
        done = [] if self._hasResult(tsId) else [
            self._insertFunctionStep(self.runCoreStep, tsId, prerequisites=[], needsGPU=self.usesGpu())]
        return int(self._insertFunctionStep(self.createOutputStep, tsId, prerequisites=done, needsGPU=False))

    # --------------------------- information -------------------------------
    def _probed(self) -> Optional[Estimate]:
        """Run the program on pieces of the first tomogram until one takes two seconds; None where it does not run."""
        names = sorted(self._getItemIds())
        if not names or not self._workOf(names[0]):
            return None
        with TemporaryDirectory() as folder:
            job = os.path.join(folder, JOB_FILE)
            try:
                write_job(job, self._makeJob(names[0]))
                found = Plugin.probe(job, self.getBinThreads())
            except (CryoetsegError, OSError, ValueError, SubprocessError) as error:
                logger.info(f"how long a run takes could not be tried: {error}")
                return None
        remember(self._kind(), found["voxels"], found["seconds"], isProbe=True)
        return self.getEstimate()

    def _validateLaunch(self) -> List[str]:
        return super()._validateLaunch() + self._threadErrors()

    def _threadErrors(self) -> List[str]:
        tomograms, threads = self.inTomos.get(), self.numberOfThreads.get()
        if tomograms is None or not tomograms.isStreamOpen() or threads >= LEAST_THREADS:
            return []
        return [f"*Tomograms* still grows, and *Threads* = {threads}. Allowed for a growing set: {LEAST_THREADS} or more, one of which "
                "waits for tomograms. What to do: set more threads, or wait until the set is complete."]
