"""Bootstrap and calibration."""
import numpy as np
import pytest

from cryoetseg.core.metrics.uncertainty import blocks_of_slices, bootstrap_interval, calibration


def test_interval_of_a_mean_has_the_width_of_its_standard_error():
    values = np.random.default_rng(0).normal(5, 2, 400)
    interval = bootstrap_interval(values, np.mean, np.random.default_rng(1))
    assert interval.low < interval.value < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.15)
    assert interval == bootstrap_interval(values, np.mean, np.random.default_rng(1))


def test_one_unit_has_no_interval():
    assert np.isnan(bootstrap_interval([3.0], np.mean, np.random.default_rng(0)).low)


def test_blocks_keep_the_sums():
    counts = np.arange(30).reshape(10, 3)
    blocks = blocks_of_slices(counts, 4)
    assert blocks.shape == (3, 3)
    assert blocks.sum(axis=0).tolist() == counts.sum(axis=0).tolist()


def test_calibration_of_honest_and_of_boastful_scores():
    generator = np.random.default_rng(0)
    scores = generator.random(5000)
    hits = generator.random(5000) < scores
    assert calibration(scores, hits).error < 0.03
    assert calibration(np.full(5000, 0.99), hits).error == pytest.approx(0.49, abs=0.03)
    assert calibration(scores, hits).counts.sum() == 5000
