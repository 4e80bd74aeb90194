"""The simulated source: classes in turn at both signal-to-noise ratios, with masks, not made twice."""
import pytest

from cryoetseg.core.recipes.voxuda_source import write_source
from cryoetseg.core.runtime.errors import ParameterError
from cryoetseg.core.runtime.job import Job
from cryoetseg.core.volumes.wedge import missing_energy
from cryoetseg.core.voxuda.data import read_subtomograms
from cryoetseg.core.voxuda.params import VoxUdaSourceParameters

SMALL = VoxUdaSourceParameters(count=5, particles="rubisco, nucleosome", size=16, voxel_size=16.0)


def test_the_source_is_ready_for_training_and_made_once(tmp_path):
    inputs = write_source(tmp_path, SMALL, seed=3)
    job = Job(method="train-voxuda", inputs=inputs, output_folder=str(tmp_path))
    source = read_subtomograms(job, "source", 16, 0.0)
    assert (len(source), source.voxel_size) == (5, 16.0)
    assert source.masks.any(axis=(1, 2, 3)).all()
    assert source.volumes[source.masks].mean() > 0.5  # bright inside, whatever the files' contrast
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mrc")}
    write_source(tmp_path, SMALL, seed=3)
    assert times == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.mrc")}


@pytest.mark.parametrize("snrs", ["0.1,x", "-1", "0"])
def test_ratios_are_checked(tmp_path, snrs):
    with pytest.raises(ParameterError, match="signal-to-noise"):
        write_source(tmp_path, SMALL.model_copy(update={"snrs": snrs}))


def test_the_source_has_the_wedge_of_its_tilts(tmp_path):
    settings = SMALL.model_copy(update={"count": 2, "snrs": "1000", "tilt_min": -30.0, "tilt_max": 30.0, "size": 32})
    inputs = write_source(tmp_path, settings, seed=3)
    source = read_subtomograms(Job(method="train-voxuda", inputs=inputs, output_folder=str(tmp_path)), "source", 32, 0.0)
    assert all(missing_energy(volume, -60, 60) < 0.3 for volume in source.volumes)
    assert all(missing_energy(volume, -30, 30) < 0.5 * missing_energy(volume, -10, 10) for volume in source.volumes)
