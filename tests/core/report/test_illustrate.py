"""Results get their figures once, and the figures are in the record."""

import json

import numpy as np
import pytest

from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.report.illustrate import illustrate
from cryoetseg.core.runtime.job import InputFile, Job, MethodOutcome, Output, Result, read_result
from cryoetseg.core.runtime.record import recorded_run
from cryoetseg.core.volumes.io import write_volume


@pytest.fixture
def segmentation(tmp_path):
    """A finished segmentation with its tomogram, mask and particles on disk."""
    volume = np.random.default_rng(0).normal(size=(12, 24, 32)).astype(np.float32)
    write_volume(tmp_path / "tomo.mrc", volume, 10.0)
    write_volume(tmp_path / "out" / "tomo_membranes.mrc", (volume > 2).astype(np.int8), 10.0)
    points = ParticleTable.from_points([[6, 10, 10]], voxel_size=10.0, tilt_series_id="tomo", score=0.5)
    write_particles(points, tmp_path / "out" / "tomo_particles.star")
    job = Job(
        method="segment-slabs", parameters={"z_start": 4, "z_end": 8, "particle_diameter": 80.0},
        inputs=[InputFile(path=str(tmp_path / "tomo.mrc"))], output_folder=str(tmp_path / "out"),
    )  # fmt: skip
    outputs = [Output(kind="membrane_mask", path="tomo_membranes.mrc"), Output(kind="particles", path="tomo_particles.star")]
    return Result(
        method=job.method, job=job.model_dump(), outputs=outputs, metrics={}, seconds=1, peak_memory_bytes=1, device="cpu", versions={},
        sha256={}, command=[],
    )  # fmt: skip


def test_figures_are_drawn_and_recorded(tmp_path, segmentation):
    job = Job(**segmentation.job)
    completed = recorded_run(job, lambda job: MethodOutcome(outputs=segmentation.outputs), illustrate)
    assert [output.path for output in completed.outputs_of("figure")] == ["tomo_overview.png"]
    assert (tmp_path / "out" / "tomo_overview.png").stat().st_size > 1000
    assert read_result(tmp_path / "out" / "result.json") == completed


def test_a_result_with_figures_is_left_alone(segmentation):
    completed = illustrate(segmentation)
    assert illustrate(completed) is completed


def test_the_eigenimages_of_the_middle_slab_are_drawn(tmp_path, segmentation):
    record = {"base": 0, "fell_back": False, "contours": [1, 2], "diversities": [5.0, 4.0], "weights": [0.8, 0.2], "rounds": []}
    np.savez_compressed(
        tmp_path / "out" / "tomo_eigenimages.npz", z=np.array([4, 6, 7]), eigenimages=np.zeros((3, 2, 8, 8), np.uint8),
        canvases=np.zeros((3, 24, 32), np.uint8), records=np.array(json.dumps([record] * 3)),
    )  # fmt: skip
    kept = Output(kind="eigenimages", path="tomo_eigenimages.npz")
    completed = illustrate(segmentation.model_copy(update={"outputs": [*segmentation.outputs, kept]}))
    assert [output.path for output in completed.outputs_of("figure")] == ["tomo_overview.png", "tomo_eigenimages_z6.png"]
    assert (tmp_path / "out" / "tomo_eigenimages_z6.png").stat().st_size > 1000


def test_scores_become_bars(tmp_path, segmentation):
    scores = segmentation.model_copy(update={"method": "evaluate-picking", "metrics": {"f1": 0.5, "recall": 0.25, "true_positives": 3}})
    assert [output.path for output in illustrate(scores).outputs_of("figure")] == ["scores.png"]
    assert (tmp_path / "out" / "scores.png").is_file()


def test_a_method_without_pictures_is_left_alone(segmentation):
    training = segmentation.model_copy(update={"method": "train-backbone"})
    assert illustrate(training) is training


def test_membranes_without_particles_are_drawn_for_each_tomogram(tmp_path, segmentation):
    inputs = [{**segmentation.job["inputs"][0], "role": "model", "path": "model"}, *segmentation.job["inputs"]]
    membranes = segmentation.model_copy(
        update={"method": "segment-membranes", "outputs": segmentation.outputs[:1], "job": {**segmentation.job, "inputs": inputs}})
    assert [output.path for output in illustrate(membranes).outputs_of("figure")] == ["tomo_overview.png"]
