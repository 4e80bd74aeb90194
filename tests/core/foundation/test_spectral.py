import numpy as np
import pytest
import torch

from cryoetseg.core.foundation.backbone import load_backbone
from cryoetseg.core.foundation.door import Affinity
from cryoetseg.core.foundation.spectral import dense_sum, leading_eigenvectors, orient, subspace_overlap
from cryoetseg.core.runtime.errors import ParameterError


def random_affinity(grid, seed, rank=20, name="up"):
    """Row-stochastic affinity of tokens with random low-rank features: eigenvalues well apart."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(grid * grid, rank, generator=generator) * torch.linspace(2, 0.1, rank)
    return Affinity((features @ features.T / 4).softmax(dim=1), grid, name)


def test_blocks_give_eigenvectors_constant_on_blocks(block_affinity, stripes):
    affinities = [block_affinity(32, 4), block_affinity(16, 4, seed=1), block_affinity(8, 4, seed=2)]
    vectors = leading_eigenvectors(affinities, 4)
    assert vectors.shape == (4, 32, 32)
    assert subspace_overlap(vectors, stripes(32, 4)) > 0.999
    assert vectors.std(axis=2).max() < 0.05 * np.abs(vectors).max()


@pytest.mark.parametrize("border", [0, 1, 3])
def test_the_solver_spans_what_a_dense_decomposition_spans(border):
    affinities = [random_affinity(24, 0), random_affinity(24, 1), random_affinity(12, 2), random_affinity(8, 3)]
    vectors = leading_eigenvectors(affinities, 12, border)
    dense = np.linalg.eigh(dense_sum(affinities, border))[1][:, ::-1][:, :12].T
    assert subspace_overlap(vectors, dense) >= 0.999
    np.testing.assert_allclose(np.linalg.norm(vectors.reshape(12, -1), axis=1), 1, atol=1e-4)


def test_the_solver_spans_what_a_dense_decomposition_spans_for_the_shipped_backbone():
    network = load_backbone("cryoet-tiny", "", torch.device("cpu"), empty_prompt="required", noise_reach_nm=68.0)
    rows, columns = np.indices((network.input_size_px,) * 2)
    picture = 0.5 + 0.3 * np.sin(rows / 5) * np.cos(columns / 9) + 0.1 * np.random.default_rng(0).normal(size=rows.shape)
    affinities = network.affinities(np.tile(picture, (network.slices, 1, 1)).astype(np.float32), 1.0, torch.Generator().manual_seed(0), 1)
    border = 20  # 24 tokens a side are left, so that the dense decomposition takes no seconds
    dense = np.linalg.eigh(dense_sum(affinities, border))[1][:, ::-1][:, :12].T
    assert subspace_overlap(leading_eigenvectors(affinities, 12, border), dense) >= 0.999


def test_sum_follows_the_definition():
    affinities = [random_affinity(8, 0), random_affinity(4, 1)]
    pooling = np.zeros((64, 16))
    for y in range(8):
        for x in range(8):
            pooling[y * 8 + x, (y // 2) * 4 + x // 2] = 0.5
    np.testing.assert_allclose(pooling.T @ pooling, np.eye(16))
    expected = 0.0
    for affinity, lift, weight in zip(affinities, (np.eye(64), pooling), (1.0, 3.0)):
        symmetric = (affinity.matrix + affinity.matrix.T).double().numpy() / 2
        root = symmetric.sum(axis=1) ** -0.5
        expected = expected + weight * lift @ (symmetric * root[:, None] * root) @ lift.T
    np.testing.assert_allclose(dense_sum(affinities, weights=[1.0, 3.0]), expected, atol=1e-6)


def test_border_tokens_have_no_say(block_affinity):
    clean = block_affinity(16, 4, noise=0.0)
    spoiled = clean.matrix.clone()
    frame = torch.ones(16, 16, dtype=torch.bool)
    frame[2:-2, 2:-2] = False
    spoiled[:, frame.flatten()] += 5.0
    overlap = subspace_overlap(*(leading_eigenvectors([Affinity(m, 16, "up")], 4, border=2) for m in (clean.matrix, spoiled)))
    assert overlap > 0.999


def test_heads_are_averaged(block_affinity):
    affinity = block_affinity(16, 4)
    doubled = Affinity(torch.stack([affinity.matrix, affinity.matrix]), 16, "up")
    np.testing.assert_allclose(leading_eigenvectors([affinity], 4), leading_eigenvectors([doubled], 4), atol=1e-5)


def test_same_input_same_result():
    affinities = [random_affinity(20, 0)]
    assert np.array_equal(leading_eigenvectors(affinities, 6), leading_eigenvectors(affinities, 6))


def test_sign_is_fixed():
    vectors = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)
    assert np.array_equal(orient(vectors), orient(-vectors))
    symmetric = np.array([[-1.0, 1.0]], np.float32)
    assert np.array_equal(orient(symmetric), orient(-symmetric))


def test_overlap_of_equal_and_disjoint_spans():
    identity = np.eye(6)
    assert subspace_overlap(identity[:3], identity[[2, 0, 1]]) == pytest.approx(1)
    assert subspace_overlap(identity[:3], identity[3:]) == pytest.approx(0)


def test_impossible_requests_are_refused(block_affinity):
    affinity = block_affinity(8, 4)
    with pytest.raises(ParameterError, match="eigenvectors"):
        leading_eigenvectors([affinity], 12, border=3)
    with pytest.raises(ParameterError, match="grids"):
        leading_eigenvectors([affinity, block_affinity(3, 3)], 2)
    with pytest.raises(ParameterError, match="weights"):
        leading_eigenvectors([affinity], 2, weights=[1, 1])
