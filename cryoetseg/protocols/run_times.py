"""How long a run will take, told before it is launched, from earlier runs on this machine; and how far a running one is."""
import json
import logging
import os
import re
from pathlib import Path
from statistics import median
from typing import Any, List, NamedTuple, Optional

from pyworkflow.protocol import Protocol

from cryoetseg.core.runtime.errors import CryoetsegError

logger = logging.getLogger(__name__)
FILE = "run_times.jsonl"  # in the user's cache: one line a finished job, over all projects
KEPT = 5  # latest runs of a kind that count
LONGEST_FILE = 1 << 20  # bytes; the older half of a longer one is dropped
LONG = 600.0  # seconds from which on a form asks before it launches
LOG_TAIL = 4096  # bytes of a log in which the latest progress is looked for
BAR = re.compile(r"([^\r\n|\x1b]+?):\s+(\d+)%\|[^|]*\|\s*\S+ \[[\d:]+<([\d:?]+)")
DONE = 100


class Estimate(NamedTuple):
    """Seconds that a run will take, and how many earlier ones say so; 0 where a probe says it."""

    seconds: float
    runs: int

    def words(self) -> str:
        """A line for a form."""
        told = "the last run of this kind tells" if self.runs == 1 else f"the last {self.runs} runs of this kind tell"
        return f"About *{inWords(self.seconds)}* in all on this machine, as {told if self.runs else 'a probe of some seconds tells'}."


def inWords(seconds: float) -> str:
    """``40 seconds``, ``7 minutes``, ``2.5 hours``: as exact as an estimate is."""
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def lastProgress(log: str) -> str:
    """The latest progress that a program wrote into its log, ``pick TS_1 40 %, 0:20 left``; empty where none is open."""
    if not os.path.isfile(log):
        return ""
    with open(log, "rb") as stream:
        stream.seek(max(0, os.path.getsize(log) - LOG_TAIL))
        bars = BAR.findall(stream.read().decode(errors="replace"))
    if not bars or int(bars[-1][1]) == DONE:
        return ""
    what, percent, left = bars[-1]
    return f"{what.strip()} {percent} %, {left} left"


def remember(kind: str, work: float, seconds: float, isProbe: bool = False) -> None:
    """Keep that ``work`` of a ``kind`` took so many seconds; a cache that cannot be written is no error."""
    try:
        path = _file()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LONGEST_FILE:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text("".join(lines[len(lines) // 2:]), encoding="utf-8")
        with open(path, "a", encoding="utf-8") as stream:  # one short line at once: runs beside each other do not mix
            stream.write(json.dumps({"kind": kind, "work": work, "seconds": seconds, **({"probe": True} if isProbe else {})}) + "\n")
    except OSError as error:
        logger.info(f"the run's time is not kept: {error}")


def expectedSeconds(kind: str, work: float) -> Optional[Estimate]:
    """What the latest runs of a ``kind`` say: the median of their seconds for each unit of work; without any what the latest probe says.

    None where there was neither.
    """
    try:
        lines = _file().read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    rates, probed = [], []
    for line in lines:
        try:
            row = json.loads(line)
            if row["kind"] == kind and row["work"] > 0:
                (probed if row.get("probe") else rates).append(row["seconds"] / row["work"])
        except (ValueError, KeyError, TypeError):
            continue  # a line that a full disk cut off
    if not rates:
        return Estimate(probed[-1] * work, 0) if probed else None
    return Estimate(median(rates[-KEPT:]) * work, len(rates[-KEPT:]))


def _file() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "cryoetseg" / FILE


class RunTimes(Protocol):
    """Part of the base of all protocols: estimates from earlier runs, and progress within a step."""

    _getItemIds: Any
    _method: str

    def _workOf(self, tsId: str) -> float:
        """How much there is to do for one item, in proportion to its time; 0 where that cannot be told before."""
        return 0.0

    def _kindOfWork(self) -> str:
        """What makes times comparable beside the processor: the method and, where it matters, its network."""
        return self._method

    def _kind(self) -> str:
        device = "GPU" if self.usesGpu() else f"{self.getBinThreads()} cores"
        return f"{self._kindOfWork()} on {device}"

    def _rememberTime(self, tsId: str, seconds: float) -> None:
        work = self._workOf(tsId)
        if work > 0:
            remember(self._kind(), work, seconds)

    def getEstimate(self) -> Optional[Estimate]:
        """How long all items together will take; None where nothing is known."""
        names = self._getItemIds()
        work = sum(map(self._workOf, names))
        try:
            found = expectedSeconds(self._kind(), work) if work > 0 else None
        except CryoetsegError:
            return None  # no model is there yet
        beside = max(1, self.numberOfThreads.get() - 1)  # one of Scipion's threads looks after the others
        return None if found is None else Estimate(found.seconds / min(beside, len(names)), found.runs)

    def _estimateLines(self) -> List[str]:
        found = self.getEstimate()
        return [found.words()] if found is not None else []

    def _warnings(self) -> List[str]:
        found = self.getEstimate() or self._probed()
        return [found.words()] if found is not None and found.seconds >= LONG else []

    def _probed(self) -> Optional[Estimate]:
        """What a probe of some seconds on a piece of the first tomogram says; None for what has no probe."""
        return None

    def getProgress(self) -> str:
        """How far the program is in the step that runs; empty where it does not say."""
        return lastProgress(self.getStderrLog()) if self.isRunning() else ""

    def getStatusMessage(self) -> str:
        """Scipion's words, which count steps, with the progress inside of the one that runs."""
        return ", ".join(filter(None, [super().getStatusMessage(), self.getProgress()]))
