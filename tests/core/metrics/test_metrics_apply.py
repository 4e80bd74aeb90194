"""Evaluations as jobs, from file to file."""
import json

import numpy as np
import pandas as pd
import pytest

from cryoetseg.core.metrics.apply import run
from cryoetseg.core.particles.formats import write_particles
from cryoetseg.core.particles.table import ParticleTable
from cryoetseg.core.runtime.errors import InputError, JobError, ParameterError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.volumes.io import write_volume


def job(method, folder, predicted, truth, **parameters):
    inputs = [InputFile(path=str(path), role=role) for role, paths in (("predicted", predicted), ("truth", truth)) for path in paths]
    return Job(method=method, parameters=parameters, inputs=inputs, output_folder=str(folder / "out"))


def mask_file(path, start, stop, size=12, voxel_size=10.0):
    mask = np.zeros((size, 16, 16), dtype=np.int8)
    mask[:, start:stop] = 1
    write_volume(path, mask, voxel_size)
    return path


def test_segmentation_scores_and_tables(tmp_path):
    predicted, truth = mask_file(tmp_path / "p.mrc", 4, 8), mask_file(tmp_path / "t.mrc", 4, 6)
    outcome = run(job("evaluate-segmentation", tmp_path, [predicted], [truth]))
    assert outcome.metrics["dice"] == pytest.approx(2 / 3)
    assert outcome.metrics["iou"] == 0.5
    assert outcome.metrics["dice_low"] <= outcome.metrics["dice"] <= outcome.metrics["dice_high"]
    assert pd.read_csv(tmp_path / "out/scores.csv").dice[0] == pytest.approx(2 / 3, abs=1e-5)
    assert json.loads((tmp_path / "out/scores.json").read_text())["summary"]["iou"] == 0.5


def test_segmentation_in_a_z_range_of_a_probability_map(tmp_path):
    probability = np.full((10, 8, 8), 0.2, dtype=np.float32)
    probability[3:6, 2:4] = 0.9
    write_volume(tmp_path / "p.mrc", probability, 10.0)
    truth = np.zeros((10, 8, 8), dtype=np.int8)
    truth[:, 2:4] = 1
    write_volume(tmp_path / "t.mrc", truth, 10.0)
    outcome = run(job("evaluate-segmentation", tmp_path, [tmp_path / "p.mrc"], [tmp_path / "t.mrc"], z_start=3, z_end=6, threshold=0.5))
    assert outcome.metrics["dice"] == 1.0
    with pytest.raises(ParameterError, match="z_end"):
        run(job("evaluate-segmentation", tmp_path, [tmp_path / "p.mrc"], [tmp_path / "t.mrc"], z_end=11))


def test_masks_that_do_not_fit_are_refused(tmp_path):
    predicted = mask_file(tmp_path / "p.mrc", 4, 8)
    with pytest.raises(InputError, match="shape"):
        run(job("evaluate-segmentation", tmp_path, [predicted], [mask_file(tmp_path / "other.mrc", 4, 8, size=11)]))
    with pytest.raises(InputError, match=r"12\.500 A"):
        run(job("evaluate-segmentation", tmp_path, [predicted], [mask_file(tmp_path / "coarse.mrc", 4, 8, voxel_size=12.5)]))


def test_classes(tmp_path):
    labels = np.zeros((4, 8, 8), dtype=np.int8)
    labels[:, :2], labels[:, 4:] = 1, 2
    write_volume(tmp_path / "t.mrc", labels, 10.0)
    labels[:, 4] = 1
    write_volume(tmp_path / "p.mrc", labels, 10.0)
    outcome = run(job("evaluate-segmentation", tmp_path, [tmp_path / "p.mrc"], [tmp_path / "t.mrc"], labels="classes"))
    assert outcome.metrics["classes"] == {"1": pytest.approx(2 * 2 / 5), "2": pytest.approx(2 * 3 / 7)}
    assert np.array(outcome.metrics["confusion_matrix"]).sum() == labels.size


def particle_file(path, points, names="a", **columns):
    write_particles(ParticleTable.from_points(points, **{"voxel_size": 10.0, "tilt_series_id": names, **columns}), path)
    return path


