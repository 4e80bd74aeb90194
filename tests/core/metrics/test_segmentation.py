"""Overlap of masks."""
import mrcfile
import numpy as np
import pytest
import torch
from monai.metrics import compute_surface_dice

from cryoetseg.core.metrics import segmentation
from cryoetseg.core.metrics.segmentation import (
    class_scores,
    confusion_matrix,
    dice,
    iou,
    overlap_scores,
    per_slice_dice,
    slice_counts,
    surface_dice,
)
from cryoetseg.core.metrics.views import SlabView
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.streaming import z_slabs


def ball(shape, centre, radius):
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return (np.linalg.norm(grid - np.array(centre), axis=-1) <= radius).astype(np.int8)


def test_voxel_pooled_dice_and_iou():
    predicted, truth = np.zeros((2, 2, 2, 2), dtype=np.int8)
    predicted[0] = 1
    truth[0, 0] = 1
    assert dice(predicted, truth) == pytest.approx(2 * 2 / (2 * 2 + 2))
    assert iou(predicted, truth) == 0.5
    assert overlap_scores(predicted, truth).recall == 1.0


def test_per_slice_dice_counts_empty_slices_as_the_released_script_does():
    """Spec 1.11: empty against empty 1, one empty 0; the voxel-pooled Dice is another number."""
    predicted, truth = np.zeros((2, 4, 3, 3), dtype=np.int8)
    predicted[1], truth[1] = 1, 1
    predicted[2, 0, 0] = 1
    truth[3, 0, 0] = 1
    assert per_slice_dice(predicted, truth) == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert dice(predicted, truth) == pytest.approx(18 / 20)


def test_empty_masks():
    nothing, something = np.zeros((3, 4, 4)), np.ones((3, 4, 4))
    assert (dice(nothing, nothing), iou(nothing, nothing), surface_dice(nothing, nothing, 1)) == (1.0, 1.0, 1.0)
    assert (dice(nothing, something), iou(something, nothing)) == (0.0, 0.0)


def test_confusion_matrix_and_class_scores():
    truth = np.array([[[0, 1, 1, 2]]])
    predicted = np.array([[[0, 1, 2, 2]]])
    matrix = confusion_matrix(predicted, truth)
    assert matrix.tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
    scores = class_scores(matrix)
    assert scores[1].dice == pytest.approx(2 / 3)
    assert scores[2].recall == 1.0
    with pytest.raises(InputError, match="fractions"):
        confusion_matrix(predicted + 0.5, truth)


def test_surface_dice_agrees_with_monai():
    """One slice of air around the balls; MONAI wants one-hot (batch, class, ...) and a tolerance a class."""
    first, second = ball((24, 24, 24), (12, 12, 12), 7), ball((24, 24, 24), (12, 13, 13), 8)
    for tolerance in (0.0, 1.0, 2.0):
        one_hot = [torch.from_numpy(np.stack([1 - mask, mask])[None]) for mask in (first, second)]
        expected = compute_surface_dice(one_hot[0], one_hot[1], [tolerance], use_subvoxels=False).item()
        assert surface_dice(first, second, tolerance) == pytest.approx(expected, abs=1e-6)


def test_streaming_gives_the_same_numbers(monkeypatch):
    generator = np.random.default_rng(0)
    first, second = (generator.random((2, 20, 12, 14)) > 0.6).astype(np.int8)
    whole = (slice_counts(first, second), confusion_matrix(first, second), surface_dice(first, second, 1.5))
    monkeypatch.setattr(segmentation, "z_slabs", lambda shape, itemsize=4: z_slabs(shape, itemsize, limit=1))
    assert np.array_equal(slice_counts(first, second), whole[0])
    assert np.array_equal(confusion_matrix(first, second), whole[1])
    assert surface_dice(first, second, 1.5) == whole[2]


def test_memory_maps_and_views(tmp_path):
    mask = ball((10, 12, 12), (5, 6, 6), 4)
    with mrcfile.new(tmp_path / "mask.mrc") as file:
        file.set_data(mask)
    with mrcfile.mmap(tmp_path / "mask.mrc") as file:
        assert dice(file.data, mask) == 1.0
        view = SlabView(file.data, 2, 8, threshold=0.5)
        assert view.shape == (6, 12, 12)
        assert dice(view, mask[2:8]) == 1.0


def test_unequal_shapes_are_refused():
    with pytest.raises(InputError, match="resample"):
        dice(np.zeros((2, 2, 2)), np.zeros((2, 2, 3)))
