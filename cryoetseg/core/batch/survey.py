"""What state each job of a batch is in, from its plan and its attempts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from ..runtime.errors import CryoetsegError
from ..runtime.job import RESULT_FILE
from .ledger import DIED, DONE, FAILED, Attempts, Ledger
from .plan import Plan, PlannedJob

WAITING, BLOCKED, RUNNING = "waiting", "blocked", "running"
STATES = (DONE, RUNNING, WAITING, FAILED, BLOCKED)
MOST_DEATHS = 3  # a job that killed so many workers or programs in a row is not given to another
DEATH = "its program or its machine was killed {} times in a row; perhaps there was too little memory or time"


@dataclass(frozen=True)
class Standing:
    """One job: its state, the latest attempt at it (0 before the first) and whether the next attempt may begin now."""

    planned: PlannedJob
    state: str
    attempt: int
    ready: bool = False
    lost: bool = False

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it without a user."""
        return self.state in (DONE, FAILED, BLOCKED)


def survey(plan: Plan, ledger: Ledger) -> list[Standing]:
    """The standing of every job, in the order of the plan."""
    attempts = ledger.attempts()
    standings: dict[int, Standing] = {}
    for job in sorted(plan.jobs, key=lambda job: job.stage):
        needed = [standings[number].state for number in job.after]
        standings[job.number] = _standing(job, attempts.get(job.number, Attempts()), needed, ledger)
    return [standings[job.number] for job in plan.jobs]


def _standing(job: PlannedJob, tried: Attempts, needed: list[str], ledger: Ledger) -> Standing:
    if tried.outcome == DONE and tried.forgiven < tried.latest:
        return Standing(job, DONE, tried.latest)
    lost = False
    if tried.latest and tried.outcome is None:
        lost = ledger.is_lost(job.number, tried.latest)
        if not lost:
            return Standing(job, RUNNING, tried.latest)
    if tried.forgiven < tried.latest and (tried.outcome == FAILED or tried.deaths + lost >= MOST_DEATHS):
        return Standing(job, FAILED, tried.latest, lost=lost)
    if any(state in (FAILED, BLOCKED) for state in needed):
        return Standing(job, BLOCKED, tried.latest)
    return Standing(job, WAITING, tried.latest, ready=all(state == DONE for state in needed))


def counts(standings: Iterable[Standing]) -> dict[str, int]:
    """How many jobs are in each state, all states named."""
    found = Counter(standing.state for standing in standings)
    return {state: found[state] for state in STATES}


def message(standing: Standing, ledger: Ledger) -> str:
    """The last message of a failed job, or who does a running one."""
    number, attempt = standing.planned.number, standing.attempt
    if standing.state == FAILED:
        details = _outcome(ledger, number, attempt)
        told = str(details.get("message") or "")
        return told if details.get("outcome") == FAILED else DEATH.format(MOST_DEATHS) + (f"; last {told}" if told else "")
    if standing.state == RUNNING:
        owner = ledger.owner(number, attempt)
        return f"on {owner.get('host', '?')}" + (f", queue job {owner['queue_job']}" if owner.get("queue_job") else "")
    if standing.state == BLOCKED:
        return "needs " + ", ".join(map(str, standing.planned.after[:5])) + (", ..." if len(standing.planned.after) > 5 else "")
    return ""


def _outcome(ledger: Ledger, number: int, attempt: int) -> dict[str, Any]:
    for outcome in (FAILED, DIED):
        try:
            return ledger.outcome(number, attempt, outcome)
        except CryoetsegError:  # ended otherwise, or lost
            continue
    return {}


def without_result(standings: Iterable[Standing]) -> list[Standing]:
    """Jobs that count as done although their record is no longer there."""
    return [item for item in standings if item.state == DONE and (path := result_path(item.planned)) and not path.is_file()]


def result_path(job: PlannedJob) -> Optional[Path]:
    """The record that the job leaves; None for parts of a chain, whose last one writes the record."""
    return None if job.part and not job.is_last_part else Path(job.job.output_folder) / RESULT_FILE
