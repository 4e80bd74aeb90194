"""Volumes on disk that belong to nobody: zeros at first, kept when pages are given back, gone with the process, refused on a full disk."""
import resource
import signal

import numpy as np
import pytest
from mapped_memory import mapped_bytes

from cryoetseg.core.runtime.errors import OutputError
from cryoetseg.core.volumes.streaming import GATHERED, read_rows, release_pages, temporary_volume


def test_a_temporary_volume_has_no_name_and_keeps_what_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    volume = temporary_volume((3, 4, 5), np.float16)
    assert (volume.shape, volume.dtype) == ((3, 4, 5), np.dtype(np.float16))
    assert not volume.any()
    volume[1] = 2.5
    release_pages(volume)
    np.testing.assert_array_equal(volume.mean(axis=(1, 2)), [0, 2.5, 0])
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(OutputError, match="no room for a temporary volume of 40000 bytes"):
            temporary_volume((10, 10, 100), np.float32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


def test_rows_of_many_planes_are_read_without_mapping_what_lies_between(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    volume = temporary_volume((3 * GATHERED, 512, 1024), np.float32)  # 2 MiB a plane
    for z in range(len(volume)):
        volume[z, 5:7] = z
        release_pages(volume)
    mapped = mapped_bytes()
    rows = read_rows(volume, slice(5, 7))
    assert mapped_bytes() - mapped < GATHERED * 2**21
    np.testing.assert_array_equal(rows, np.broadcast_to(np.arange(len(volume))[:, None, None], (len(volume), 2, 1024)))
