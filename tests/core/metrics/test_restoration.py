"""Restoration scores in both conventions."""
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cryoetseg.core.metrics import restoration
from cryoetseg.core.metrics.restoration import pearson, psnr, restoration_scores, ssim, standardised_pair
from cryoetseg.core.runtime.errors import InputError
from cryoetseg.core.volumes.streaming import z_slabs


def pair_with_correlation(r, shape=(20, 24, 24)):
    generator = np.random.default_rng(0)
    truth, noise = generator.standard_normal((2, *shape)).astype(np.float32)
    return r * truth + np.sqrt(1 - r**2) * noise, truth


def test_half_correlation_has_unit_error():
    """Spec F2: on standardised volumes MSE = 2 (1 - r), so r = 0.5 gives MSE 1.0."""
    restored, truth = standardised_pair(*pair_with_correlation(0.5, (40, 40, 40)))
    r = pearson(restored, truth)
    assert r == pytest.approx(0.5, abs=0.02)
    assert np.mean((restored - truth) ** 2) == pytest.approx(2 * (1 - r), abs=1e-4)
    assert psnr(restored, truth) == pytest.approx(10 * np.log10(np.ptp(truth) ** 2 / (2 * (1 - r))), abs=1e-3)


def test_agrees_with_scikit_image_however_it_is_cut(monkeypatch):
    restored, truth = standardised_pair(*pair_with_correlation(0.7))
    span = float(np.ptp(truth))
    monkeypatch.setattr(restoration, "z_slabs", lambda shape: z_slabs(shape, limit=1))
    monkeypatch.setattr(restoration, "SSIM_BLOCK", (9, 8))
    assert ssim(restored, truth) == pytest.approx(structural_similarity(restored, truth, win_size=7, data_range=span), abs=1e-5)
    assert ssim(restored, truth, 2.0) == pytest.approx(structural_similarity(restored, truth, win_size=7, data_range=2.0), abs=1e-5)
    assert psnr(restored, truth) == pytest.approx(peak_signal_noise_ratio(truth, restored, data_range=span), abs=1e-4)


def test_scale_and_offset_do_not_matter_and_conventions_differ():
    restored, truth = pair_with_correlation(0.6)
    scores = restoration_scores(restored * 37 - 5, truth)
    assert scores == pytest.approx(restoration_scores(restored, truth), abs=1e-4)
    assert scores.ssim > scores.ssim_paper


def test_a_perfect_result():
    truth = pair_with_correlation(0.5)[1]
    scores = restoration_scores(truth, truth)
    assert (scores.psnr, scores.ssim) == (np.inf, pytest.approx(1.0))


def test_unusable_volumes_are_refused():
    truth = pair_with_correlation(0.5)[1]
    with pytest.raises(InputError, match="constant"):
        restoration_scores(np.zeros_like(truth), truth)
    with pytest.raises(InputError, match="shape"):
        restoration_scores(truth[:5], truth)
    with pytest.raises(InputError, match="7 voxels"):
        restoration_scores(truth[:5], truth[:5])
