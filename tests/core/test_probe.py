"""A job is timed on pieces of its tomogram."""
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from cryoetseg.core import probe as probe_module
from cryoetseg.core.probe import Probe, probe
from cryoetseg.core.runtime.errors import JobError
from cryoetseg.core.runtime.job import InputFile, Job, write_job
from cryoetseg.core.volumes.io import open_volume, write_volume

SHAPE = (40, 70, 90)  # z, y, x


@pytest.fixture
def job(tmp_path):
    write_volume(tmp_path / "TS_1.mrc", np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), 10.0)
    tomogram = InputFile(path=str(tmp_path / "TS_1.mrc"), role="tomogram", tilt_series_id="TS_1", voxel_size=12.0)
    return Job(method="pick-dog", parameters={"particle_diameter": 150.0}, inputs=[tomogram], output_folder=str(tmp_path / "out"))


@pytest.mark.parametrize(("seconds", "sizes"), [
    ([5.0, 0.5, 3.0, 9.0], [16, 32, 64]),  # the first counts for nothing
    ([0.1, 0.1, 0.1, 0.1], [16, 32, 64, 96]),  # the last is all of it
])
def test_pieces_grow_until_one_takes_long_enough(job, monkeypatch, seconds, sizes):
    shapes, times = [], iter(seconds)

    def timed(given, tomogram, piece, voxel_size):
        assert (given, tomogram, voxel_size) == (job, job.inputs[0], 12.0)
        whole = np.asarray(open_volume(tomogram.path).data)
        first = [(full - side) // 2 for full, side in zip(SHAPE, piece.shape)]
        np.testing.assert_array_equal(piece, whole[tuple(slice(start, start + side) for start, side in zip(first, piece.shape))])
        shapes.append(piece.shape)
        return Probe(piece.size, next(times))

    monkeypatch.setattr(probe_module, "_timed", timed)
    found = probe(job, (16, 32, 64, 96, 128), least=2.0)
    assert shapes == [tuple(min(side, full) for full in SHAPE) for side in sizes]
    assert found == Probe(int(np.prod(shapes[-1])), seconds[len(sizes) - 1])


def test_the_program_tells_voxels_and_seconds_and_leaves_nothing(job, tmp_path):
    write_job(tmp_path / "job.json", job)
    before = sorted(tmp_path.iterdir())
    command = [sys.executable, "-m", "cryoetseg.core.probe", str(tmp_path / "job.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["voxels"] in [np.prod(np.minimum(SHAPE, side)) for side in probe_module.SIDES]
    assert 0 < told["seconds"] < 60
    assert sorted(tmp_path.iterdir()) == before


def test_a_range_of_slices_is_not_one_of_the_piece(job, monkeypatch):
    """The piece is worked on whole, however high in the tomogram its slices were to lie."""
    done = []
    monkeypatch.setattr(probe_module, "run_job", lambda given: done.append(given) or SimpleNamespace(seconds=1.0))
    values = {"z_start": 38, "z_end": 39, "threshold": 0.2}
    probe(job.model_copy(update={"method": "segment-membranes", "parameters": values}), (16,))
    assert done[0].parameters == {"z_start": 0, "z_end": 0, "threshold": 0.2}
    assert not os.path.exists(done[0].inputs[0].path)


def test_it_needs_one_tomogram(job):
    with pytest.raises(JobError, match="0 inputs"):
        probe(job.model_copy(update={"inputs": []}))
