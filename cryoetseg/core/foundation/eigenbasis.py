"""One set of eigenvectors for all slabs at once (spec part 4.4), exact and cheap where affinities come from features.

With features f of unit length per token, W = (1 + F F^T) / 2 = G G^T has the rank of the features: the eigenvectors of
D^-1/2 W D^-1/2 over any number of tokens follow from a matrix as small as the number of feature channels, and every token,
also one that took no part in the fit, gets its entries by one product. So maps agree from tile to tile and from slab to slab.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..runtime.errors import InputError

FLOOR = 1e-6


@dataclass(frozen=True)
class EigenBasis:
    """Eigenvectors as functions of features: ``mean`` and ``total`` centre and weigh a token, ``vectors`` (c + 1, k) project it."""

    mean: np.ndarray
    total: np.ndarray
    vectors: np.ndarray
    values: np.ndarray

    def maps(self, features: np.ndarray) -> np.ndarray:
        """Entries of the k eigenvectors for features (n, c): float32 (n, k), divided by the root of the degree.

        That division turns eigenvectors of D^-1/2 W D^-1/2 into those of the random walk D^-1 W, which are constant where tokens
        are alike, however many there are.
        """
        lifted = _lifted(features, self.mean)
        return (lifted @ self.vectors) / _degrees(lifted, self.total)[:, None]


def fit_basis(features: np.ndarray, count: int) -> EigenBasis:
    """The ``count`` leading eigenvectors of the normalised affinity of tokens with ``features`` (n, c).

    Raises :class:`InputError` for fewer tokens than eigenvectors or features that are all alike.
    """
    if len(features) <= count or count > features.shape[1]:
        raise InputError(f"{len(features)} tokens with {features.shape[1]} features", f"more than {count} of both",
                         "take more slabs or fewer eigenvectors")
    if not np.ptp(features, axis=0).any():
        raise InputError("features that are all alike", "tokens that differ", "check that the tomogram is not empty")
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    lifted = _lifted(features, mean)
    total = lifted.sum(axis=0, dtype=np.float64).astype(np.float32)
    scaled = lifted / np.sqrt(_degrees(lifted, total))[:, None]
    values, vectors = np.linalg.eigh((scaled.T @ scaled).astype(np.float64))
    leading = np.argsort(values)[::-1][:count]
    kept = np.maximum(values[leading], FLOOR)
    return EigenBasis(mean, total, (vectors[:, leading] / np.sqrt(kept)).astype(np.float32), values[leading].astype(np.float32))


def _lifted(features: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Rows g with g_i . g_j = (1 + cos(f_i, f_j)) / 2: never negative, as an affinity must be."""
    centred = features.astype(np.float32) - mean
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + FLOOR
    ones = np.ones((len(centred), 1), np.float32)
    return np.concatenate([centred, ones], axis=1) * np.float32(np.sqrt(0.5))


def _degrees(lifted: np.ndarray, total: np.ndarray) -> np.ndarray:
    return np.maximum(lifted @ total, FLOOR)
