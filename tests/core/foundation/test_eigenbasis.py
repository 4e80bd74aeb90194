import numpy as np
import pytest

from cryoetseg.core.foundation.eigenbasis import fit_basis
from cryoetseg.core.runtime.errors import InputError

COUNT = 6


def features(tokens=150, channels=12, seed=0):
    """Tokens of three kinds with noise, so that the leading eigenvalues lie apart."""
    rng = np.random.default_rng(seed)
    kinds = rng.normal(size=(3, channels)) * 2
    return (kinds[rng.integers(3, size=tokens)] + rng.normal(size=(tokens, channels)) * np.linspace(1.5, 0.3, channels)).astype(np.float32)


def dense(tokens):
    """The same by the definition: eigenvalues and eigenvectors over the root of the degree, largest first."""
    centred = tokens.astype(float) - tokens.mean(axis=0, dtype=float)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    affinity = (1 + centred @ centred.T) / 2
    degree = affinity.sum(axis=1)
    values, vectors = np.linalg.eigh(affinity / np.sqrt(np.outer(degree, degree)))
    return values[::-1][:COUNT], vectors[:, ::-1][:, :COUNT] / np.sqrt(degree)[:, None]


def same_signs(maps, truth):
    return maps * np.sign((maps * truth).sum(axis=0))


def test_values_and_vectors_are_those_of_the_dense_decomposition():
    tokens = features()
    basis = fit_basis(tokens, COUNT)
    values, vectors = dense(tokens)
    np.testing.assert_allclose(basis.values, values, atol=1e-4)
    scale = np.abs(vectors).max(axis=0)
    np.testing.assert_allclose(same_signs(basis.maps(tokens), vectors) / scale, vectors / scale, atol=1e-4)


def test_first_eigenvector_is_constant_with_value_one():
    basis = fit_basis(features(), COUNT)
    first = basis.maps(features())[:, 0]
    assert basis.values[0] == pytest.approx(1, abs=1e-5)
    assert np.ptp(first) < 1e-4 * abs(first.mean())


def test_tokens_looked_up_alone_get_the_entries_of_their_duplicates_in_the_fit():
    tokens = features()
    repeated = tokens[[3, 3, 40, 99]]
    basis = fit_basis(np.concatenate([tokens, repeated]), COUNT)
    _, vectors = dense(np.concatenate([tokens, repeated]))
    whole = same_signs(basis.maps(np.concatenate([tokens, repeated])), vectors)
    np.testing.assert_allclose(whole[-4:], vectors[-4:], atol=1e-4 * np.abs(vectors).max())
    np.testing.assert_array_equal(np.abs(basis.maps(repeated)), np.abs(basis.maps(tokens)[[3, 3, 40, 99]]))


def test_entries_of_one_token_do_not_depend_on_the_others_asked_with_it():
    basis = fit_basis(features(), COUNT)
    others = features(seed=1)
    np.testing.assert_allclose(basis.maps(others)[:5], basis.maps(others[:5]), rtol=1e-5, atol=1e-7)


def test_alike_tokens_get_alike_entries_whatever_their_number():
    rng = np.random.default_rng(2)
    kinds = np.repeat(rng.normal(size=(3, 8)), [5, 60, 200], axis=0).astype(np.float32)
    maps = fit_basis(kinds, 3).maps(kinds)
    for start, stop in ((0, 5), (5, 65), (65, 265)):
        assert np.ptp(maps[start:stop], axis=0).max() < 1e-3 * np.abs(maps).max()
    assert np.abs(np.diff(maps[[0, 5, 65], 1])).min() > 1e-2 * np.abs(maps[:, 1]).max()


@pytest.mark.parametrize("tokens", [features(6), features(100, channels=5), np.ones((100, 12), np.float32)])
def test_too_few_tokens_too_few_features_and_no_difference_are_refused(tokens):
    with pytest.raises(InputError):
        fit_basis(tokens, COUNT)