def test_picking_scores_curve_and_recall(tmp_path):
    truth = particle_file(tmp_path / "t.star", [[5, 5, 5], [5, 5, 25], [5, 25, 5]])
    predicted = particle_file(tmp_path / "p.star", [[5, 5, 6], [5, 5, 4], [5, 25, 5]], score=[0.9, 0.8, 0.7], names="another name")
    outcome = run(job("evaluate-picking", tmp_path, [predicted], [truth], radius_px=4, recall_counts="1, 2, 3"))
    assert (outcome.metrics["true_positives"], outcome.metrics["false_positives"], outcome.metrics["false_negatives"]) == (2, 1, 1)
    assert [outcome.metrics[f"recall_at_{count}"] for count in (1, 2, 3)] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert pd.read_csv(tmp_path / "out/precision_recall.csv").precision.tolist() == pytest.approx([1, 0.5, 2 / 3], abs=1e-5)
    assert outcome.metrics["f1_low"] <= outcome.metrics["f1"] <= outcome.metrics["f1_high"]
    assert "calibration_error" in outcome.metrics


def test_picking_of_several_tomograms_in_one_list(tmp_path):
    truth = particle_file(tmp_path / "t.star", [[5, 5, 5], [5, 5, 5]], names=["a", "b"])
    predicted = particle_file(tmp_path / "p.star", [[5, 5, 5], [50, 5, 5], [1, 1, 1]], names=["a", "b", "c"])
    outcome = run(job("evaluate-picking", tmp_path, [predicted], [truth]))
    assert (outcome.metrics["true_positives"], outcome.metrics["false_positives"], outcome.metrics["false_negatives"]) == (1, 1, 1)
    assert outcome.metrics["tomograms"] == 2
    assert any("no truth" in warning for warning in outcome.warnings)
    strangers = particle_file(tmp_path / "s.star", [[5, 5, 5], [5, 5, 5]], names=["x", "y"])
    with pytest.raises(InputError, match="no tomogram"):
        run(job("evaluate-picking", tmp_path, [strangers], [truth]))


def test_picking_by_class_z_range_and_voxel_size(tmp_path):
    truth = particle_file(tmp_path / "t.star", [[5, 5, 5], [5, 25, 5], [40, 5, 5]], class_id=[1, 2, 1])
    predicted = particle_file(tmp_path / "p.star", [[2.25, 2.25, 2.25], [2.25, 12.25, 2.25]], class_id=[1, 1], voxel_size=20.0)
    outcome = run(job("evaluate-picking", tmp_path, [predicted], [truth], class_matching="same", radius_px=1, z_end=30))
    assert outcome.metrics["classes"] == {"1": pytest.approx(2 / 3), "2": 0.0}
    assert any("converted" in warning for warning in outcome.warnings)
    with pytest.raises(ParameterError, match="recall_counts"):
        run(job("evaluate-picking", tmp_path, [predicted], [truth], recall_counts="many"))


def test_restoration(tmp_path):
    clean, noise = np.random.default_rng(0).standard_normal((2, 16, 16, 16)).astype(np.float32)
    write_volume(tmp_path / "t.mrc", clean, 10.0)
    write_volume(tmp_path / "p.mrc", clean + noise, 10.0)
    outcome = run(job("evaluate-restoration", tmp_path, [tmp_path / "p.mrc"], [tmp_path / "t.mrc"]))
    assert outcome.metrics["pearson"] == pytest.approx(np.sqrt(0.5), abs=0.03)
    assert len(pd.read_csv(tmp_path / "out/shell_correlation_001.csv")) == 8
    write_volume(tmp_path / "n.mrc", -clean, 10.0)
    assert "contrast" in run(job("evaluate-restoration", tmp_path, [tmp_path / "n.mrc"], [tmp_path / "t.mrc"])).warnings[0]


def test_jobs_without_a_pair_are_refused(tmp_path):
    with pytest.raises(JobError, match="truth"):
        run(job("evaluate-picking", tmp_path, [tmp_path / "p.star"], []))
    with pytest.raises(JobError, match="evaluation"):
        run(Job(method="evaluate-nothing", output_folder=str(tmp_path)))
