"""What is done to reconstructions: spectra, smoothing, clipping, grey steps."""

import numpy as np
import pytest

from cryoetseg.core.simulation.finishing import Finishing, draw_finishing, finish, rounded, with_spectrum

NOISE = np.random.default_rng(0).standard_normal((24, 32, 32)).astype(np.float32)


def test_nothing_asked_only_standardises():
    result = finish(3 * NOISE + 5, Finishing())
    np.testing.assert_allclose(result, (NOISE - NOISE.mean()) / NOISE.std(), atol=1e-5)


def test_a_flat_spectrum_scales_and_a_falling_one_smooths():
    np.testing.assert_allclose(with_spectrum(NOISE, (np.log(2),) * 5), 2 * NOISE, atol=1e-4)
    falling = with_spectrum(NOISE, (0.0, -2.0, -4.0, -6.0, -8.0))
    fine = np.abs(np.diff(falling, axis=2)).mean() / falling.std()
    assert fine < 0.5 * np.abs(np.diff(NOISE, axis=2)).mean() / NOISE.std()


@pytest.mark.parametrize(("kind", "width"), [("gaussian", 1.0), ("median", 3.0), ("mean", 3.0)])
def test_each_smoothing_smooths(kind, width):
    result = finish(NOISE, Finishing(smoothing=kind, width_px=width))
    assert np.abs(np.diff(result, axis=0)).mean() < 0.75 * np.abs(np.diff(NOISE, axis=0)).mean()
    assert result.std() == pytest.approx(1, abs=1e-3)


def test_clipping_and_grey_steps_keep_their_counts():
    clipped = finish(NOISE, Finishing(clip=2.0))
    assert clipped.min() == pytest.approx(-2)
    assert clipped.max() == pytest.approx(2)
    assert len(np.unique(finish(NOISE, Finishing(clip=2.0, grey_steps=32)))) == 32
    assert np.abs(rounded(NOISE, 256) - NOISE).max() <= (NOISE.max() - NOISE.min()) / 255 / 2 + 1e-6


def test_draws_are_repeatable_and_have_their_shares():
    draws = [draw_finishing(np.random.default_rng(number)) for number in range(600)]
    assert draws[7] == draw_finishing(np.random.default_rng(7))
    shares = [np.mean([bool(draw.spectrum) for draw in draws]), np.mean([draw.smoothing != "none" for draw in draws]),
              np.mean([draw.clip > 0 for draw in draws]), np.mean([draw.grey_steps > 0 for draw in draws])]
    np.testing.assert_allclose(shares, [0.5, 1 / 3, 0.5, 1 / 3], atol=0.07)
    assert {draw.smoothing for draw in draws} == {"none", "gaussian", "median", "mean"}
