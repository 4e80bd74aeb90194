"""Files appear whole or not at all, whatever happens to the writer."""

import os
import resource
import signal
import subprocess
import sys
import tempfile

import pytest

from cryoetseg.core.runtime.checksums import sha256
from cryoetseg.core.runtime.errors import InputError, OutputError
from cryoetseg.core.runtime.files import atomic_path, link_or_copy, read_json, write_json, write_text

KILLS = 100
LINES = 200
KILL_WRITERS = """
import itertools, os, random, signal, sys, time
from cryoetseg.core.runtime.files import atomic_path

def write_for_ever(target, lines, numbers=None):
    for number in numbers or itertools.count(1):
        with atomic_path(target) as part, open(part, "w") as stream:
            for _ in range(lines):
                stream.write(f"{number}\\n")
                stream.flush()

target, kills, lines = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
moments = random.Random(7)
start = time.monotonic()
write_for_ever(target, lines, [0, 0, 0])
duration = (time.monotonic() - start) / 3
for _ in range(kills):
    writer = os.fork()
    if writer == 0:
        write_for_ever(target, lines)
    time.sleep(moments.uniform(0.1, 2.5) * duration)
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    with open(target) as stream:
        found = stream.read().splitlines()
    assert len(found) == lines and len(set(found)) == 1, found
"""


def test_content_survives_the_round_trip(tmp_path):
    content = {"name": "Ångström", "values": [1, 2.5, None], "nested": {"a": True}}
    write_json(tmp_path / "new" / "folder" / "record.json", content)
    assert read_json(tmp_path / "new" / "folder" / "record.json") == content


def test_an_error_in_the_block_keeps_the_earlier_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "result.txt"
    write_text(target, "earlier")
    with pytest.raises(ValueError, match="half way"):
        stop_half_way(target)
    assert target.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["result.txt"]


def stop_half_way(target):
    with atomic_path(target) as part:
        part.write_text("half")
        raise ValueError("half way")


def test_the_temporary_file_keeps_the_suffix_that_writers_go_by(tmp_path):
    with atomic_path(tmp_path / "volume.mrc") as part:
        assert part.suffix == ".mrc"
        assert part.parent == tmp_path
        part.write_bytes(b"x")
    assert (tmp_path / "volume.mrc").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["with space.txt", "quote'\".txt", "Größe µ.txt", "semi;colon$(touch x).txt"])
def test_hostile_names_are_names(tmp_path, name):
    write_text(tmp_path / name, "content")
    assert os.listdir(tmp_path) == [name]


def test_a_file_where_a_folder_should_be_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_text(tmp_path / "file" / "result.txt", "content")
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_full_disk_is_an_output_error_and_keeps_the_earlier_file(tmp_path):
    target = tmp_path / "result.txt"
    write_text(target, "earlier")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OutputError, match="free space"):
            write_text(target, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert target.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    target = tmp_path / "result.txt"
    write_text(target, "0\n" * LINES)
    # in a small process of its own, because forking one that holds torch takes many times longer
    command = [sys.executable, "-c", KILL_WRITERS, target, str(KILLS), str(LINES)]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == 0, killed.stderr
    assert target.read_text().splitlines()[0] != "0", "no writer ever finished a file, so nothing was tested"


def test_damaged_json_is_an_input_error_that_names_the_file(tmp_path):
    path = tmp_path / "record.json"
    for content in (b'{"half": ', b"\xff\xfe\x00", b"[1, 2]"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"record\.json"):
            read_json(path)
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path / "missing.json")


def test_a_second_name_is_the_same_file_and_takes_the_place_of_an_earlier_one(tmp_path):
    source, target = tmp_path / "a.mrc", tmp_path / "new" / "b.mrc"
    for content in ("first", "second"):
        write_text(source, content)
        link_or_copy(source, target)
        assert target.read_text() == content
        assert os.path.samefile(source, target)
    assert os.listdir(target.parent) == ["b.mrc"]


@pytest.mark.skipif(not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tempfile.gettempdir()).st_dev,
                    reason="no second disk")
def test_on_another_disk_it_is_a_copy(tmp_path):
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as source:
        source.write(b"content")
        source.flush()
        link_or_copy(source.name, tmp_path / "copy")
        assert not os.path.samefile(source.name, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


def test_sha256_is_that_of_the_standard(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(path, chunk=1) == sha256(path)
