"""Clusters of points whose groups are known."""
import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from cryoetseg.core.clusters.grouping import _without_valleys, clusters_of, likeness
from cryoetseg.core.clusters.params import ClusterParticlesParameters


def groups(sizes, spread=0.08, seed=0):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(len(sizes), 32))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = middles[truth] + spread * rng.normal(size=(len(truth), 32))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), truth


def found(vectors, **changes):
    return clusters_of(vectors, ClusterParticlesParameters(**changes), np.random.default_rng(1))


@pytest.mark.parametrize("method", ["mixture", "hdbscan"])
def test_groups_and_their_number_are_found(method):
    vectors, truth = groups([60, 50, 40, 30])
    clusters = found(vectors, method=method)
    assert clusters.label.max() == 4
    assert adjusted_rand_score(truth, clusters.label) > 0.9
    assert (np.diff(np.bincount(clusters.label)[1:]) <= 0).all()  # the largest first


@pytest.mark.parametrize(("middles", "clouds"), [((0.0,), 1), ((0.0, 8.0), 2)])
def test_several_gaussians_that_share_a_cloud_are_one_cluster(middles, clouds):
    rng = np.random.default_rng(0)
    along = np.concatenate([rng.normal(middle, 1.0, 800) for middle in middles])
    points = np.stack([along, 0.7 * rng.normal(size=len(along))], axis=1)
    model = GaussianMixture(2 * clouds, covariance_type="spherical", random_state=0).fit(points)
    assert _without_valleys(model, points).shape[1] == clouds


def test_a_sample_finds_what_all_belong_to():
    vectors, truth = groups([300, 200, 100])
    clusters = found(vectors, sample=120)
    assert adjusted_rand_score(truth, clusters.label) > 0.95


def test_who_lies_apart_is_unsure():
    vectors, _ = groups([80, 80])
    alone = np.random.default_rng(9).normal(size=(3, 32))
    clusters = found(np.concatenate([vectors, alone / np.linalg.norm(alone, axis=1, keepdims=True)]), method="hdbscan")
    assert (clusters.label[-3:] == 0).all()


def test_few_are_one():
    vectors, _ = groups([3, 3])
    assert set(found(vectors).label) == {1}


def test_likeness_ranks_the_own_group_first():
    vectors, truth = groups([20, 20, 20])
    order = np.argsort(-likeness(vectors, vectors[truth == 1][:3]))
    assert set(truth[order[:20]]) == {1}
