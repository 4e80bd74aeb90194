"""A worker: claims one job of a batch after the other and runs each as a program of its own, until nothing is left to do."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import FrameType
from typing import Optional

from .ledger import DIED, DONE, FAILED, STOPPED, Claim, Ledger
from .messages import last_message
from .plan import Plan, PlannedJob, read_plan
from .survey import Standing, result_path, survey

logger = logging.getLogger(__name__)
LOG_FOLDER = "logs"
PROGRAM = (sys.executable, "-m", "cryoetseg.core", "batch", "job", "--owned")  # FOLDER and NUMBER follow
LOOK_SECONDS, POLL_SECONDS, GRACE_SECONDS = 0.5, 2.0, 20.0
FROM_OUTSIDE = "stopped from outside"
TERMINATED = (143, 130, -signal.SIGTERM, -signal.SIGINT)  # the program's own codes, and where it had no time to give them


class Worker:
    """Serves the batch in ``folder``.

    ``numbers`` limits it to some of the jobs. With ``wait`` it stays while jobs that it could do later are still held up by running
    ones; without it leaves, as a task of a queue should that costs others a place. ``program`` runs a job, given folder and number.
    """

    def __init__(
        self, folder: Path, numbers: Optional[Collection[int]] = None, wait: bool = True, program: Sequence[str] = PROGRAM,
    ) -> None:  # fmt: skip
        self._folder, self._wait, self._program = folder, wait, tuple(program)
        self._plan: Plan = read_plan(folder)
        self._numbers = set(numbers) if numbers is not None else {job.number for job in self._plan.jobs}
        self._ledger = Ledger(folder)
        self._stopped = threading.Event()
        self._running: Optional[tuple[Claim, subprocess.Popen[bytes]]] = None

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """End the running job as stopped and take no other; may be called from a signal or another thread."""
        self._stopped.set()

    def abandon(self) -> None:
        """End the running job as stopped at once, for a process that is about to be killed."""
        running = self._running  # first: the thread that serves lets go of it once it sees the stop, before it has noted the end
        self.stop()
        if running is not None:
            claim, program = running
            _end(program)
            claim.end(STOPPED, message=FROM_OUTSIDE)

    def stop_on_signals(self) -> None:
        """Let SIGTERM and SIGINT stop this worker."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)

    def serve(self) -> int:
        """Work until nothing is left for this worker; returns how many jobs it brought to an end."""
        served = 0
        while not self._leaves():
            standings = [item for item in survey(self._plan, self._ledger) if item.planned.number in self._numbers]
            claim = self._claim_one(standings)
            if claim is not None:
                served += self._run(claim)
            elif self._wait and any(not item.is_final for item in standings):
                self._stopped.wait(POLL_SECONDS)
            else:
                break
        return served

    def _leaves(self) -> bool:
        return self._stopped.is_set() or self._ledger.is_cancelled()

    def _claim_one(self, standings: Sequence[Standing]) -> Optional[Claim]:
        for item in standings:
            if item.ready:
                claim = self._ledger.claim(item.planned.number, item.attempt + 1)
                if claim is not None:
                    return claim
        return None

    def _run(self, claim: Claim) -> bool:
        """Run the claimed job to its end; False when it was stopped and waits again."""
        planned = self._plan.job(claim.number)
        logger.info("job %d (%s), attempt %d", planned.number, planned.name, claim.attempt)
        log = self._folder / LOG_FOLDER / f"{claim.number:05d}.{claim.attempt}.log"
        start = time.monotonic()
        try:
            code = self._run_program(claim, log)
            outcome, message = self._judged(planned, code, log)
        except BaseException as error:  # whatever ends this worker must not count against the job
            claim.end(STOPPED, message=f"{FROM_OUTSIDE}: {type(error).__name__} {error}")
            raise
        claim.end(outcome, exit_code=code, seconds=round(time.monotonic() - start, 3), message=message)
        if outcome != DONE:
            logger.error("job %d (%s) %s: %s", planned.number, planned.name, outcome, message)
        return outcome != STOPPED

    def _run_program(self, claim: Claim, log: Path) -> int:
        """The exit code of the job's program; it ends with this worker, because it sees its standard input close."""
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [*self._program, str(self._folder), str(claim.number)]
        with log.open("wb") as output:
            program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, pass_fds=[claim.descriptor])
        self._running = claim, program
        try:
            while program.poll() is None:
                if self._leaves():
                    _end(program)
                    break
                claim.renew()
                _wait(program, LOOK_SECONDS)
        finally:
            if program.poll() is None:
                _end(program)
            if program.stdin:
                program.stdin.close()
            self._running = None
        return program.returncode

    def _judged(self, planned: PlannedJob, code: int, log: Path) -> tuple[str, str]:
        record = result_path(planned)
        if code == 0 and (record is None or record.is_file()):
            return DONE, ""
        if code == 0:
            return FAILED, f"ended without the record {record}"
        if code in TERMINATED or (code < 0 and self._leaves()):
            return STOPPED, FROM_OUTSIDE
        if code < 0:
            return DIED, f"killed by {signal.Signals(-code).name}" + (f" after: {told}" if (told := last_message(log)) else "")
        return FAILED, last_message(log) or f"exit code {code} without a message"


def _wait(program: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        program.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _end(program: subprocess.Popen[bytes]) -> None:
    """Ask the program to end, and end it where it does not."""
    program.terminate()
    _wait(program, GRACE_SECONDS)
    if program.poll() is None:
        program.kill()
        program.wait()


def end_with_parent() -> None:
    """End this program when the one that started it is gone and its standard input closes: a job never outlives its worker."""

    def watch() -> None:
        while os.read(0, 4096):
            continue
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(128 + signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="end_with_parent").start()
