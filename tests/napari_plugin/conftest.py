"""The folder of a run on a small tomogram, as the plugin opens it."""
import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.volumes.io import write_volume

SHAPE, ORIGIN = (16, 48, 40), (30.0, 0.0, -10.0)


@pytest.fixture
def run_folder(tmp_path):
    """Tomogram, membrane mask, probability map and picks of two classes."""
    rng = np.random.default_rng(0)
    write_volume(tmp_path / "TS_01.mrc", rng.normal(size=SHAPE).astype(np.float32), 10.0, ORIGIN)

    def method(job):
        folder, mask = tmp_path / "run", np.zeros(SHAPE, dtype=np.int8)
        mask[4] = 1
        write_volume(folder / "TS_01_membranes.mrc", mask, 10.0, ORIGIN)
        write_volume(folder / "TS_01_membranes_probability.mrc", mask.astype(np.float16) / 2, 10.0, ORIGIN)
        table = ParticleTable.from_points(
            [[3, 20, 10], [8, 30, 30], [12, 9, 7]], voxel_size=10.0, tilt_series_id="TS_01", class_id=[1, 2, 2],
            class_names={1: "ribosome", 2: "p97"}, score=[0.9, 0.8, 0.7], diameters=[250.0, 150, 150], angles=[[10, 20, 30]] * 3)
        write_particles(table, folder / "TS_01_particles.star")
        return MethodOutcome(outputs=[
            Output(kind="membrane_mask", path="TS_01_membranes.mrc", tilt_series_id="TS_01"),
            Output(kind="membrane_probability", path="TS_01_membranes_probability.mrc", tilt_series_id="TS_01"),
            Output(kind="particles", path="TS_01_particles.star", tilt_series_id="TS_01"),
            Output(kind="table", path="TS_01_particles.star")])

    tomogram = InputFile(path=str(tmp_path / "TS_01.mrc"), tilt_series_id="TS_01")
    recorded_run(Job(method="m", inputs=[tomogram], output_folder=str(tmp_path / "run")), method)
    return tmp_path / "run"
