"""Checksums of files and folders; a large file is read once for as long as it stays as it is."""

import os

import pytest

from cryoetseg.core.runtime import checksums
from cryoetseg.core.runtime.checksums import checksum, sha256, total_bytes
from cryoetseg.core.runtime.errors import InputError


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A file that counts as large and as settled, and how often files were read."""
    monkeypatch.setattr(checksums, "LARGE", 4)
    monkeypatch.setattr(checksums, "SETTLED_SECONDS", -1.0)
    reads = []
    monkeypatch.setattr(checksums, "sha256", lambda path: reads.append(path) or sha256(path))
    path = tmp_path / "large.mrc"
    path.write_bytes(b"content")
    return path, reads


def test_a_large_file_is_read_once(large):
    path, reads = large
    assert checksum(path) == checksum(path) == sha256(path)
    assert len(reads) == 1


def test_what_has_no_end_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", tmp_path / "pipe", tmp_path):
        with pytest.raises(InputError, match="a device or a pipe"):
            checksum(path)


@pytest.mark.parametrize("keep_time", [True, False])
def test_other_content_of_the_same_size_is_noticed_also_under_the_old_time(large, keep_time):
    path, _ = large
    first, status = checksum(path), path.stat()
    path.write_bytes(b"CONTENT")
    if keep_time:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert checksum(path) == sha256(path) != first


def test_a_file_that_was_changed_just_now_is_not_remembered(large, monkeypatch):
    path, reads = large
    monkeypatch.setattr(checksums, "SETTLED_SECONDS", 10.0)
    checksum(path)
    checksum(path)
    assert len(reads) == 2


def test_a_cache_that_cannot_be_written_is_no_error(large, monkeypatch):
    path, _ = large
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    assert checksum(path) == sha256(path)


def test_a_folder_changes_with_any_name_and_any_byte_but_not_with_what_is_passing(tmp_path):
    folder = tmp_path / "image.zarr"
    (folder / "0").mkdir(parents=True)
    (folder / ".zattrs").write_text("{}")
    (folder / "0" / "0.0").write_text("ab")
    first = checksum(folder)
    assert total_bytes(folder) == 4
    (folder / ".lock").write_text("")
    (folder / ".x.12345678-1-12345678.part").write_text("half")
    assert checksum(folder) == first
    (folder / "0" / "0.0").write_text("aB")
    assert checksum(folder) != first
    (folder / "0" / "0.0").write_text("ab")
    assert checksum(folder) == first
    (folder / "0" / "0.0").rename(folder / "0" / "0.1")
    assert checksum(folder) != first


def test_what_is_missing_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="none"):
        checksum(tmp_path / "none")
