"""Who has which job: one of many, as long as it lives, and nobody after it is gone."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import pytest

from cryoetseg.core.batch import ledger as ledger_module
from cryoetseg.core.batch.ledger import AGAIN, DIED, DONE, FAILED, SILENT_SECONDS, Ledger
from cryoetseg.core.runtime.errors import OutputError


def take_all(folder, start, won):
    start.wait()
    own = [number for number in range(1, 101) if Ledger(folder).claim(number, 1)]
    won.put(own)


def test_a_hundred_jobs_for_four_processes_are_claimed_once_each(tmp_path):
    context = multiprocessing.get_context("fork")
    start, won = context.Event(), context.Queue()
    processes = [context.Process(target=take_all, args=(tmp_path, start, won)) for _ in range(4)]
    for process in processes:
        process.start()
    start.set()
    shares = [won.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(number for share in shares for number in share) == list(range(1, 101))


HOLDER = """
import subprocess, sys, time
from pathlib import Path
from cryoetseg.core.batch.ledger import Ledger
claim = Ledger(Path(sys.argv[1])).claim(1, 1)
if sys.argv[2] == "with program":
    subprocess.Popen(["sleep", "60"], pass_fds=[claim.descriptor], stdout=subprocess.DEVNULL)
print("claimed", flush=True)
time.sleep(60)
"""


def holder(folder, *words):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    return process


def test_the_claim_of_a_killed_process_is_lost_at_once_and_that_of_a_living_one_is_not(tmp_path):
    process = holder(tmp_path, "alone")
    assert not Ledger(tmp_path).is_lost(1, 1)
    process.kill()
    process.wait()
    assert Ledger(tmp_path).is_lost(1, 1)


def test_a_claim_is_not_lost_while_the_program_of_its_job_outlives_the_worker(tmp_path):
    process = holder(tmp_path, "with program")
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True).stdout.split()
    process.kill()
    process.wait()
    assert not Ledger(tmp_path).is_lost(1, 1)
    os.kill(int(children[0]), signal.SIGKILL)
    deadline = time.monotonic() + 120
    while not Ledger(tmp_path).is_lost(1, 1) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Ledger(tmp_path).is_lost(1, 1)


def on_another_machine(ledger, age):
    """Make the claim of job 1 look as if another machine had written it ``age`` seconds ago, unlocked as this one sees it."""
    path = ledger.path(1, 1, "claim")
    path.write_text(json.dumps({**json.loads(path.read_text()), "machine": "elsewhere"}))
    then = time.time() - age
    os.utime(path, (then, then))


@pytest.mark.parametrize(("age", "lost"), [(SILENT_SECONDS - 60, False), (SILENT_SECONDS + 60, True)])
def test_a_claim_of_another_machine_is_lost_when_it_was_silent_for_long(tmp_path, age, lost):
    ledger = Ledger(tmp_path)
    claim = ledger.claim(1, 1)
    os.close(claim.descriptor)
    on_another_machine(ledger, age)
    assert ledger.is_lost(1, 1) is lost


def test_renewing_keeps_a_claim_alive_elsewhere(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path)
    claim = ledger.claim(1, 1)
    on_another_machine(ledger, SILENT_SECONDS + 60)
    monkeypatch.setattr(ledger_module, "BEAT_SECONDS", -1.0)
    claim.renew()
    assert not ledger.is_lost(1, 1)


def test_where_the_file_system_has_no_locks_only_silence_tells(tmp_path, monkeypatch):
    def refuse(*arguments):
        raise OSError("no locks")

    monkeypatch.setattr(ledger_module.fcntl, "flock", refuse)
    ledger = Ledger(tmp_path)
    os.close(ledger.claim(1, 1).descriptor)
    assert not ledger.is_lost(1, 1)
    then = time.time() - SILENT_SECONDS - 60
    os.utime(ledger.path(1, 1, "claim"), (then, then))
    assert ledger.is_lost(1, 1)


def test_a_claim_that_is_being_written_is_not_lost(tmp_path):
    ledger = Ledger(tmp_path)
    os.close(ledger.claim(1, 1).descriptor)
    ledger.path(1, 1, "claim").write_text("")
    assert not ledger.is_lost(1, 1)


def test_an_outcome_is_kept_as_it_was_told_first(tmp_path):
    ledger = Ledger(tmp_path)
    claim = ledger.claim(7, 1)
    claim.end(FAILED, message="no disk")
    claim.end(DONE)
    assert ledger.attempts()[7].outcome == FAILED
    assert ledger.outcome(7, 1, FAILED)["message"] == "no disk"
    assert not ledger.is_lost(7, 1)


def test_deaths_count_since_the_last_pardon_and_attempts_without_an_outcome_are_deaths(tmp_path):
    ledger = Ledger(tmp_path)
    for attempt, outcome in enumerate((DIED, None, DIED, "stopped"), start=1):
        claim = ledger.claim(1, attempt)
        if outcome:
            claim.end(outcome)
        else:
            os.close(claim.descriptor)
    assert ledger.attempts()[1].deaths == 3
    ledger.forgive(1, 2)
    assert ledger.path(1, 2, AGAIN).exists()
    assert ledger.attempts()[1].deaths == 1


def test_a_batch_that_cannot_be_written_is_a_typed_error(tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        Ledger(tmp_path).claim(1, 1)
