"""From a tomogram to class maps and coordinates, with a network that learned three shapes."""
import numpy as np
import pytest
import torch
from three_shapes_phantom import three_shapes
from torch import nn

from cryoetseg.core.metrics.picking import match_points
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.models.card import ModelCard, save_model
from cryoetseg.core.models.deepfinder import DeepFinderNet
from cryoetseg.core.particles.formats import read_particles
from cryoetseg.core.runtime.errors import WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.segmenter import inference
from cryoetseg.core.students.segmenter.apply import nearest_into, run
from cryoetseg.core.students.segmenter.inference import segment_classes, strips
from cryoetseg.core.students.segmenter.params import SegmentClassesParameters
from cryoetseg.core.volumes.io import read_labels
from cryoetseg.core.volumes.resampling import resample

TILES = {"tile_px": 32, "overlap_px": 8}


def apply(folder, model, tomogram, **parameters):
    inputs = [InputFile(path=str(model), role="model"), tomogram]
    return run(Job(method="segment-classes", parameters={**TILES, **parameters}, inputs=inputs, output_folder=str(folder), device="cpu"))


def correct(table, centres, radius):
    """Particles of the right class within ``radius`` of a true one."""
    return sum(len(match_points(table.zyx[table.class_id == value], centres[value], radius).distance) for value in centres)


def test_three_shapes_are_told_apart_in_a_dark_tomogram_of_another_scale_of_grey(trained, files, tmp_path):
    inputs, labels, centres = files(1)
    outcome = apply(tmp_path / "out", trained.folder.parent, inputs["tomogram"], probabilities=True)
    classes, header = read_labels(tmp_path / "out" / "t_classes.mrc")
    assert [dice(classes == value, labels == value) > 0.6 for value in (1, 2, 3)] == [True] * 3
    table = read_particles(tmp_path / "out" / "t_particles.star")
    assert correct(table, centres, 3) >= 10
    assert len(table) <= 14
    assert header.dtype == np.int8
    assert [output.kind for output in outcome.outputs] == ["class_mask", "class_confidence", *["class_probability"] * 4, "particles"]
    shares = np.stack([read_labels(tmp_path / "out" / f"t_class{value}_probability.mrc")[0] for value in range(4)])
    assert abs(shares.sum(axis=0) - 100).max() <= 2
    confidence, _ = read_labels(tmp_path / "out" / "t_confidence.mrc")
    np.testing.assert_array_equal(confidence, shares.max(axis=0))
    assert sum(outcome.metrics["t"]["particles"].values()) == len(table)


def test_a_tomogram_of_half_the_voxel_size_is_resampled_and_the_results_come_back(trained, tmp_path):
    from cryoetseg.core.volumes.io import write_volume

    data, labels, centres = three_shapes(1)
    write_volume(tmp_path / "fine.mrc", resample(data, 10.0, 5.0), 5.0)
    fine = InputFile(path=str(tmp_path / "fine.mrc"), role="tomogram", tilt_series_id="fine", contrast="bright")
    outcome = apply(tmp_path / "out", trained.folder, fine)
    assert len(outcome.warnings) == 1
    assert "5 A" in outcome.warnings[0]
    classes, header = read_labels(tmp_path / "out" / "fine_classes.mrc")
    assert header.shape == tuple(2 * size for size in data.shape)
    doubled = np.repeat(np.repeat(np.repeat(labels, 2, 0), 2, 1), 2, 2)
    assert dice(classes > 0, doubled > 0) > 0.6
    table = read_particles(tmp_path / "out" / "fine_particles.star")
    assert correct(table, {value: np.array(points) * 2 + 0.5 for value, points in centres.items()}, 6) >= 8


def test_strips_and_tiles_give_the_classes_of_one_piece(monkeypatch):
    torch.manual_seed(0)
    pooled = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.MaxPool3d(4), nn.Upsample(scale_factor=4), nn.Conv3d(4, 3, 3, padding=1))
    volume = np.random.default_rng(0).standard_normal((40, 120, 40)).astype(np.float32)
    whole = segment_classes(volume, pooled, SegmentClassesParameters(tile_px=128, overlap_px=64), "cpu")
    monkeypatch.setattr(inference, "BAND_BYTES", 0)
    assert len(strips(volume.shape, 32, 16, 3)) > 1
    pieces = segment_classes(volume, pooled, SegmentClassesParameters(tile_px=32, overlap_px=16), "cpu")
    assert abs(whole.confidence.astype(int) - pieces.confidence)[8:-8, 8:-8, 8:-8].max() <= 3  # percent: bfloat16 rounds
    assert (whole.classes == pieces.classes)[8:-8, 8:-8, 8:-8].mean() > 0.98


def test_strips_cover_the_volume_once_within_the_memory_limit():
    pieces = strips((1000, 960, 928), 64, 16, 16)
    assert pieces[0][0] == 0
    assert pieces[-1][1] == 960
    assert all(left[1] == right[0] and right[0] % 4 == 0 for left, right in zip(pieces, pieces[1:]))
    assert max(b - a + 32 for a, b in pieces) * 4 * 16 * 64 * 928 < 0.7e9
    assert strips((64, 100, 100), 64, 24, 3) == [(0, 100)]


def test_the_nearest_class_is_brought_back_for_any_pair_of_sizes():
    classes = np.arange(2 * 3 * 4, dtype=np.int8).reshape(2, 3, 4)
    finer, coarser = np.zeros((4, 6, 8), np.int8), np.zeros((1, 1, 2), np.int8)
    nearest_into(classes, finer)
    np.testing.assert_array_equal(finer, np.repeat(np.repeat(np.repeat(classes, 2, 0), 2, 1), 2, 2))
    nearest_into(classes, coarser)
    assert coarser.ravel().tolist() == [classes[1, 1, 1], classes[1, 1, 3]]


def test_a_model_of_another_method_is_refused(files, tmp_path):
    card = ModelCard(method="picker", network="DeepFinder", network_parameters={"classes": 4}, voxel_size=10.0, normalisation="none")
    save_model(tmp_path / "model", DeepFinderNet(4), card)
    with pytest.raises(WeightsError, match="picker"):
        apply(tmp_path / "out", tmp_path / "model", files(1)[0]["tomogram"])
