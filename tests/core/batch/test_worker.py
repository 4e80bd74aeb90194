"""Workers: every job once, in its turn, whatever is killed; ends are told as they were."""

import json
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
from batch_jobs import PROGRAM, SERVE, journal

from cryoetseg.core.batch.ledger import DIED, DONE, FAILED, STOPPED, Ledger
from cryoetseg.core.batch.plan import read_plan
from cryoetseg.core.batch.survey import counts, message, survey
from cryoetseg.core.batch.worker import Worker


def start(folder):
    return subprocess.Popen([sys.executable, "-c", SERVE, str(folder), json.dumps(PROGRAM)], stderr=subprocess.DEVNULL)


def standings(folder):
    return survey(read_plan(folder), Ledger(folder))


def killed_in_the_middle(folder, workers, kills, seed):
    """Serve the batch by ``workers`` processes of which ``kills`` are killed at random moments and replaced; returns who was killed."""
    rng = random.Random(seed)
    running = [start(folder) for _ in range(workers)]
    try:
        for _ in range(kills):
            time.sleep(rng.uniform(0.3, 0.6))
            victim = rng.randrange(workers)
            running[victim].kill()
            running[victim].wait()
            running[victim] = start(folder)
        for process in running:
            process.wait(timeout=600)
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("count", "workers", "kills"), [(40, 2, 3)])
def test_every_job_is_done_exactly_once_though_workers_are_killed(make_batch, count, workers, kills):
    folder = make_batch(count, wishes={n: {"seconds": 0.05} for n in range(1, count + 1)})
    killed_in_the_middle(folder, workers, kills, seed=1)
    assert counts(standings(folder))[DONE] == count
    assert sorted(journal(folder)) == list(range(1, count + 1))
    ends = [list(job.ended.values()).count(DONE) for job in Ledger(folder).attempts().values()]
    assert ends == [1] * count


def test_jobs_are_done_in_their_turn(make_batch):
    folder = make_batch(5, after={1: [5], 5: [4], 4: [3]})
    assert Worker(folder, program=PROGRAM).serve() == 5
    order = journal(folder)
    assert order.index(3) < order.index(4) < order.index(5) < order.index(1)


def test_a_worker_that_shall_not_wait_leaves_while_another_runs_what_it_needs(make_batch):
    folder = make_batch(2, after={2: [1]})
    claim = Ledger(folder).claim(1, 1)
    assert Worker(folder, wait=False, program=PROGRAM).serve() == 0
    claim.end(DONE)
    assert Worker(folder, wait=False, program=PROGRAM).serve() == 1


def test_a_waiting_worker_goes_on_when_what_it_needs_is_done(make_batch, monkeypatch):
    folder = make_batch(2, after={2: [1]})
    claim = Ledger(folder).claim(1, 1)
    threading.Timer(0.3, claim.end, [DONE]).start()
    monkeypatch.setattr("cryoetseg.core.batch.worker.POLL_SECONDS", 0.05)
    assert Worker(folder, program=PROGRAM).serve() == 1
    assert journal(folder) == [2]


def test_a_failed_job_says_why_and_keeps_nobody_else(make_batch):
    folder = make_batch(3, wishes={2: {"fails": True}})
    Worker(folder, program=PROGRAM).serve()
    assert [item.state for item in standings(folder)] == [DONE, FAILED, DONE]
    assert message(standings(folder)[1], Ledger(folder)) == "it is broken"
    assert Worker(folder, program=PROGRAM).serve() == 0
    assert journal(folder) == [1, 3]


def test_a_job_that_ends_well_without_its_record_failed(make_batch):
    folder = make_batch(1)
    Worker(folder, program=(sys.executable, "-c", "")).serve()
    assert standings(folder)[0].state == FAILED
    assert "without the record" in message(standings(folder)[0], Ledger(folder))


def test_a_program_that_is_killed_is_tried_again_a_few_times(make_batch):
    folder = make_batch(1)
    kill_oneself = "import os; os.write(2, b'loading'); os.kill(os.getpid(), 9)"
    Worker(folder, program=(sys.executable, "-c", kill_oneself)).serve()
    tried = Ledger(folder).attempts()[1]
    assert list(tried.ended.values()) == [DIED] * 3
    assert message(standings(folder)[0], Ledger(folder)).endswith("killed by SIGKILL after: loading")


@pytest.mark.parametrize("how", ["signal", "cancel"])
def test_a_stopped_worker_ends_its_job_which_the_next_one_does(make_batch, how):
    folder = make_batch(1, wishes={1: {"seconds": 30}})
    process = start(folder)
    wait_for(lambda: (folder / "journal").exists())
    if how == "signal":
        process.terminate()
    else:
        Ledger(folder).cancel()
    assert process.wait(timeout=120) == 0
    assert Ledger(folder).attempts()[1].outcome == STOPPED
    assert journal(folder) == []
    Ledger(folder).resume()
    assert standings(folder)[0].ready


def test_a_job_does_not_outlive_its_killed_worker(tmp_path):
    """The engine's own program notices that its worker is gone; without that two programs would write into one folder."""
    owned = "from cryoetseg.core.batch.worker import *; end_with_parent(); print('here', flush=True); time.sleep(60)"
    program = subprocess.Popen([sys.executable, "-c", owned], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert program.stdout.readline() == b"here\n"
    program.stdin.close()
    assert program.wait(timeout=120) == -signal.SIGTERM


def test_a_worker_that_is_about_to_be_killed_ends_its_job_at_once(make_batch):
    folder = make_batch(1, wishes={1: {"seconds": 30}})
    worker = Worker(folder, program=PROGRAM)
    serving = threading.Thread(target=worker.serve)
    serving.start()
    wait_for(lambda: (folder / "journal").exists())
    worker.abandon()
    assert Ledger(folder).attempts()[1].outcome == STOPPED
    serving.join(timeout=120)
    assert not serving.is_alive()


def test_the_end_is_noted_also_where_the_serving_thread_has_just_let_go_of_the_job(make_batch, monkeypatch):
    folder = make_batch(1, wishes={1: {"seconds": 30}})
    worker, held = Worker(folder, program=PROGRAM), threading.Event()
    stop, judged = worker.stop, worker._judged

    def stop_until_let_go():
        stop()
        wait_for(lambda: worker._running is None)

    monkeypatch.setattr(worker, "stop", stop_until_let_go)
    monkeypatch.setattr(worker, "_judged", lambda *details: held.wait(120) and judged(*details))
    serving = threading.Thread(target=worker.serve)
    serving.start()
    wait_for(lambda: worker._running is not None)
    worker.abandon()
    told = Ledger(folder).attempts()[1].outcome
    held.set()
    serving.join(timeout=120)
    assert told == STOPPED


def wait_for(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "this did not happen"
        time.sleep(0.02)
