"""Embedding the picks of a large volume: the file does not come to count as memory."""
import numpy as np
import torch
from mapped_memory import mapped_bytes

from cryoetseg.core.clusters.embed import embedded
from cryoetseg.core.clusters.model import build_network
from cryoetseg.core.volumes.cleaned import CleanedView
from cryoetseg.core.volumes.cleaning import examine
from cryoetseg.core.volumes.streaming import release_pages, temporary_volume


def test_a_volume_is_read_without_staying_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    volume = temporary_volume((64, 512, 1024), np.float32)  # 128 MiB
    volume[:] = np.random.default_rng(0).standard_normal((64, 1, 1024), np.float32)
    release_pages(volume)
    view = CleanedView(volume, "bright", examine(volume))
    points = np.array([[z, y, x] for z in (20, 44) for y in range(24, 500, 96) for x in range(24, 1000, 96)], float)
    before = mapped_bytes()
    vectors = embedded(view, points, 12.5, build_network(0).eval(), torch.device("cpu"), tmp_path / "kept", "embed")
    assert vectors.shape == (len(points), 32)
    assert mapped_bytes() - before < 2**25
