"""Folders are exchanged in one step; what killed writers left goes, what living ones write stays."""

import os
import subprocess
import sys

import pytest

from cryoetseg.core.runtime import temporary
from cryoetseg.core.runtime.errors import OutputError
from cryoetseg.core.runtime.files import atomic_folder, write_text
from cryoetseg.core.runtime.temporary import is_part, make_part, part_name, remove_parts, restore


def write(folder, text):
    with atomic_folder(folder) as part:
        (part / "a.txt").write_text(text)


@pytest.fixture(params=["exchange", "two renames"])
def disk(request, monkeypatch):
    if request.param == "two renames":
        monkeypatch.setattr(temporary, "_exchange", lambda first, second: False)


def test_a_folder_takes_the_place_of_an_earlier_one(tmp_path, disk):
    for text in ("first", "second"):
        write(tmp_path / "x.zarr", text)
        assert (tmp_path / "x.zarr" / "a.txt").read_text() == text
        assert os.listdir(tmp_path) == ["x.zarr"]


def test_an_error_keeps_the_earlier_folder(tmp_path, disk):
    write(tmp_path / "x.zarr", "first")
    with pytest.raises(OutputError, match="cannot write"):
        fail(tmp_path / "x.zarr")
    assert (tmp_path / "x.zarr" / "a.txt").read_text() == "first"
    assert os.listdir(tmp_path) == ["x.zarr"]


def fail(folder):
    with atomic_folder(folder):
        raise OSError("disk failed")


def dead_process():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_kill_between_two_renames_is_mended_by_the_next_run(tmp_path, monkeypatch):
    write(tmp_path / "x.zarr", "first")
    aside = temporary._aside_name(tmp_path / "x.zarr").name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
    os.rename(tmp_path / "x.zarr", tmp_path / aside)
    restore(tmp_path / "x.zarr")
    assert (tmp_path / "x.zarr" / "a.txt").read_text() == "first"
    os.rename(tmp_path / "x.zarr", tmp_path / aside)
    remove_parts(tmp_path)
    assert os.listdir(tmp_path) == ["x.zarr"]


KILLED = """
import os, signal, sys
from pathlib import Path
from cryoetseg.core.runtime import temporary
from cryoetseg.core.runtime.files import atomic_folder

if sys.argv[2] == "two renames":
    temporary._exchange = lambda first, second: False
kill_at, place = int(sys.argv[3]), {"replace": os.replace, "rmtree": temporary.shutil.rmtree, "exchange": temporary._exchange}
count = 0

def counted(name):
    def act(*arguments, **options):
        global count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return place[name](*arguments, **options)
    return act

os.replace, temporary.shutil.rmtree, temporary._exchange = counted("replace"), counted("rmtree"), counted("exchange")
with atomic_folder(Path(sys.argv[1])) as part:
    for name in ("a.txt", "b.txt"):
        (part / name).write_text("second")
"""


@pytest.mark.parametrize(("way", "moments"), [("exchange", 2), ("two renames", 4)])
def test_killed_between_any_two_steps_the_earlier_folder_or_the_later_one_is_there(tmp_path, way, moments):
    """Really killed. Where the disk cannot exchange two names, the folder is missing until the next run, which puts it back."""
    for moment in range(1, moments + 1):
        folder = tmp_path / str(moment) / "model"
        with atomic_folder(folder) as part:
            for name in ("a.txt", "b.txt"):
                (part / name).write_text("first")
        ended = subprocess.run([sys.executable, "-c", KILLED, str(folder), way, str(moment)], check=False)
        assert ended.returncode == -9
        if way == "exchange":
            assert folder.exists()
        remove_parts(tmp_path)
        assert os.listdir(folder.parent) == ["model"]
        assert {(folder / name).read_text() for name in ("a.txt", "b.txt")} in ({"first"}, {"second"})


def test_a_planted_link_is_never_written_through(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("precious")
    monkeypatch.setattr(temporary.secrets, "token_hex", lambda size: "0" * 2 * size)
    os.symlink(tmp_path / "victim", part_name(tmp_path / "out.txt"))
    with pytest.raises(FileExistsError):
        make_part(tmp_path / "out.txt")
    with pytest.raises(OutputError):
        write_text(tmp_path / "out.txt", "attack")
    assert (tmp_path / "victim").read_text() == "precious"


def test_names_as_long_as_a_disk_takes_are_written(tmp_path):
    name = "n" * 250 + ".txt"
    write_text(tmp_path / name, "content")
    assert os.listdir(tmp_path) == [name]


def test_what_other_machines_write_stays_until_it_is_old_unless_nobody_else_can(tmp_path):
    name = part_name(tmp_path / "x.mrc").name.replace(temporary._machine(), "00000000")
    old = name.replace(".x.", ".old.")
    for each in (name, old):
        (tmp_path / each).write_text("half")
    os.utime(tmp_path / old, (0, 0))
    remove_parts(tmp_path)
    assert os.listdir(tmp_path) == [name]
    remove_parts(tmp_path, alone=True)
    assert os.listdir(tmp_path) == []


def test_the_files_of_another_run_below_are_left_to_it(tmp_path):
    part = part_name(tmp_path / "inner" / "x.mrc").name.replace(f"-{os.getpid()}-", f"-{dead_process()}-")
    (tmp_path / "inner").mkdir()
    for name in (part, ".lock"):
        (tmp_path / "inner" / name).write_text("")
    remove_parts(tmp_path, stop_at=".lock")
    assert is_part(part)
    assert sorted(os.listdir(tmp_path / "inner")) == sorted([part, ".lock"])
