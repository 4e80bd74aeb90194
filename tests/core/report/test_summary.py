"""The summary scores what has a truth, shows what has none, and is one file."""

import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.report.comparison import OURS
from cryoetseg.core.report.summary import Segmented, write_summary
from cryoetseg.core.runtime.job import InputFile, Job, Output, Result, write_result
from cryoetseg.core.volumes.io import write_volume

SHAPE, VOXEL_SIZE = (16, 40, 40), 10.0
CENTRES = np.array([[8, 30, 10], [7, 32, 30]])


def write_record(folder, method, name, tomogram, parameters):
    job = Job(method=method, parameters=parameters, inputs=[InputFile(path=str(tomogram))], output_folder=str(folder))
    outputs = [Output(kind="membrane_mask", path=f"{name}_membranes.mrc"), Output(kind="particles", path=f"{name}_particles.star")]
    result = Result(
        method=method, job=job.model_dump(), outputs=outputs, metrics={}, seconds=1, peak_memory_bytes=1, device="cpu", versions={},
        sha256={}, command=["cryoetseg"],
    )  # fmt: skip
    write_result(folder / "result.json", result)
    return folder / "result.json"


@pytest.fixture
def item(tmp_path):
    """A tomogram with one membrane and two particles, segmented perfectly."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    membrane = np.zeros(SHAPE, np.int8)
    membrane[:, 10:13] = 1
    bright = 2.0 * membrane + np.random.default_rng(0).normal(0, 0.3, SHAPE)
    for centre in CENTRES:
        bright += 3 * (np.linalg.norm(grid - centre, axis=-1) < 4)
    write_volume(tmp_path / "cell.mrc", -bright.astype(np.float32), VOXEL_SIZE)
    for folder in ("truth", "found"):
        write_volume(tmp_path / folder / "cell_membranes.mrc", membrane, VOXEL_SIZE)
        write_particles(ParticleTable.from_points(CENTRES, voxel_size=VOXEL_SIZE), tmp_path / folder / "cell_particles.star")
    parameters = {"z_start": 4, "z_end": 12, "particle_diameter": 80.0}
    found = write_record(tmp_path / "found", "segment-slabs", "cell", tmp_path / "cell.mrc", parameters)
    return Segmented(found, write_record(tmp_path / "truth", "simulate", "cell", tmp_path / "cell.mrc", {}))


def test_a_perfect_result_scores_one_and_stands_beside_baselines(tmp_path, item):
    scores = write_summary([item, item], tmp_path / "report", "Demo")
    assert scores[OURS]["membrane Dice"] == scores[OURS]["particle F1"] == 1.0
    assert {"Gaussian + Otsu", "sheet filter", "DoG, as many"} < set(scores)
    text = (tmp_path / "report" / "report.html").read_text()
    assert text.count("data:image/png") == 3
    assert "2 particle candidates of about 80 Å" in text
    assert text.count("<h3>simulate</h3>") == 2


def test_without_truth_there_are_pictures_and_counts_but_no_scores(tmp_path, item):
    assert write_summary([Segmented(item.segmentation)], tmp_path / "report", "Mine") == {}
    text = (tmp_path / "report" / "report.html").read_text()
    assert text.count("data:image/png") == 1
    assert "Gaussian" not in text
