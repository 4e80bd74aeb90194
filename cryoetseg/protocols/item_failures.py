"""Items of a run that failed: noted beside their jobs, told in the summary with the program's own words, tried again by Continue."""
import os
from typing import Any, Dict, List

from cryoetseg.core.runtime.files import write_text
from cryoetseg.core.runtime.job import JOB_FILE, RESULT_FILE

FAILURE_FILE = "failure.txt"  # why the program failed on an item, beside its job
SHOWN_REASONS, SHOWN_NAMES = 2, 5


class ItemFailures:
    """Part of the base of all protocols; needs its ``_getItemFile`` and ``_getItemIds``."""

    _getItemFile: Any
    _getItemIds: Any

    def _noteFailure(self, tsId: str, error: Exception) -> None:
        """Failures lie beside the job, where the window that shows the summary and the next launch see them."""
        os.makedirs(self._getItemFile(tsId), exist_ok=True)
        write_text(self._getItemFile(tsId, FAILURE_FILE), f"{error}\n")

    def _readFailure(self, tsId: str) -> str:
        """Why an item failed, as the program said; empty where it did not."""
        path = self._getItemFile(tsId, FAILURE_FILE)
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()

    def _forgetFailure(self, tsId: str) -> None:
        if os.path.exists(self._getItemFile(tsId, FAILURE_FILE)):
            os.remove(self._getItemFile(tsId, FAILURE_FILE))

    def _forgetFailures(self) -> None:
        """Make Continue try again what failed: a step whose job file is gone counts as not done."""
        for tsId in self._getItemIds():
            jobFile = self._getItemFile(tsId, JOB_FILE)
            if os.path.exists(jobFile) and not self._hasResult(tsId):
                os.remove(jobFile)
            self._forgetFailure(tsId)

    def _hasResult(self, tsId: str) -> bool:
        """Whether an item is finished; a record of before does not count when the program failed since."""
        return os.path.exists(self._getItemFile(tsId, RESULT_FILE)) and not os.path.exists(self._getItemFile(tsId, FAILURE_FILE))

    def _failureReasons(self) -> str:
        """The first reasons of what failed, each once."""
        reasons = dict.fromkeys(filter(None, map(self._readFailure, sorted(self._getItemIds()))))
        return " ".join(list(reasons)[:SHOWN_REASONS])

    def _failureLines(self, failed: List[str]) -> List[str]:
        """What failed and why, as the program said; a reason that several share is told once."""
        byReason: Dict[str, List[str]] = {}
        for tsId in failed:
            byReason.setdefault(self._readFailure(tsId) or "interrupted, or never begun", []).append(tsId)
        lines = [f"*Not finished*: {', '.join(names[:SHOWN_NAMES])}{' ...' if len(names) > SHOWN_NAMES else ''}: {reason}"
                 for reason, names in byReason.items()]
        return [*lines, "*Continue* tries them again; all that was said is in run.stderr."] if lines else []
