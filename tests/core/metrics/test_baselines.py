"""Baselines on phantoms with known truth."""
import numpy as np
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals
from skimage.filters import threshold_otsu

from cryoetseg.core.metrics import baselines
from cryoetseg.core.metrics.baselines import gaussian_otsu, hessian_sheets, sheet_response, without_small_components
from cryoetseg.core.metrics.segmentation import dice
from cryoetseg.core.volumes.streaming import z_slabs


def sheet_and_blob():
    """A bright plane across x with a bright ball beside it, in noise, and the masks of both."""
    grid = np.stack(np.meshgrid(*[np.arange(32.0)] * 3, indexing="ij"), axis=-1)
    plane = np.abs(grid[..., 2] - 10) <= 2
    ball = np.linalg.norm(grid - (16, 16, 24), axis=-1) <= 4
    noise = np.random.default_rng(0).standard_normal(plane.shape)
    return (2.0 * (plane | ball) + 0.5 * noise).astype(np.float32), plane, ball


def test_sheet_filter_finds_the_plane_and_not_the_ball():
    volume, plane, ball = sheet_and_blob()
    strength = sheet_response(volume, 2.0)
    assert strength[plane].mean() > 5 * strength[ball].mean()
    mask = hessian_sheets(volume, 2.0)
    assert mask.dtype == np.int8
    assert dice(mask, plane) > 0.7  # the response ends where the curvature does, within the plane
    assert mask[ball].mean() < 0.05


def test_gaussian_otsu_finds_everything_bright():
    volume, plane, ball = sheet_and_blob()
    assert dice(gaussian_otsu(volume, 1.0), plane | ball) > 0.8
    assert gaussian_otsu(volume, 1.0, minimum_voxels=1000)[ball].sum() == 0


def test_tiles_change_nothing(monkeypatch):
    volume, _, _ = sheet_and_blob()
    whole = hessian_matrix_eigvals(hessian_matrix(volume, 1.5, mode="nearest", order="rc", use_gaussian_derivatives=False))
    expected = np.maximum(-whole[2] - np.maximum(np.abs(whole[0]), np.abs(whole[1])), 0) * 1.5**2
    monkeypatch.setattr(baselines, "TILE", (5, 9, 16))
    np.testing.assert_allclose(sheet_response(volume, 1.5), expected, atol=1e-6)
    monkeypatch.setattr(baselines, "z_slabs", lambda shape, *_: z_slabs(shape, limit=5 * 4 * 32 * 32))
    smoothed = ndimage.gaussian_filter(volume, 1.0)
    np.testing.assert_array_equal(gaussian_otsu(volume, 1.0), smoothed > threshold_otsu(smoothed))


def test_small_components_go():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[0, 0, :5] = mask[3:5, 3:5, 3:5] = True
    assert without_small_components(mask, 6).sum() == 8


def test_a_volume_without_sheets():
    assert hessian_sheets(np.zeros((8, 8, 8), dtype=np.float32), 1.0).sum() == 0


def test_how_many_cores_filter_changes_nothing(monkeypatch):
    volume = np.random.default_rng(0).normal(size=(5, 20, 40)).astype(np.float32)
    monkeypatch.setattr(baselines, "TILE", (4, 8, 16))
    answers = []
    for cores in (1, 3):
        monkeypatch.setattr(baselines, "usable_cores", lambda cores=cores: cores)
        answers.append(sheet_response(volume, 1.0))
    np.testing.assert_array_equal(*answers)
    assert answers[0].any()
