"""Applying the student: tiles without seams, ranges, other voxel sizes, files."""

import numpy as np
import pytest
import torch

from cryoetseg.core.metrics.segmentation import overlap_scores
from cryoetseg.core.models.card import save_model
from cryoetseg.core.runtime.errors import ParameterError, WeightsError
from cryoetseg.core.runtime.job import InputFile, Job
from cryoetseg.core.students.membranes.apply import run, segment_membranes, stack_function
from cryoetseg.core.students.membranes.params import SegmentMembranesParameters
from cryoetseg.core.volumes.io import read_labels, read_volume, write_volume
from cryoetseg.core.volumes.resampling import resample
from cryoetseg.core.volumes.tiles import fitted_edge, plan_axis

from .conftest import SHAPE, VOXEL_SIZE, sheet

ALL = SegmentMembranesParameters(smallest_component=0)


def test_each_plane_is_seen_with_its_own_neighbours(trained):
    tile = np.random.default_rng(0).normal(size=(1, 5, 32, 32)).astype(np.float32)
    function = stack_function(trained.model, torch.device("cpu"))
    whole = function(tile)
    np.testing.assert_allclose(function(tile[:, 1:4])[:, 1], whole[:, 2], atol=0.02)  # bfloat16 on some processors
    other = tile.copy()
    other[:, 4] += 5
    np.testing.assert_allclose(function(other)[:, :3], whole[:, :3], atol=0.02)
    assert np.abs(function(other)[:, 3] - whole[:, 3]).max() > 0.05


def test_small_tiles_agree_with_one_large_tile(trained):
    grey, _ = sheet(5, (20, 96, 96))
    whole = segment_membranes(grey, VOXEL_SIZE, trained.model, ALL, device="cpu")
    tiled = segment_membranes(grey, VOXEL_SIZE, trained.model, ALL.model_copy(update={"tile_px": 64, "overlap_px": 32}), device="cpu")
    assert overlap_scores(tiled.mask, whole.mask).dice > 0.97
    seam = np.abs(np.diff(tiled.probability.astype(np.float32) - whole.probability, axis=2)).mean(axis=(0, 1))
    assert seam.max() < 0.05


class Blocks(torch.nn.Module):
    """Answers by means over squares of 16 voxels, as coarse as a network's coarsest grid: the squares tell where a tile starts."""

    def forward(self, images):
        middle = images[:, images.shape[1] // 2][:, None]
        blocks = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(middle, 16), scale_factor=16)
        return torch.cat([-blocks, blocks], dim=1)


def test_where_tiles_lie_changes_nothing_for_a_network_that_shrinks_its_input(trained):
    grey = np.random.default_rng(0).normal(size=(20, 150, 134)).astype(np.float32)
    model = trained.model._replace(network=Blocks())
    whole, tiled = (segment_membranes(grey, VOXEL_SIZE, model, ALL.model_copy(update={"tile_px": tile}), device="cpu").probability
                    for tile in (96, 64))
    assert whole.astype(np.float32).std() > 0.01
    np.testing.assert_allclose(tiled.astype(np.float32), whole, atol=1e-3)


@pytest.mark.parametrize(("size", "side"), [(502, 192), (256, 256), (928, 256), (40, 48), (260, 160)])
def test_tiles_are_no_larger_than_as_many_of_them_need(size, side):
    assert fitted_edge(size, 256, 32, 16) == side
    count = len(plan_axis(size, side, 32).starts)
    assert count == len(plan_axis(size, 256, 32).starts)


def test_a_tomogram_as_narrow_as_the_overlap_of_tiles_is_segmented(trained):
    grey, _ = sheet(3)
    whole = segment_membranes(grey[:, :32, :32], VOXEL_SIZE, trained.model, ALL, device="cpu")
    assert whole.probability.shape == (len(grey), 32, 32)
    assert whole.mask.any()


def test_mirror_images_are_averaged(trained):
    tile = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    function = stack_function(trained.model, torch.device("cpu"), flips=True)
    np.testing.assert_allclose(function(tile[..., ::-1].copy())[..., ::-1], function(tile), atol=0.02)


