import numpy as np
import pytest
import torch

from cryoetseg.core.foundation.krylov import leading_subspace
from cryoetseg.core.runtime.errors import InputError

CPU, SIZE = torch.device("cpu"), 400


def spectrum(leading):
    """Known eigenvalues (400,) whose eigenvectors are the axes: ``leading`` first, then a tail from just below the last of them."""
    return torch.tensor(np.concatenate([leading, np.linspace(0.98, -1, SIZE - len(leading)) * leading[-1]]), dtype=torch.float32)


def leading(values, count, seed=0):
    return leading_subspace(lambda block: values[:, None] * block, SIZE, count, CPU, seed)


@pytest.mark.parametrize("first", [np.linspace(1, 0.5, 12), np.r_[np.ones(3), 1 - 1e-5, np.full(4, 0.8), 0.8 - 1e-4, 0.7, 0.7, 0.7]])
def test_known_eigenvectors_span_what_comes_out_also_where_eigenvalues_are_close_or_equal(first):
    vectors = leading(spectrum(first), 12)
    assert vectors[:12].square().sum() / 12 > 0.999
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(12), atol=1e-4, rtol=0)


def test_vectors_fall_by_eigenvalue():
    values = spectrum([3.0, 2.0, 1.0])[torch.arange(SIZE).flip(0)]
    vectors = leading(values, 3)
    assert vectors.abs().argmax(dim=0).tolist() == [SIZE - 1, SIZE - 2, SIZE - 3]


def test_the_seed_decides_the_start_alone():
    values = spectrum(np.ones(6))  # any basis of the leading six is right, so the start shows
    assert torch.equal(leading(values, 6), leading(values, 6))
    assert not torch.allclose(leading(values, 6), leading(values, 6, seed=1))


def test_few_directions_fill_up_to_the_number_asked_for():
    vectors = leading_subspace(lambda block: torch.ones(SIZE, SIZE) @ block / SIZE, SIZE, 5, CPU)
    torch.testing.assert_close(vectors.T @ vectors, torch.eye(5), atol=1e-4, rtol=0)
    torch.testing.assert_close(vectors[:, 0].abs(), torch.full((SIZE,), SIZE**-0.5), atol=1e-4, rtol=0)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not finite"):
        leading(torch.full((SIZE,), torch.nan), 3)
