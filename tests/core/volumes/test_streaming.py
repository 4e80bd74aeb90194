"""Volumes on disk that belong to nobody: zeros at first, kept when pages are given back, gone with the process, refused on a full disk."""
import resource
import signal

import numpy as np
import pytest

from cryoetseg.core.runtime.errors import OutputError
from cryoetseg.core.volumes.streaming import release_pages, temporary_volume


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
