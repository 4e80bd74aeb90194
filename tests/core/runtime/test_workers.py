import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from cryoetseg.core.runtime import workers
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.workers import in_processes, processes_that_fit

ORPHANS = """
import sys, time
from cryoetseg.core.runtime.workers import in_processes
if __name__ == "__main__":
    print(*in_processes(abs, [1, 2], 2), flush=True)
    list(in_processes(time.sleep, [60, 60], 2))
"""


def test_one_process_gives_answers_in_the_order_of_the_tasks_as_they_are_asked_for():
    answers = in_processes(abs, [-3, 2, -1], 1)
    assert next(answers) == 3
    assert list(answers) == [2, 1]


def test_a_task_is_done_by_one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert list(in_processes(lambda task: torch.get_num_threads(), [0], 1)) == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.thorough
def test_a_process_that_is_killed_is_told():
    with pytest.raises(JobError, match="killed"):
        list(in_processes(os._exit, [3, 3], 2))


@pytest.mark.thorough
def test_processes_end_with_their_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(ORPHANS)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout.readline() == "1 2\n"
    deadline = time.monotonic() + 60
    while len(children := _children(parent.pid)) < 3 and time.monotonic() < deadline:  # two and the tracker of their resources
        time.sleep(0.2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while (left := [child for child in children if _is_running(child)]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert len(children) >= 2
    assert not left


def _children(pid):
    return [int(child) for child in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def _is_running(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("free", "expected"), [(3.5e9, 3), (1e12, 6), (0.2e9, 1), (0.0, 1)])
def test_as_many_processes_as_cores_and_memory_allow(monkeypatch, free, expected):
    monkeypatch.setattr(workers, "usable_cores", lambda: 6)
    monkeypatch.setattr(workers.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    assert processes_that_fit(0, 1e9) == expected
    assert processes_that_fit(4, 1e9) == 4
