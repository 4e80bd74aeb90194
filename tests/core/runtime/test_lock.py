"""One run a folder, whoever runs; a killed run keeps nobody out."""

import errno
import fcntl
import os
import signal
import subprocess
import sys

import pytest

from cryoetseg.core.runtime import lock
from cryoetseg.core.runtime.errors import FolderBusyError, OutputError
from cryoetseg.core.runtime.lock import folder_lock

HOLDER = """
import sys, time
from pathlib import Path
from cryoetseg.core.runtime.lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def enter(folder):
    with folder_lock(folder):
        return os.listdir(folder)


def test_another_process_is_kept_out_and_told_by_whom_and_let_in_after_a_kill(tmp_path, holder):
    with pytest.raises(FolderBusyError, match=rf"process {holder.pid} on .*one run a folder"):
        enter(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert enter(tmp_path) == [".lock"]
    assert os.listdir(tmp_path) == []


def test_a_second_run_of_the_same_process_is_kept_out(tmp_path):
    with folder_lock(tmp_path), pytest.raises(FolderBusyError):
        enter(tmp_path)
    assert enter(tmp_path) == [".lock"]


def test_folders_are_made_and_removed_when_nothing_came_into_them(tmp_path):
    assert enter(tmp_path / "new") == [".lock"]
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        enter(tmp_path / "file" / "out")


@pytest.fixture
def without_locks(monkeypatch):
    """A disk that knows no locks, as some network disks."""

    def refuse(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)


def test_without_locks_a_second_file_keeps_others_out(tmp_path, without_locks):
    with folder_lock(tmp_path):
        assert sorted(os.listdir(tmp_path)) == [".lock", ".lock.held"]
        with pytest.raises(FolderBusyError):
            lock._take_by_name(tmp_path / ".lock")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("holder", "age", "free"), [("elsewhere 1", 10, False), ("elsewhere 1", 1000, True), ("HERE", 1000, True)])
def test_without_locks_a_dead_holder_is_told_by_its_process_or_by_its_silence(tmp_path, without_locks, holder, age, free):
    mark = tmp_path / ".lock.held"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mark.write_text(holder.replace("HERE", f"{os.uname().nodename} {ended.pid}"))
    os.utime(mark, (mark.stat().st_atime, mark.stat().st_mtime - age))
    if free:
        assert sorted(enter(tmp_path)) == [".lock", ".lock.held"]
    else:
        with pytest.raises(FolderBusyError, match="elsewhere"):
            enter(tmp_path)