def test_a_slice_range_and_small_components(trained):
    grey, _ = sheet(3)
    part = segment_membranes(grey, VOXEL_SIZE, trained.model, ALL.model_copy(update={"z_start": 4, "z_end": 9}), device="cpu")
    used = np.flatnonzero(part.probability.any(axis=(1, 2)))
    assert (used[0], used[-1]) == (4, 8)
    nothing = segment_membranes(grey, VOXEL_SIZE, trained.model, SegmentMembranesParameters(smallest_component=1e9), device="cpu")
    assert not nothing.mask.any()
    with pytest.raises(ParameterError, match="4:40"):
        segment_membranes(grey, VOXEL_SIZE, trained.model, SegmentMembranesParameters(z_start=4, z_end=40), device="cpu")


def test_where_sample_and_ice_are_alike_every_slice_is_taken_and_told(trained, tmp_path):
    grey, _ = sheet(3)
    write_volume(tmp_path / "a.mrc", -grey, VOXEL_SIZE)
    save_model(tmp_path / "model", trained.model.network, trained.model.card)
    inputs = [InputFile(path=str(tmp_path / "model"), role="model"), InputFile(path=str(tmp_path / "a.mrc"), tilt_series_id="a")]
    outcome = run(Job(method="segment-membranes", parameters={"z_auto": True}, inputs=inputs, output_folder=str(tmp_path)))
    assert outcome.metrics["a"]["slices"] == f"0:{len(grey)}"
    assert "could not be told apart" in outcome.warnings[0]


def test_files_of_another_voxel_size_come_back_on_their_own_grid(trained, tmp_path):
    grey, _ = sheet(3)
    fine = resample(grey, VOXEL_SIZE, 8.0)
    write_volume(tmp_path / "same.mrc", -grey, VOXEL_SIZE)
    write_volume(tmp_path / "fine.mrc", -fine, 8.0)
    save_model(tmp_path / "model", trained.model.network, trained.model.card)
    inputs = [InputFile(path=str(tmp_path / "model"), role="model"),
              *(InputFile(path=str(tmp_path / f"{name}.mrc"), tilt_series_id=name) for name in ("same", "fine"))]
    outcome = run(Job(method="segment-membranes", parameters={"smallest_component": 0}, inputs=inputs, output_folder=str(tmp_path / "out")))
    mask, header = read_labels(tmp_path / "out" / "fine_membranes.mrc")
    assert (mask.shape, header.voxel_size) == (fine.shape, 8.0)
    assert header.dtype == np.int8
    _, fine_truth = sheet(3)
    expected = resample(fine_truth, VOXEL_SIZE, 8.0) > 0.5
    assert overlap_scores(mask, expected.astype(np.int8)).dice > 0.75
    assert "8 A, the model was trained on 10 A" in " ".join(outcome.warnings)
    probability, header = read_volume(tmp_path / "out" / "same_membranes_probability.mrc")
    assert header.dtype == np.float16
    assert probability.shape == SHAPE
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "same_membranes.mrc")[0], probability >= 0.5)


def test_a_damaged_model_is_refused(trained, tmp_path):
    save_model(tmp_path / "model", trained.model.network, trained.model.card)
    (tmp_path / "model" / "model.safetensors").write_bytes(b"no weights")
    grey, _ = sheet(3)
    write_volume(tmp_path / "a.mrc", grey, VOXEL_SIZE)
    inputs = [InputFile(path=str(tmp_path / "model"), role="model"), InputFile(path=str(tmp_path / "a.mrc"))]
    with pytest.raises(WeightsError, match="damaged"):
        run(Job(method="segment-membranes", inputs=inputs, output_folder=str(tmp_path / "out")))


def test_the_slices_beside_the_range_are_seen(trained):
    grey, _ = sheet(3)
    other = grey.copy()
    other[3] += np.random.default_rng(0).normal(0, 3, grey.shape[1:])
    part = ALL.model_copy(update={"z_start": 4, "z_end": 6})
    first, second = (segment_membranes(volume, VOXEL_SIZE, trained.model, part, device="cpu").probability for volume in (grey, other))
    difference = np.abs(first.astype(np.float32) - second)
    assert difference[4].max() > 5 * difference[5].max()
    assert difference[4].max() > 0.1
