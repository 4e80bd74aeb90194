"""Counts on points whose density and order are known."""
import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from cryoetseg.core.clusters.counts import Sample, concentrations, neighbour_curve, neighbour_table, promised, sample_of
from cryoetseg.core.volumes.cleaned import cleaned

RADII = np.array([0.0, 50.0, 100.0, 200.0])


def even(count, side=1000.0, seed=0):
    return np.random.default_rng(seed).uniform(0, side, (count, 3))


def test_evenly_spread_particles_have_the_neighbours_of_chance_also_at_the_borders():
    curves = [neighbour_curve(even(600, seed=seed), even(20_000, seed=100), RADII) for seed in range(1, 6)]
    np.testing.assert_allclose(np.mean(curves, axis=0)[1:], 1, atol=0.12)


def test_pairs_are_seen_at_their_distance_and_a_lattice_keeps_apart():
    first = even(300, seed=1)
    pairs = np.concatenate([first, first + np.array([0, 0, 30.0])])
    close, middle, far = neighbour_curve(pairs, even(20_000, seed=2), RADII)
    assert close > 3
    assert (middle, far) == (pytest.approx(1, abs=0.5), pytest.approx(1, abs=0.2))
    lattice = np.stack(np.meshgrid(*[np.arange(60, 1000, 120.0)] * 3), axis=-1).reshape(-1, 3)
    assert neighbour_curve(lattice, even(20_000, seed=3), RADII)[:2].tolist() == [0, 0]


def rows(scores=(0.9, 0.5, 0.2, 0.4)):
    return pd.DataFrame({"tilt_series_id": ["a", "a", "a", "b"], "cluster": [1, 1, 0, 2], "score": scores, "voxel_size": 10.0,
                         "z": 0.0, "y": 0.0, "x": np.arange(4.0)})


SAMPLES = {name: Sample(volume, even(100), True) for name, volume in (("a", 2e12), ("b", 5e11))}


def test_concentrations_are_numbers_over_the_volume_of_the_sample():
    table = concentrations(rows(), SAMPLES).set_index(["tilt_series_id", "cluster"])
    assert table.loc[("a", "all"), "per_um3"] == 1.5
    assert table.loc[("a", "1"), "particles"] == 2
    assert table.loc[("a", "unsure"), "per_um3"] == 0.5
    assert table.loc[("b", "2"), "per_um3"] == 2
    assert table.loc[("b", "2"), "micromolar"] == pytest.approx(2 / 602.214)  # 1 micromolar is 602 in a cubic micrometre
    assert table.loc[("a", "all"), "expected_true"] == pytest.approx(1.6)


def test_probabilities_promise_precision_and_recall_and_other_scores_nothing():
    table = promised(np.array([0.9, 0.5, 0.2])).set_index("threshold")
    assert table.loc[0.3, "particles"] == 2
    assert table.loc[0.3, "precision"] == pytest.approx(0.7)
    assert table.loc[0.3, "recall_of_listed"] == pytest.approx(1.4 / 1.6)
    assert not len(promised(np.array([3.0, 0.5])))
    assert not len(promised(np.array([np.nan, 0.5])))
    assert np.isnan(concentrations(rows((5, 1, 1, 1)), SAMPLES)["expected_true"].iloc[0])


def test_few_particles_of_a_tomogram_have_no_curve():
    assert set(neighbour_table(rows(), SAMPLES, RADII)["cluster"]) == set()
    many = pd.concat([rows()] * 3)
    assert set(neighbour_table(many, SAMPLES, RADII)["cluster"]) == {"all", "1"}


def test_the_sample_is_the_slab_and_its_points_lie_inside():
    """Structure in the middle 24 of 64 slices; the rest is weak noise."""
    rng = np.random.default_rng(0)
    volume = rng.normal(0, 1, (64, 96, 96))
    volume[20:44] += 2 * gaussian_filter(rng.normal(0, 1, (24, 96, 96)), 2) / 0.05
    sample = sample_of(cleaned(volume.astype(np.float32), "bright"), 10.0, rng, 2000)
    assert sample.found
    assert sample.volume == pytest.approx(24 * 96 * 96 * 1000, rel=0.35)
    assert ((sample.points[:, 0] > 12) & (sample.points[:, 0] < 52)).mean() > 0.98


def test_without_a_slab_all_valid_voxels_are_the_sample():
    volume = np.random.default_rng(0).normal(0, 1, (32, 64, 64)).astype(np.float32)
    volume[:, :, :16] = 7.0
    sample = sample_of(cleaned(volume, "bright"), 10.0, np.random.default_rng(1), 5000)
    assert not sample.found
    assert sample.volume == pytest.approx(32 * 64 * 48 * 1000, rel=0.05)
    assert sample.points[:, 2].min() > 14
