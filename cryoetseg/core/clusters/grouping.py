"""Clusters of points on a sphere: how many there are is found; who belongs to none with certainty is unsure."""
from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from .params import ClusterParticlesParameters

UNSURE = 0
SMALLEST_SHARE, FEWEST = 0.02, 5
DIMENSIONS = 5  # axes of the embedding in which Gaussians are fitted
PATIENCE = 4  # numbers of Gaussians without an improvement before the search ends
VALLEY = 0.8  # of the lower of two peaks: what does not fall below it between them is one cluster
NEIGHBOURS = 10


class Clusters(NamedTuple):
    """``label`` (n,) from 1 on, the largest cluster first, 0 for unsure; ``confidence`` (n,) that a particle belongs to it."""

    label: np.ndarray
    confidence: np.ndarray


def clusters_of(vectors: np.ndarray, p: ClusterParticlesParameters, rng: np.random.Generator) -> Clusters:
    """Clusters of unit vectors (n, d)."""
    count = len(vectors)
    smallest = p.smallest_cluster or max(FEWEST, round(SMALLEST_SHARE * min(count, p.sample)))
    if count < 2 * smallest:
        return Clusters(np.full(count, 1 if count else 0), np.ones(count))
    chosen = np.sort(rng.choice(count, p.sample, replace=False)) if count > p.sample else np.arange(count)
    seed = int(rng.integers(2**31))
    probability = _mixture(vectors[chosen], p, smallest, seed) if p.method == "mixture" else _dense(vectors[chosen], smallest)
    if len(chosen) < count:
        probability = _spread(vectors[chosen], probability, vectors)
    return _named(probability, p.confidence, smallest)


def _mixture(vectors: np.ndarray, p: ClusterParticlesParameters, smallest: int, seed: int) -> np.ndarray:
    """Probabilities (n, k) under the mixture of Gaussians with the best Bayesian information criterion."""
    points = PCA(min(DIMENSIONS, *vectors.shape), random_state=seed).fit_transform(vectors)
    best, lowest, waited = None, np.inf, 0
    for number in range(1, min(p.most_clusters, len(points) // smallest) + 1):
        model = GaussianMixture(number, covariance_type="spherical", n_init=3, reg_covar=1e-4, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(points)
        criterion = model.bic(points)
        waited = 0 if criterion < lowest else waited + 1
        if criterion < lowest:
            best, lowest = model, criterion
        if waited >= PATIENCE:
            break
    return _without_valleys(best, points)


def _without_valleys(model: Any, points: np.ndarray) -> np.ndarray:
    """Probabilities (n, k) with Gaussians joined between which the density of ``points`` has no valley: several make up one cloud of
    another shape (ridgeline criterion, Ray and Lindsay 2005, on the straight line)."""
    steps = np.linspace(0, 1, 21)[:, None]
    joined = np.eye(model.n_components, dtype=bool)
    for one in range(model.n_components):
        for other in range(one):
            density = model.score_samples(model.means_[one] * (1 - steps) + model.means_[other] * steps)
            joined[one, other] = density.min() - min(density[0], density[-1]) > np.log(VALLEY)
    number, cloud = connected_components(joined, directed=False)
    probability = model.predict_proba(points)
    return np.stack([probability[:, cloud == group].sum(axis=1) for group in range(number)], axis=1)


def _dense(vectors: np.ndarray, smallest: int) -> np.ndarray:
    """Probabilities (n, k) by HDBSCAN; rows of zeros for what lies in no dense region."""
    model = HDBSCAN(min_cluster_size=smallest, min_samples=max(2, smallest // 2)).fit(vectors)
    probability = np.zeros((len(vectors), max(1, int(model.labels_.max()) + 1)))
    inside = model.labels_ >= 0
    probability[inside, model.labels_[inside]] = model.probabilities_[inside]
    return probability


def _spread(vectors: np.ndarray, probability: np.ndarray, everything: np.ndarray) -> np.ndarray:
    """Probabilities of all particles from those of their nearest neighbours among the ones that found the clusters."""
    labels = np.where(probability.max(axis=1) > 0, probability.argmax(axis=1), -1)
    model = KNeighborsClassifier(min(NEIGHBOURS, len(vectors)), weights="distance").fit(vectors, labels)
    result = np.zeros((len(everything), probability.shape[1]))
    for first in range(0, len(everything), 4096):
        part = model.predict_proba(everything[first:first + 4096])
        for column, label in enumerate(model.classes_):
            if label >= 0:
                result[first:first + 4096, label] = part[:, column]
    return result


def _named(probability: np.ndarray, least: float, smallest: int) -> Clusters:
    best, confidence = probability.argmax(axis=1), probability.max(axis=1)
    sure = (confidence >= least) & (confidence > 0)
    sizes = np.bincount(best[sure], minlength=probability.shape[1])
    order = [number for number in np.argsort(-sizes, kind="stable") if sizes[number] >= max(1, smallest // 2)]
    numbers = np.zeros(probability.shape[1], dtype=np.int64)
    numbers[order] = np.arange(1, len(order) + 1)
    return Clusters(np.where(sure, numbers[best], UNSURE), confidence)


def flat_map(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places (n, 2) on a plane on which neighbours stay neighbours (t-SNE)."""
    if len(vectors) < 5:
        return np.zeros((len(vectors), 2))
    model = TSNE(2, perplexity=min(30.0, (len(vectors) - 1) / 3), metric="cosine", init="random", random_state=int(rng.integers(2**31)))
    return np.asarray(model.fit_transform(vectors))


def likeness(vectors: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """How much each unit vector (n, d) is like the ``examples`` (m, d): the mean of its two largest cosines to them."""
    cosines = vectors @ examples.T
    return np.sort(cosines, axis=1)[:, -2:].mean(axis=1)
